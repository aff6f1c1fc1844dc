"""One process at a time in a folder, or with a file.

The system drops the lock with the process, however that ends; so a killed program never locks anybody out.
"""

import os
import sys
from pathlib import Path

from concertclean.errors import OutputError
from concertclean.files.atomic import disk_errors

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """The lock of a file, held until it is released.

    Args:
        path: made if it is missing, with its folder.
        refusal: message where another process holds it.

    Raises:
        OutputError: another process holds it, or it cannot be written.
    """

    def __init__(self, path: Path, refusal: str) -> None:
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            _take(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise OutputError(refusal) from error

    def release(self) -> None:
        """Lets others in."""
        os.close(self._descriptor)


class FolderLock(FileLock):
    """The lock of a folder, by a hidden file in it.

    Args:
        folder: made if it is missing.

    Raises:
        OutputError: another process holds it, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / ".lock", f"{folder}: another program works here; stop it, or choose another folder")
