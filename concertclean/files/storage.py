"""What is asked and done about files that may lie on this machine or in another store.

Nothing of other stores is loaded before there is a URL.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from concertclean.errors import OutputError
from concertclean.files import atomic
from concertclean.files.download import file_sha256
from concertclean.files.places import Place

if TYPE_CHECKING:
    from types import ModuleType


@dataclass(frozen=True, slots=True)
class Facts:
    """What shows that a file has changed.

    Attributes:
        size: bytes.
        modified_ns: ns since 1970; 0 where a store does not say.
    """

    size: int
    modified_ns: int


def exists(place: Place) -> bool:
    """Returns whether there is anything of this name.

    Raises:
        OutputError: a store does not say.
    """
    return os.path.exists(place) if isinstance(place, Path) else _remote().facts(place, OutputError) is not None


def facts(place: Place) -> Facts | None:
    """Returns what shows that a file has changed; None if there is no such file.

    Raises:
        AudioFileError: a store does not say.
    """
    if isinstance(place, Path):
        try:
            found = os.stat(place)
        except OSError:
            return None
        return Facts(found.st_size, found.st_mtime_ns)
    remote = _remote()
    said = remote.facts(place)
    return None if said is None else Facts(said.get("size") or 0, remote.modified_ns(said))


def refuse_existing(place: Place) -> None:
    """Raises an `OutputExistsError` if there is something of this name already."""
    if isinstance(place, Path):
        atomic.refuse_existing(place)
    elif exists(place):
        raise atomic.already_exists(place)


def require_writable(place: Place) -> None:
    """Refuses a store that can never be written, before the work.

    Raises:
        ConfigError: such a store cannot be written, or what writes there is not installed.
        OutputError: it cannot be reached.
    """
    if not isinstance(place, Path):
        _remote().require_writable(place)


def make_folder_of(place: Place) -> None:
    """Makes the folder of an output, and those above it.

    Raises:
        OutputError: it cannot be made.
    """
    if isinstance(place, Path):
        with atomic.disk_errors(place):
            place.parent.mkdir(parents=True, exist_ok=True)
    else:
        _remote().make_folder(place.parent)


def sha256_of(place: Place) -> str:
    """Returns the sha256 of a file as 64 hexadecimal digits; of one in another store, as that sends it.

    Raises:
        ModelError, AudioFileError: it cannot be read.
    """
    if isinstance(place, Path):
        return file_sha256(place)
    with _remote().opened(place) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remote() -> "ModuleType":
    from concertclean.files import remote

    return remote
