"""The files inside a Debian package, one by one, without unpacking it to disk.

`dpkg-deb` reads it if installed. Otherwise the package is opened here: it is an `ar` archive with a compressed tar in
it.
"""

import contextlib
import gzip
import io
import lzma
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

from concertclean.files.unpacking import DAMAGED, Allowance

_BLOCK_BYTES: Final = 1 << 20


class DebError(Exception):
    """A package cannot be read; the message names it and says what to do."""


@contextlib.contextmanager
def open_deb(deb: Path) -> Iterator[tarfile.TarFile]:
    """Contents of a package as a stream: a context manager.

    Args:
        deb: a .deb file.

    Yields:
        Its files as a tar, to be read once and in order.

    Raises:
        DebError: not a package, a damaged one, or one that only dpkg-deb can open. Damage is detected late: while the
            members are read or, by dpkg-deb, after the last of them.
    """
    unpack = _dpkg if shutil.which("dpkg-deb") else _data_member
    try:
        watched = Allowance(deb.name, deb.stat().st_size).watch
        with unpack(deb) as stream, tarfile.open(fileobj=watched(stream), mode="r|") as tar:
            yield tar
    except DAMAGED as error:
        raise DebError(f"{deb.name}: damaged or cut off ({error}); download it again") from error


@contextlib.contextmanager
def _dpkg(deb: Path) -> Iterator[IO[bytes]]:
    """The output of dpkg-deb, without a copy on disk."""
    command = ["dpkg-deb", "--fsys-tarfile", str(deb)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        stream = process.stdout or io.BytesIO()
        try:
            yield stream
            while stream.read(_BLOCK_BYTES):
                pass
            if process.wait():
                raise DebError(f"{deb.name}: dpkg-deb refuses it; download it again")
        finally:
            process.kill()


@contextlib.contextmanager
def _data_member(deb: Path) -> Iterator[IO[bytes]]:
    """The same without dpkg-deb: a .deb is an `ar` archive, and its member data.tar.* holds the files.

    References:
        Manual pages deb(5) and ar(5): 8 bytes of magic, then members with a header of 60 bytes each, the name in
        the first 16, the size in decimal in bytes 48 to 57; members begin at even positions.
    """
    with deb.open("rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise DebError(f"{deb.name}: not a Debian package; download it again")
        while len(header := file.read(60)) == 60 and header[48:58].strip().isdigit():
            name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58])
            if name.startswith("data.tar"):
                with _decompress(name, io.BufferedReader(_Slice(file, size)), deb) as stream:
                    yield stream
                return
            file.seek(size + size % 2, os.SEEK_CUR)
    raise DebError(f"{deb.name}: contains no data.tar; download it again")


def _decompress(name: str, stream: io.BufferedReader, deb: Path) -> IO[bytes]:
    """The tar inside data.tar.*; Debian compresses with xz, Ubuntu with zstandard."""
    if name == "data.tar":
        return stream
    if name == "data.tar.xz":
        return lzma.open(stream)
    if name == "data.tar.gz":
        return cast(IO[bytes], gzip.open(stream))
    raise DebError(f"{deb.name}: contains {name}, which only dpkg-deb can open; install dpkg")


class _Slice(io.RawIOBase):
    """The next bytes of a file, as a separate file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._file.read(min(len(buffer), self._left))
        buffer[: len(block)] = block
        self._left -= len(block)
        return len(block)
