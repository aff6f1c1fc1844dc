"""Names of files and folders: paths on this machine, and URLs of other stores."""

import hashlib
import os
import posixpath
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Final, Self, TypeAlias
from urllib.parse import unquote
from urllib.request import url2pathname

from concertclean.errors import ConfigError

_URL: Final = re.compile(r"([a-z][a-z0-9+.-]+)://(.*)", re.IGNORECASE | re.DOTALL)
_WEB: Final = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True, repr=False)
class Url:
    """A file or folder in another store, with those parts of a `Path` that names are made with.

    A `Path` would make "s3:/bucket" of "s3://bucket". As text it has neither user and password nor the query of a web
    address, which may be a signature: it can be printed and stored.

    Attributes:
        scheme: such as "s3", lower case.
        host: or bucket; with user and password, if they were given.
        path: as written; empty, or begins with "/".
        query: of a web address, without "?".
    """

    scheme: str
    host: str
    path: str
    query: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host.rpartition('@')[2]}{self.path}" + "?…" * bool(self.query)

    def __repr__(self) -> str:
        return f"Url({str(self)!r})"

    def __truediv__(self, name: str | PurePath) -> "Url":
        below = name.as_posix() if isinstance(name, PurePath) else name
        return self if below == "." else replace(self, path=f"{self.path.rstrip('/')}/{below}", query="")

    @property
    def address(self) -> str:
        """All of it, for the store alone."""
        return f"{self.scheme}://{self.host}{self.path}" + (f"?{self.query}" if self.query else "")

    @property
    def is_web(self) -> bool:
        """Whether it is an address of a web server, which can be read, but neither listed nor written."""
        return self.scheme in _WEB

    @property
    def name(self) -> str:
        """Last part, as people write it."""
        last = posixpath.basename(self.path)
        return unquote(last).replace("/", "_").replace("\0", "_") if self.is_web else last

    @property
    def stem(self) -> str:
        """Name without its extension."""
        return PurePosixPath(self.name).stem

    @property
    def suffix(self) -> str:
        """Extension, with its dot."""
        return PurePosixPath(self.name).suffix

    @property
    def parent(self) -> "Url":
        """Folder that it lies in."""
        return replace(self, path=posixpath.dirname(self.path).rstrip("/"), query="")

    def relative_to(self, folder: Self) -> PurePosixPath:
        """What comes after a folder.

        Raises:
            ValueError: it does not lie there.
        """
        before, rest = folder.path.rstrip("/"), self.path.rstrip("/")
        if (self.scheme, self.host) != (folder.scheme, folder.host) or not f"{rest}/".startswith(f"{before}/"):
            raise ValueError(f"{self} is not in {folder}")
        return PurePosixPath(rest[len(before) + 1 :])


Place: TypeAlias = Path | Url


def place_of(name: str | PurePath | Url) -> Place:
    """Returns the file or folder that a person names: a URL if there is "://" in it, else a path."""
    if isinstance(name, Url):
        return name
    found = _URL.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        return Path(name)
    scheme, rest, query = found[1].lower(), found[2], ""
    if scheme in _WEB:  # elsewhere "?" and "#" are parts of names
        rest, _, query = rest.partition("#")[0].partition("?")
    host, slash, path = rest.partition("/")
    return Path(url2pathname(slash + path)) if scheme == "file" else Url(scheme, host, slash + path, query)


def below(place: Place, folder: Place) -> PurePath:
    """Returns what comes after a folder in a name.

    Raises:
        ValueError: the place does not lie there.
    """
    if isinstance(place, Url) and isinstance(folder, Url):
        return place.relative_to(folder)
    return local(place).relative_to(local(folder))


def local(place: Place) -> Path:
    """Returns the path of a file on this machine, for what works on nothing else.

    Raises:
        ConfigError: it is a URL.
    """
    if isinstance(place, Url):
        raise ConfigError(f"{place}: files on this machine are needed for this; copy it here")
    return place


def absolute(place: Place) -> str:
    """Returns the name of a place wherever the program is started from; no two places share one.

    It holds no credentials: of the query of a web address, only a hash.
    """
    if isinstance(place, Path):
        return os.path.abspath(place)
    mark = hashlib.sha256(place.query.encode()).hexdigest()[:16] if place.query else "…"
    return str(place).replace("?…", f"?{mark}")
