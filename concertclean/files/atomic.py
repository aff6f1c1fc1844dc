"""A file that appears complete or not at all."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from concertclean.errors import OutputError


class PartFile:
    """A hidden file beside the output, renamed to it when everything is written.

    Args:
        path: of the output.
        overwrite: replace an output that exists already.

    Raises:
        OutputError: the output exists, or its directory is missing or cannot be written.

    Attributes:
        file: open for writing and reading.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        self._path = path
        self._overwrite = overwrite
        if path.is_dir():
            raise OutputError(f"{path}: is a directory; name a file in it")
        if not overwrite and os.path.lexists(path):
            raise _exists(path)
        # A short name of its own: the output's name plus a suffix could exceed the 255 bytes of file systems.
        self._part = path.parent / f".{secrets.token_hex(8)}.part"
        try:
            # 0o666 leaves the permissions to the user's umask; tempfile would make the output private.
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            self.file: BinaryIO = os.fdopen(os.open(self._part, flags, 0o666), "w+b")
        except (OSError, ValueError) as error:
            message = f"{path}: cannot be written ({error}); choose a directory that you may write to"
            raise OutputError(message) from error

    def commit(self) -> None:
        """Give the complete file its name.

        Raises:
            OutputError: the disk is full, or somebody else made the output in the meantime.
        """
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            if self._overwrite:
                os.replace(self._part, self._path)
            else:
                self._rename_if_free()
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written ({error}); free some space") from error

    def discard(self) -> None:
        """Delete what was written; a second call, or one after `commit`, does nothing."""
        with suppress(OSError):
            self.file.close()
        with suppress(FileNotFoundError):
            self._part.unlink()

    def _rename_if_free(self) -> None:
        """Rename without a race between looking and doing: a hard link is refused if the name is taken."""
        try:
            os.link(self._part, self._path)
        except FileExistsError as error:
            raise _exists(self._path) from error
        except OSError as error:  # a file system without hard links, such as FAT
            if os.path.lexists(self._path):
                raise _exists(self._path) from error
            self._part.rename(self._path)
        else:
            self._part.unlink()


def _exists(path: Path) -> OutputError:
    """Error for an output that must not be replaced."""
    return OutputError(f"{path}: exists already; allow overwriting, or choose another name")
