"""Files that libraries write to, whose errors wait until the library has returned.

FFmpeg and libsndfile call back into Python for every write. What is raised there cannot pass through C: it is printed,
replaced by another error, or lost. So a failed write pretends to succeed, the file is worthless from then on, and
`check` raises what happened.
"""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO, Final, TypeVar

from concertclean.errors import OutputError

_T = TypeVar("_T")
_TEMPORARY: Final = "free some space there, or set TMPDIR to another folder"


class GuardedFile:
    """A file as libraries see it: nothing that it does raises.

    Args:
        file: open for writing and reading, seekable.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._error: Exception | None = None

    def check(self) -> None:
        """Raise the first error.

        Raises:
            OutputError, OSError: as the file raised it.
        """
        if self._error is not None:
            raise self._error

    def write(self, data: Any) -> int:
        """Write bytes; returns how many."""
        return self._attempt(lambda: self._file.write(data), len(data))

    def read(self, n_bytes: int = -1) -> bytes:
        """Read bytes, none once something failed."""
        return self._attempt(lambda: self._file.read(n_bytes), b"")

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; returns the position."""
        return self._attempt(lambda: self._file.seek(offset, whence), max(offset, 0))

    def tell(self) -> int:
        """Position."""
        return self._attempt(self._file.tell, 0)

    def empty(self) -> None:
        """Drop everything written so far."""
        self.seek(0)
        self._attempt(self._file.truncate, 0)

    def flush(self) -> None:
        """Pass on what is buffered."""
        self._attempt(self._file.flush, None)

    def close(self) -> None:
        """Close the file, whatever the disk says to what was still buffered."""
        with suppress(OSError, OutputError):
            self._file.close()

    def _attempt(self, act: Callable[[], _T], instead: _T) -> _T:
        if self._error is None:
            try:
                return act()
            except (OSError, ValueError, OutputError) as error:  # ValueError: closed
                self._error = error
        return instead


class TemporaryOutput(GuardedFile):
    """A nameless temporary file; what goes wrong there is blamed on the folder for temporary files.

    Raises:
        OutputError: no such file can be made.
    """

    def __init__(self) -> None:
        try:
            super().__init__(tempfile.TemporaryFile())  # noqa: SIM115  (closed by its owner)
        except OSError as error:
            raise _no_room(error) from error

    def check(self) -> None:
        """Raise the first error.

        Raises:
            OutputError: the temporary folder is full.
        """
        try:
            super().check()
        except OSError as error:
            raise _no_room(error) from error


def _no_room(error: OSError) -> OutputError:
    try:
        folder = tempfile.gettempdir()
    except OSError:  # none of the usual ones can be written
        folder = "temporary folder"
    return OutputError(f"{folder}: cannot be written ({error.strerror or error}); {_TEMPORARY}")
