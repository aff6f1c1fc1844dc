"""A file of lines that grows: one process writes it, and what was forced to the disk stays."""

import os
from collections.abc import Iterator
from pathlib import Path

from concertclean.errors import NoInputError
from concertclean.files.atomic import disk_errors
from concertclean.files.lock import FileLock


class GrowingFile:
    """A file to which lines are appended, under a lock; half a line that a killed program left is cut off.

    Args:
        path: made if it is missing.
        cure: advice that ends the message of an error; a verb and its object.

    Raises:
        OutputError: it cannot be written, or another process is writing it.
    """

    def __init__(self, path: Path, *, cure: str) -> None:
        self._path, self._cure = path, cure
        self._lock = FileLock(path, f"{path}: another run writes it; wait for that, or {cure}")
        try:
            with disk_errors(path, cure=cure):
                self._file = open(path, "r+b")  # noqa: SIM115 - closed by `close`
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        """Lets others write."""
        self._file.close()
        self._lock.release()

    def end_last_line(self) -> None:
        """Cuts off half a line, and appends from there; to be called before the first line is written."""
        with disk_errors(self._path, cure=self._cure):
            size = self._file.seek(0, os.SEEK_END)
            if size:
                self._file.seek(size - 1)
                if self._file.read(1) != b"\n":
                    self._file.seek(0)
                    self._file.truncate(sum(len(line) for line in self._file if line.endswith(b"\n")))
            self._file.seek(0, os.SEEK_END)

    def append(self, line: str, *, force: bool = False) -> None:
        """Appends a line.

        Args:
            line: without its end.
            force: to the disk, so that it outlives the machine.
        """
        with disk_errors(self._path, cure=self._cure):
            self._file.write(line.encode() + b"\n")
            self._file.flush()
            if force:
                os.fsync(self._file.fileno())


def whole_lines(path: Path) -> Iterator[bytes]:
    """Lines of a file without their ends; half a line at its end is left out.

    Raises:
        NoInputError: it cannot be read.
    """
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise NoInputError(f"{path}: cannot be read ({error.strerror}); check the name") from error
    with file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield line[:-1]
