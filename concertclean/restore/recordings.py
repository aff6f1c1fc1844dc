"""Which recordings are meant by files, folders and patterns."""

import glob
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from concertclean.audio_io.formats import AUDIO_EXTENSIONS
from concertclean.errors import AudioFileError, NoInputError
from concertclean.files.places import Place, Url, absolute, place_of
from concertclean.files.walk import find_files, is_hidden

_Unreadable = Callable[[AudioFileError], None] | None


def find_recordings(
    inputs: Sequence[str], *, recursive: bool, unreadable: _Unreadable = None
) -> list[tuple[Place, Place]]:
    """Recordings named by files, folders and glob patterns, or URLs of such.

    Args:
        inputs: paths and URLs as typed.
        recursive: look into folders of folders.
        unreadable: receives an error for each folder that cannot be read; None: the first is raised.

    Returns:
        `(file, folder it is relative to)`, in the order given, folders sorted, nothing twice. Empty only if something
        was unreadable.

    Raises:
        NoInputError: a path does not exist, or nothing was found.
        AudioFileError: a folder cannot be read, and there is no `unreadable`.
    """
    found: dict[str, tuple[Place, Place]] = {}
    errors: list[AudioFileError] = []
    for name in inputs:
        for file, root in _expand(name, recursive=recursive, unreadable=errors.append):
            found.setdefault(absolute(file), (file, root))
    for error in errors:
        if unreadable is None:
            raise error
        unreadable(error)
    if not found and not errors:
        cure = "" if recursive else "; search recursively to look into the folders inside"
        raise NoInputError(f"{', '.join(inputs)}: no audio files here{cure}")
    return list(found.values())


def _expand(name: str, *, recursive: bool, unreadable: Callable[[AudioFileError], None]) -> list[tuple[Place, Place]]:
    """What one word on the command line stands for."""
    path = place_of(name)
    if isinstance(path, Url):
        return _expand_url(path, recursive=recursive, unreadable=unreadable)
    if os.path.isdir(path):
        files = find_files(path, AUDIO_EXTENSIONS, recursive=recursive, unreadable=unreadable)
        return [(file, path) for file in files]
    if os.path.lexists(path):
        return [(path, path.parent)]
    matches = _matches(name, unreadable)
    if not matches:
        raise NoInputError(f"{name}: no such file or folder; check the spelling")
    return [(match, match.parent) for match in matches if os.path.isfile(match)]


def _expand_url(
    url: Url, *, recursive: bool, unreadable: Callable[[AudioFileError], None]
) -> list[tuple[Place, Place]]:
    """What a URL stands for."""
    from concertclean.files import remote

    if url.is_web:
        if not url.name:
            raise NoInputError(f"{url}: web servers list no folders; name each recording")
        return [(url, url.parent)]
    said = remote.facts(url)
    if said is None and glob.has_magic(url.path):
        return [(match, match.parent) for match in remote.matching(url, AUDIO_EXTENSIONS, unreadable)]
    if said is None:
        raise NoInputError(f"{url}: no such file or folder; check the spelling")
    if said["type"] != "directory":
        return [(url, url.parent)]
    files = remote.find_remote(url, AUDIO_EXTENSIONS, recursive=recursive, unreadable=unreadable)
    return [(file, url) for file in files]


def _matches(pattern: str, unreadable: Callable[[AudioFileError], None]) -> list[Path]:
    """Paths that fit a pattern. `**` passes over links to folders, whose loops would never end."""
    path = Path(pattern)
    if "**" not in path.parts:
        return [Path(match) for match in sorted(glob.glob(pattern))]
    first = next(place for place, part in enumerate(path.parts) if glob.has_magic(part))
    root = Path(*path.parts[:first])
    find_files(root, (), unreadable=unreadable)  # glob passes over folders that it cannot read
    try:
        found = sorted(root.glob(str(Path(*path.parts[first:]))))
    except ValueError as error:
        raise NoInputError(f"{pattern}: is no pattern ({error}); check the spelling") from error
    return [match for match in found if not any(map(is_hidden, match.relative_to(root).parts))]
