"""Files below a folder: the one walk that every command shares, so that all of them find the same recordings.

Names that begin with a dot are left out, folders too: `._a.wav` is what macOS keeps beside `a.wav` on foreign disks.
Links to folders are followed after the folders themselves, and no folder is visited twice: a loop of links ends.
"""

import os
import stat
from collections.abc import Callable, Collection
from pathlib import Path

from concertclean.errors import AudioFileError

_CURE = "restore it or correct its permissions, or leave it out"


def find_files(
    folder: Path,
    extensions: Collection[str],
    *,
    recursive: bool = True,
    unreadable: Callable[[AudioFileError], None] | None = None,
) -> list[Path]:
    """Files in a folder by the extension of their names.

    Args:
        folder: where to look.
        extensions: lower case, with dot.
        recursive: also look into the folders inside.
        unreadable: receives an error for every folder that cannot be read, and for every link to a missing file; the
            search goes on. None: the first such error is raised.

    Returns:
        Paths that begin with `folder`, sorted folder by folder. Only regular files and links to them: pipes and devices
        are left out.

    Raises:
        AudioFileError: something cannot be read, and there is no `unreadable`.
    """
    walk = _Walk(extensions, unreadable or _raise)
    folders = [folder]
    while folders:
        inside = walk.visit(folders.pop())
        if recursive:
            folders += inside
            if not folders and walk.links:  # a folder that can be reached without a link keeps that path
                folders.append(walk.links.pop(0))
    # part by part, as paths compare, but without the lists that each of them would keep
    return sorted(walk.found, key=lambda path: str(path).replace(os.sep, "\0"))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is left out of every walk."""
    return name.startswith(".")


class _Walk:
    """What a walk has found and where it has been."""

    def __init__(self, extensions: Collection[str], unreadable: Callable[[AudioFileError], None]) -> None:
        self.found: list[Path] = []
        self.links: list[Path] = []
        self._extensions, self._unreadable = extensions, unreadable
        self._visited: set[tuple[int, int]] = set()

    def visit(self, folder: Path) -> list[Path]:
        """Note the files of one folder and the links in it to others; the real folders in it."""
        inside: list[Path] = []
        try:
            facts = folder.stat()
            if (facts.st_dev, facts.st_ino) in self._visited:
                return []
            self._visited.add((facts.st_dev, facts.st_ino))
            with os.scandir(folder) as scan:
                entries = sorted((entry for entry in scan if not is_hidden(entry.name)), key=lambda one: one.name)
        except OSError as error:
            self._report(folder, error)
            return []
        for entry in entries:
            is_wanted = os.path.splitext(entry.name)[1].lower() in self._extensions
            path = folder / entry.name
            try:
                mode = entry.stat().st_mode
            except OSError as error:  # a link to nothing, or a folder that may be listed but not entered
                if is_wanted or entry.is_dir(follow_symlinks=False):
                    self._report(path, error)
                continue
            if stat.S_ISDIR(mode):
                (self.links if entry.is_symlink() else inside).append(path)
            elif is_wanted and stat.S_ISREG(mode):
                self.found.append(path)
        return inside

    def _report(self, path: Path, error: OSError) -> None:
        self._unreadable(AudioFileError(f"{path}: cannot be read ({error.strerror}); {_CURE}"))


def _raise(error: AudioFileError) -> None:
    raise error
