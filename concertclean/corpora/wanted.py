"""What to keep of a package, and under which name.

The list of a corpus names a file by its last folder and its name. Case, spaces and punctuation of both vary between
versions of packages and archives, so paths are compared without these.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from concertclean.audio_io.formats import AUDIO_EXTENSIONS
from concertclean.corpora.open_corpus import PackageEntry, plain_parent, stored_name


class Wanted:
    """The files and patterns that a corpus lists of one package.

    Args:
        entries: all of the package.

    Attributes:
        files: path as listed, by the name to keep it under.
        patterns: of whole paths inside the package.
    """

    def __init__(self, entries: Sequence[PackageEntry]) -> None:
        self.files = {stored_name(path): path for entry in entries for path in entry.files}
        self.patterns = [pattern for entry in entries for pattern in entry.patterns]
        self._by_folder = {spelling_key(path): name for name, path in self.files.items()}
        by_name: dict[str, list[str]] = defaultdict(list)
        for name, path in self.files.items():
            by_name[spelling_key(path.rpartition("/")[2])].append(name)
        # A file whose folder is spelt differently is still found, if no other file has the same name.
        self._by_name = {key: names[0] for key, names in by_name.items() if len(names) == 1}

    def target(self, path: str) -> tuple[str, bool] | None:
        """Name to keep a member under, and whether its folder matched too; None if it is not listed.

        Args:
            path: inside the package, or inside an archive in it.

        Returns:
            A file name, and False where the list has another folder for it.
        """
        if Path(path).suffix.lower() not in AUDIO_EXTENSIONS:
            return None
        for pattern in self.patterns:
            if fnmatchcase(path, pattern):
                return path.removeprefix(plain_parent(pattern)).replace("/", "__"), True
        parts = path.split("/")
        name = self._by_folder.get(spelling_key("/".join(parts[-2:])))
        if name:
            return name, True
        name = self._by_name.get(spelling_key(parts[-1]))
        return (name, "/" not in self.files[name]) if name else None

    def missing(self, found: Collection[str]) -> tuple[str, ...]:
        """Files and patterns that nothing was found for.

        Args:
            found: names that were kept.

        Returns:
            Names to keep, then patterns as listed.
        """
        empty = [pattern for pattern in self.patterns if not any(fnmatchcase(n, stored_name(pattern)) for n in found)]
        return (*(name for name in self.files if name not in found), *empty)

    def digest(self) -> str:
        """Hash of the list; it changes with the list.

        Returns:
            64 hexadecimal digits.
        """
        return hashlib.sha256("\n".join(sorted([*self.files.values(), *self.patterns])).encode()).hexdigest()


def spelling_key(path: str) -> str:
    """A path without case, spaces and punctuation, to compare spellings in archives and lists.

    Args:
        path: or a file name.

    Returns:
        Lower-case letters, digits and dots.
    """
    return re.sub(r"[^a-z0-9.]+", "", path.lower())
