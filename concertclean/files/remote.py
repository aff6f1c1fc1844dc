"""Files in other stores, looked at, found, read and written."""

import io
import os
import posixpath
import secrets
import shutil
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any, BinaryIO, Final

from concertclean.errors import AudioFileError, ConcertCleanError, ConfigError, OutputError
from concertclean.files.names import name_fault
from concertclean.files.places import Url
from concertclean.files.store_errors import fact_of, is_missing, reported
from concertclean.files.stores import store_of
from concertclean.files.walk import is_hidden

_BLOCK_BYTES: Final = 2 << 20
_KEPT_BLOCKS: Final = 4
_SENT_BYTES: Final = 8 << 20  # S3 takes no parts below 5 MiB, and no more than 10,000 of them
_MOST_PARTS: Final = 9_000
_PAUSES_SECONDS: Final = (1.0, 5.0)  # before the network is tried again
_READ_CURE: Final = "check the address, the network and your credentials"
_WRITE_CURE: Final = f"{_READ_CURE}, or write elsewhere"
# What is written there appears when it is complete; folders are only parts of names.
_OBJECT_STORES: Final = frozenset({"s3", "s3a", "gs", "gcs"})
_TIMES: Final = ("mtime", "LastModified", "updated", "last_modified", "created")


def facts(url: Url, kind: type[ConcertCleanError] = AudioFileError) -> dict[str, Any] | None:
    """What a store says about a name: "type", "size" and more; None if there is nothing.

    Args:
        url: of a file or folder.
        kind: of the error, if it cannot be found out.
    """
    with reported(url, kind, "cannot be looked at", _READ_CURE):
        store, path = store_of(url)
        store.invalidate_cache()  # another machine may have written there
        try:
            return dict(store.info(path))
        except FileNotFoundError as error:
            if is_missing(url, error):
                return None
            raise


def modified_ns(found: dict[str, Any]) -> int:
    """When a file was changed, ns since 1970, from what a store says about it; 0 where it does not say."""
    time = next((found[name] for name in _TIMES if found.get(name)), 0)
    if isinstance(time, str):
        with suppress(ValueError):
            time = datetime.fromisoformat(time)
    if isinstance(time, datetime):
        time = time.timestamp()
    return round(time * 1e9) if isinstance(time, int | float) else 0


def opened(url: Url) -> BinaryIO:
    """A file to read, a few blocks of which are kept.

    Returns:
        Seekable, unless the store only sends it from its beginning.

    Raises:
        NoInputError: there is none.
        AudioFileError: it cannot be opened.
        ConfigError: what reads such addresses is not installed.
    """
    with reported(url, AudioFileError, "cannot be read", _READ_CURE):
        store, path = store_of(url)
        store.invalidate_cache()
        options = {"cache_type": "blockcache", "cache_options": {"maxblocks": _KEPT_BLOCKS}}
        file = store.open(path, "rb", block_size=_BLOCK_BYTES, **options)
        if url.is_web and not _has_ranges(file):
            file.close()
            return io.BufferedReader(_Reading(store.open(path, "rb", block_size=0), url, is_seekable=False))
        return io.BufferedReader(_Reading(file, url), _BLOCK_BYTES)  # for stores whose files forget at every seek


def _has_ranges(file: Any) -> bool:
    """Whether a web server sends parts of a file; only a part that does not start at its beginning shows it."""
    try:
        file.seek(-1, os.SEEK_END)
        file.read(1)
        file.seek(0)
    except (TypeError, ValueError):  # TypeError: of unknown length
        return False
    return True


def find_remote(
    folder: Url, extensions: Collection[str], *, recursive: bool, unreadable: Callable[[AudioFileError], None]
) -> list[Url]:
    """Files below a folder by their extension, sorted; see `walk.find_files`."""

    def note(error: Exception) -> None:
        unreadable(AudioFileError(f"{folder}: cannot be listed ({fact_of(folder, error)}); {_READ_CURE}"))

    with reported(folder, AudioFileError, "cannot be listed", _READ_CURE):
        store, path = store_of(folder)
        store.invalidate_cache()
        options = {} if folder.scheme in _OBJECT_STORES else {"on_error": note}
        names = store.find(path, maxdepth=None if recursive else 1, **options)
        store.invalidate_cache()  # lets go of all that it says about a million files
    return _wanted(folder, path, names, extensions, unreadable)


def matching(pattern: Url, extensions: Collection[str], unreadable: Callable[[AudioFileError], None]) -> list[Url]:
    """Files that fit a pattern, sorted."""
    with reported(pattern, AudioFileError, "cannot be listed", _READ_CURE):
        store, path = store_of(pattern)
        store.invalidate_cache()
        names = store.glob(path)
    root = Url(pattern.scheme, pattern.host, "")
    return _wanted(root, path[: len(path) - len(pattern.path.rstrip("/"))], names, extensions, unreadable)


def _wanted(
    folder: Url, path: str, names: list[str], extensions: Collection[str], unreadable: Callable[[AudioFileError], None]
) -> list[Url]:
    """Those names in a folder that are wanted; names of objects are any text, and lead anywhere."""
    found = []
    for name in names:
        below = name.removeprefix(path.rstrip("/")).removeprefix("/")
        is_wanted = posixpath.splitext(below)[1].lower() in extensions
        if not is_wanted or any(map(is_hidden, below.split("/"))):
            continue
        if fault := name_fault(below):
            unreadable(AudioFileError(f"{folder}: the name {below!r} {fault}; rename it, or copy it yourself"))
        else:
            found.append(folder / below)
    return sorted(found, key=lambda url: url.path.replace("/", "\0"))


