"""The bytes of a recording: from a file, a pipe or a stream, always seekable, and safe to hand to libraries.

libsndfile and FFmpeg read through callbacks into Python. An exception there is printed and lost, so `AudioBytes` keeps
it, returns the end of the file instead, and `reading` raises it when the library has returned.
"""

import io
import os
import select
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

import av
import soundfile

from concertclean.errors import AudioFileError, ConcertCleanError, NoInputError, OutputError
from concertclean.files.places import Url, place_of

_SPOOL_BYTES: Final = 16 * 2**20
_COPY_BYTES: Final = 2**20
_PATIENCE_SECONDS: Final = 10.0  # for a program to open the other end of a named pipe
_KEPT_PIPES: Final = 8
_LIBRARY_ERRORS: Final = (
    av.FFmpegError, soundfile.SoundFileError, ArithmeticError, EOFError, LookupError, MemoryError, OSError,
    RuntimeError, TypeError, ValueError,
)  # fmt: skip

# What came through the latest named pipes, by device and inode: it comes only once, but is read for the analysis,
# for the length and for the restoring.
_from_pipes: dict[tuple[int, int], BinaryIO] = {}


class _Spool(tempfile.SpooledTemporaryFile[bytes]):
    """A temporary file, in memory while it is small, that ends with the last reader of it."""

    def __del__(self) -> None:
        self.close()


