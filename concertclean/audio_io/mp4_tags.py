"""Tags of an MP4 for which iTunes has no atom of its own, as free-form atoms beside those that FFmpeg writes.

FFmpeg writes the index, `moov`, behind the sound, so it can grow without moving a sample.

References:
    ISO/IEC 14496-12, boxes. Free-form atoms: iTunes, as in the MP4v2 project's "iTunes Metadata".
"""

import os
from collections.abc import Iterator
from typing import Final

from concertclean.audio_io.guarded import GuardedFile

NATIVE: Final = frozenset(
    {"title", "artist", "album", "album_artist", "composer", "genre", "comment", "lyrics", "date", "track", "disc"}
    | {"copyright", "grouping", "compilation"}
)
"""Tags for which FFmpeg writes an atom that it reads again."""

_PATH: Final = (b"moov", b"udta", b"meta", b"ilst")
_META_FLAGS: Final = 4  # bytes between the head of `meta` and its first box
_HANDLER: Final = bytes(8) + b"mdirappl" + bytes(9)
_UTF_8: Final = (1).to_bytes(4, "big") + bytes(4)


def add_free_form(file: GuardedFile, tags: dict[str, str]) -> None:
    """Append tags to the index of an MP4.

    Args:
        file: complete; its index is the last box.
        tags: names and values.
    """
    place, moov = _last_box(file)
    if moov[4:8] != b"moov" or not tags:
        return
    atoms = b"".join(_atom(name, value) for name, value in tags.items())
    file.seek(place)
    file.write(_grown(moov, _PATH[1:], atoms))
    file.flush()


def _last_box(file: GuardedFile) -> tuple[int, bytes]:
    """Place and bytes of the last box of a file."""
    end = file.seek(0, os.SEEK_END)
    place = start = 0
    while place + 8 <= end:
        file.seek(place)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        start, place = place, place + (int.from_bytes(head[8:], "big") if size == 1 else size or end - place)
    file.seek(start)
    return start, file.read(end - start)


def _grown(box: bytes, path: tuple[bytes, ...], atoms: bytes) -> bytes:
    """A box with atoms appended to the box at the end of a path, which is made where it is missing."""
    kind, head = box[4:8], 8 + (_META_FLAGS if box[4:8] == b"meta" else 0)
    if not path:
        return _box(kind, box[head:] + atoms)
    parts, found = [], False
    for child in _children(box[head:]):
        if child[4:8] == path[0]:
            child, found = _grown(child, path[1:], atoms), True  # noqa: PLW2901
        parts.append(child)
    if not found:
        parts.append(_grown(_empty(path[0]), path[1:], atoms))
    return _box(kind, box[8:head] + b"".join(parts))


def _empty(kind: bytes) -> bytes:
    return _box(kind, bytes(_META_FLAGS) + _box(b"hdlr", _HANDLER) if kind == b"meta" else b"")


def _children(data: bytes) -> Iterator[bytes]:
    while len(data) >= 8:
        size = int.from_bytes(data[:4], "big") or len(data)
        yield data[:size]
        data = data[max(size, 8) :]


def _box(kind: bytes, data: bytes) -> bytes:
    return (8 + len(data)).to_bytes(4, "big") + kind + data


def _atom(name: str, value: str) -> bytes:
    """A free-form atom."""
    parts = _box(b"mean", bytes(4) + b"com.apple.iTunes") + _box(b"name", bytes(4) + name.encode())
    return _box(b"----", parts + _box(b"data", _UTF_8 + value.encode()))
