"""One process at a time in a folder.

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


class FolderLock:
    """The lock of a folder, held until it is released.

    Args:
        folder: made if it is missing.

    Raises:
        OutputError: another process holds it, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / ".lock"
        with disk_errors(path):
            folder.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            _take(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise OutputError(f"{folder}: another program works here; stop it, or choose another folder") from error

    def release(self) -> None:
        """Lets others in."""
        os.close(self._descriptor)