def require_writable(url: Url) -> None:
    """Refuses a store that cannot be written, before the work.

    Raises:
        ConfigError: it never can, or what writes there is not installed.
        OutputError: it cannot be reached.
    """
    if url.is_web:
        raise ConfigError(f"{url}: a web server can only be read; write to a folder, or to s3://, gs:// or sftp://")
    with reported(url, OutputError, "cannot be written", _WRITE_CURE):
        store_of(url)


def make_folder(url: Url) -> None:
    """Makes a folder, where there are folders; a bucket must be there.

    Raises:
        OutputError: it cannot be made.
    """
    require_writable(url)
    if url.scheme in _OBJECT_STORES:
        if not _has_bucket(url.scheme, url.host):
            raise OutputError(f"{url}: there is no bucket {url.host}; make it, or check the name")
        return
    with reported(url, OutputError, "cannot be made", _WRITE_CURE):
        store, path = store_of(url)
        store.makedirs(path, exist_ok=True)


@cache
def _has_bucket(scheme: str, host: str) -> bool:
    """Whether a bucket is there; who may write into one may not always look at it."""
    try:
        return facts(Url(scheme, host, "")) is not None
    except AudioFileError:
        return True


def send(file: BinaryIO, n_bytes: int, url: Url, before: Callable[[], None]) -> None:
    """Writes a file in pieces, so that it appears under its name complete or not at all.

    Args:
        file: from its beginning.
        n_bytes: of it.
        url: its new place.
        before: called when all is there but the name; may raise.

    Raises:
        OutputError: it cannot be written; nothing is left of it.
    """
    way = _send_object if url.scheme in _OBJECT_STORES else _send_file
    with reported(url, OutputError, "cannot be written", _WRITE_CURE):
        store, path = store_of(url)
        way(store, path, max(_SENT_BYTES, n_bytes // _MOST_PARTS), file, before)


def _send_object(store: Any, path: str, size: int, file: BinaryIO, before: Callable[[], None]) -> None:
    """Sends the parts of an object, and completes it at the end."""
    out = store.open(path, "wb", block_size=size, autocommit=False)
    try:
        shutil.copyfileobj(file, out, _BLOCK_BYTES)
        before()
        out.close()
        out.commit()
    except BaseException:
        _discard(out)
        raise


def _send_file(store: Any, path: str, size: int, file: BinaryIO, before: Callable[[], None]) -> None:
    """Writes a hidden file, and renames it at the end."""
    part = f"{posixpath.dirname(path)}/.concertclean-{secrets.token_hex(8)}.part"
    out = None
    try:
        out = store.open(part, "wb", block_size=size)
        if hasattr(out, "set_pipelined"):
            out.set_pipelined(True)  # SFTP would wait for an answer after every 32 KiB
        shutil.copyfileobj(file, out, _BLOCK_BYTES)
        before()
        out.close()
        store.mv(part, path)
    except BaseException:
        with suppress(Exception):
            if out is not None:
                out.close()
        with suppress(Exception):
            store.rm_file(part)
        raise


def _discard(out: Any) -> None:
    """Drops the parts of an object that is not complete."""
    with suppress(Exception):
        out.discard()
    out.closed = True  # or it would be completed when it is collected


class _Reading(io.RawIOBase):
    """A file of a store whose errors are ours."""

    def __init__(self, file: Any, url: Url, *, is_seekable: bool = True) -> None:
        self._file, self._url, self._is_seekable = file, url, is_seekable
        self.name = url.name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._is_seekable

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._file.seek(offset, whence)  # which not every store answers
        return self.tell()

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: Any) -> int:
        with reported(self._url, AudioFileError, "cannot be read on", "try again later"):
            found = self._next(len(buffer))
        buffer[: len(found)] = found
        return len(found)

    def _next(self, n_bytes: int) -> bytes:
        """What comes next; a hiccup of the network does not end the work of hours."""
        begin = self._file.tell() if self._is_seekable else 0
        for pause in _PAUSES_SECONDS if self._is_seekable else ():
            try:
                return self._read(n_bytes)
            except (FileNotFoundError, PermissionError):
                raise
            except Exception:  # noqa: BLE001 - every store has errors of its own; the last one is reported
                time.sleep(pause)
                self._file.seek(begin)
        return self._read(n_bytes)

    def _read(self, n_bytes: int) -> bytes:
        """What comes next."""
        if not hasattr(self._file, "readv"):
            return bytes(self._file.read(n_bytes))
        begin = self._file.tell()  # SFTP sends 32 KiB at a time: all of them are asked for at once
        n_left = min(n_bytes, self._file.stat().st_size - begin)
        found = b"".join(self._file.readv([(begin, n_left)])) if n_left > 0 else b""
        self._file.seek(begin + len(found))
        return found

    def close(self) -> None:
        if not self.closed:
            super().close()
            with suppress(Exception):
                self._file.close()
