"""Hidden part files: how they are named, and how those of killed runs are found and deleted.

A part file is locked as long as its process lives, and the system drops the lock with the process, however that ends.
So a part whose lock is free has been left behind. Names are ours alone: no other program's files are touched.
"""

import os
import re
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows, where nothing is swept: an open file can be told from another by no lock we could take
    fcntl = None  # type: ignore[assignment]

_NAME: Final = re.compile(r"\.concertclean-[0-9a-f]{16}\.part", re.ASCII)
# O_EXCL follows no link at the file's name either.
_TRIES: Final = 9
_NEW: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def new_part(folder: Path) -> tuple[Path, int]:
    """A new, locked part file.

    Args:
        folder: where it is made.

    Returns:
        Its path and a descriptor for reading and writing.

    Raises:
        OSError: the folder cannot be written.
    """
    for _ in range(_TRIES):
        # A short name of its own: the target's name plus a suffix could exceed the 255 bytes of file systems.
        part = folder / f".concertclean-{secrets.token_hex(8)}.part"
        # 0o666 leaves the permissions to the user's umask; tempfile would make the target private.
        descriptor = os.open(part, _NEW, 0o666)
        if not _is_locked_elsewhere(descriptor) and os.fstat(descriptor).st_nlink:
            return part, descriptor
        os.close(descriptor)  # another run is sweeping it up
        with suppress(FileNotFoundError):
            part.unlink()
    raise BlockingIOError(f"{folder}: new files are locked by another program")


@cache
def sweep(folder: Path) -> None:
    """`sweep_now`, once for each folder in the life of a process."""
    sweep_now(folder)


def sweep_now(folder: Path) -> None:
    """Deletes the part files that killed runs left in a folder.

    Args:
        folder: where to look; nothing happens if it cannot be read.
    """
    if fcntl is None:
        return
    with suppress(OSError), os.scandir(folder) as entries:
        left = [entry.path for entry in entries if _NAME.fullmatch(entry.name)]
        for path in left:
            with suppress(OSError):  # it is locked, or gone
                _delete(path)


def _delete(path: str) -> None:
    """Delete a part file, if its lock is free."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.unlink(path)
    finally:
        os.close(descriptor)


def _is_locked_elsewhere(descriptor: int) -> bool:
    """Whether another process holds the lock of a file; if none does, it is ours now, where there are locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    return False
