"""Limits for what comes out of archives, so that a small file cannot fill the disk or the day."""

import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from typing import IO, Any, Final

from concertclean.errors import ModelError
from concertclean.files.atomic import disk_errors

DAMAGED: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    lzma.LZMAError,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,  # encrypted, or compressed by an unknown method
    ValueError,
    OverflowError,
)
"""What the archive readers of the standard library raise for damaged archives."""

_MOST_BYTES = 32 << 30
_FREE_BYTES = 64 << 20  # of small archives any ratio may come out: a page of zeros shrinks a thousandfold
_MOST_RATIO = 50  # sound and weights shrink by half, silence by a hundred, but no archive is all silence
_BLOCK_BYTES = 1 << 20


class Allowance:
    """How much may still come out of one archive.

    Args:
        name: of the archive, for the message.
        packed_bytes: its size.
    """

    def __init__(self, name: str, packed_bytes: int) -> None:
        self._name = name
        self._most = self._left = min(_MOST_BYTES, max(_FREE_BYTES, _MOST_RATIO * packed_bytes))

    def spend(self, n_bytes: int) -> None:
        """Count bytes that came out.

        Raises:
            ModelError: it was too much.
        """
        self._left -= n_bytes
        if self._left < 0:
            raise ModelError(f"{self._name}: unpacks to more than {self._most >> 20} MiB; do not trust it")

    def copy(self, stream: IO[bytes], file: IO[bytes], target: Any) -> None:
        """Copy a member of the archive to a file.

        Args:
            stream: the member.
            file: to write to.
            target: name of the file, for the message.

        Raises:
            ModelError: it is too much.
            OutputError: the disk refuses it.
        """
        while block := stream.read(_BLOCK_BYTES):
            self.spend(len(block))
            with disk_errors(target):
                file.write(block)

    def watch(self, stream: IO[bytes]) -> io.BufferedReader:
        """A stream whose bytes count when they are read."""
        return io.BufferedReader(_Watched(stream, self), _BLOCK_BYTES)


class _Watched(io.RawIOBase):
    """A stream that counts what is read from it."""

    def __init__(self, stream: IO[bytes], allowance: Allowance) -> None:
        self._stream, self._allowance = stream, allowance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._stream.read(len(buffer))
        self._allowance.spend(len(block))
        buffer[: len(block)] = block
        return len(block)