class AudioBytes(io.RawIOBase):
    """A part of a file, with some bytes replaced.

    Args:
        file: seekable; stays open.
        start: where the part begins.
        size: bytes of it; None: to the end.
        patches: `(offset in the part, bytes)` to be read instead of what is there.

    Attributes:
        name: that of the file, for libraries that look at the extension.
        failure: first exception that reading raised, or None.
    """

    def __init__(
        self, file: "Source", start: int = 0, size: int | None = None, patches: Sequence[tuple[int, bytes]] = ()
    ) -> None:
        self._file, self._start, self._patches, self._position = file, start, patches, 0
        self._size = max(0, file.seek(0, os.SEEK_END) - start) if size is None else size
        name = getattr(file, "name", "")
        self.name = name if isinstance(name, str) else ""
        self.failure: BaseException | None = None

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Position in the part."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move in the part; places before its beginning become its beginning."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Next bytes; none at the end, and after a failure."""
        return super().read(size) or b""

    def readinto(self, buffer: object) -> int:
        """Fill a buffer; 0 at the end, and after a failure."""
        target = memoryview(cast(bytearray, buffer)).cast("B")
        begin = self._position
        wanted = min(len(target), self._size - begin)
        if wanted <= 0 or self.failure is not None:
            return 0
        try:
            self._file.seek(self._start + begin)
            found = self._file.read(wanted)
        except BaseException as error:  # noqa: BLE001 - callers in C cannot pass it on; `reading` does
            self.failure = error
            return 0
        target[: len(found)] = found
        for place, replacement in self._patches:
            first, last = max(place, begin), min(place + len(replacement), begin + len(found))
            if first < last:
                target[first - begin : last - begin] = replacement[first - place : last - place]
        self._position = begin + len(found)
        return len(found)


Source = BinaryIO | AudioBytes


@contextmanager
def reading(source: AudioBytes, path: str) -> Iterator[None]:
    """Turn whatever a library raises while it reads a recording into one of our errors.

    Args:
        source: what it reads.
        path: for messages.

    Raises:
        AudioFileError: the recording, or the disk it lies on, cannot be read.
    """
    try:
        yield
    except _LIBRARY_ERRORS as error:
        if source.failure is None:
            said = str(error).rstrip(".") or type(error).__name__
            raise AudioFileError(f"{path}: cannot be decoded ({said}); try it in a player, or copy it again") from error
    finally:
        if source.failure is not None:
            failure, source.failure = source.failure, None
            if isinstance(failure, ConcertCleanError) or not isinstance(failure, Exception):
                raise failure
            raise AudioFileError(f"{path}: cannot be read ({failure}); check the disk it lies on") from failure


def open_source(source: str | Path | Url | BinaryIO) -> Source:
    """Open a recording.

    Args:
        source: path or URL of a file, a named pipe, or a binary stream. Pipes, streams, and what a server only sends
            from its beginning are copied to a temporary file.

    Returns:
        Seekable, at least one byte long.

    Raises:
        NoInputError: there is nothing at the path, or nothing in the file or stream.
        AudioFileError: it is no file, or cannot be opened.
        ConfigError: what reads such a URL is not installed.
        OutputError: the temporary folder has no room for what a stream brings.
    """
    if not isinstance(source, str | Path | Url):
        return _refuse_empty(spooled(source, "standard input"), "standard input")
    path = place_of(source)
    if isinstance(path, Url):
        return _refuse_empty(_from_store(path), str(path))
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise NoInputError(f"{path}: is a folder; name a recording in it")
        if stat.S_ISFIFO(status.st_mode):
            return _refuse_empty(_from_pipe(path, (status.st_dev, status.st_ino)), str(path))
        if not stat.S_ISREG(status.st_mode):
            raise AudioFileError(f"{path}: is a device or socket, not a recording; record it to a file first")
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoInputError(f"{path}: does not exist; check the name") from error
    except (OSError, ValueError) as error:
        raise AudioFileError(f"{path}: cannot be opened ({error}); check its permissions") from error
    return _refuse_empty(file, str(path))


def _from_store(url: Url) -> BinaryIO:
    """A file in another store: read where it lies, if that is possible."""
    from concertclean.files.remote import opened

    file = opened(url)
    if file.seekable():
        return file
    with file:
        return spooled(file, str(url))


def _from_pipe(path: Path, key: tuple[int, int]) -> AudioBytes:
    """What comes through a named pipe; the same again if nothing new comes."""
    patience = 0.0 if key in _from_pipes else _PATIENCE_SECONDS
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # without it, opening waits for a writer, maybe for ever
    with open(descriptor, "rb", buffering=0) as pipe:
        select.select([pipe], [], [], patience)
        try:
            first = pipe.read(1)
        except BlockingIOError:  # somebody is there who has written nothing yet
            first = None
        os.set_blocking(descriptor, True)
        first = pipe.read(1) if first is None else first
        if first:
            _from_pipes[key] = spooled(pipe, str(path), first)
    if key not in _from_pipes:
        raise NoInputError(f"{path}: is a named pipe that nothing writes to; start the program that fills it first")
    while len(_from_pipes) > _KEPT_PIPES:
        _from_pipes.pop(next(iter(_from_pipes)))
    return AudioBytes(_from_pipes[key])


def spooled(stream: BinaryIO | io.RawIOBase, name: str, first: bytes = b"") -> BinaryIO:
    """Seekable copy of a stream, in memory while it is small, else in a temporary file.

    Args:
        stream: read to its end.
        name: for messages.
        first: what was read from it already.

    Raises:
        AudioFileError: the stream cannot be read.
        OutputError: the temporary folder has no room.
    """
    spool = _Spool(max_size=_SPOOL_BYTES)
    block: bytes | None = first
    while True:
        try:
            spool.write(block or b"")
        except OSError as error:
            spool.close()
            where = f"the temporary folder {tempfile.gettempdir()}"
            raise OutputError(f"{where}: cannot hold a copy of {name} ({error}); free space, or set TMPDIR") from error
        try:
            block = stream.read(_COPY_BYTES)
        except (OSError, ValueError) as error:
            spool.close()
            raise AudioFileError(f"{name}: cannot be read ({error}); check the program that writes it") from error
        if not block:
            return cast(BinaryIO, spool)


def _refuse_empty(file: Source, name: str) -> Source:
    """The file, if it holds at least one byte."""
    file.seek(0)
    try:
        first = file.read(1)
    except OSError as error:
        file.close()
        raise AudioFileError(f"{name}: cannot be read ({error}); check the disk it lies on") from error
    if not first:
        file.close()
        raise NoInputError(f"{name}: is empty, 0 bytes; copy the recording again")
    return file
