"""What must be put right before a library sees a file: tags in front of it, and sizes that were never filled in.

A recorder writes the sizes when it stops. If it crashes, loses power or writes to a pipe, the header says that there is
no sound, and libraries believe it.

References:
    EBU Tech 3306 (RF64), ITU-R BS.2088 (BW64), Apple AIFF-C and CAF specifications, ID3v2.3 section 3.1.
"""

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from concertclean.audio_io.id3 import tag_bytes
from concertclean.audio_io.source import AudioBytes, Source

_MAGIC_BEHIND_TAGS: Final = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"caff", b"riff", b".snd", b"OggS")
_UNKNOWN_32: Final = 0xFFFF_FFFF
_MUCH_BYTES: Final = 4096
_NO_SOUND_AIFF, _NO_SOUND_CAF = 8, 4  # bytes before the sound that their sizes include


@dataclass(frozen=True)
class _Fault:
    """What is wrong with a header, in words, and the bytes that mend it."""

    remark: str
    patches: list[tuple[int, bytes]]


def _hole(patches: list[tuple[int, bytes]]) -> _Fault:
    what = "the header gives no length, as after a crash of the recorder"
    return _Fault(f"W121 {what}; read to the end of the file", patches)


def mended(file: Source) -> tuple[AudioBytes, str]:
    """A file as it should be.

    Args:
        file: seekable.

    Returns:
        The file without tags in front of a format that has none, missing sizes filled in; and a warning, or "".
    """
    whole = AudioBytes(file)
    start = _after_tags(whole)
    part = AudioBytes(file, start)
    magic = _at(part, 0, 4)
    find = _FINDERS.get(magic)
    fault = None if find is None else find(part, magic)
    if fault is None:
        return part, ""
    return AudioBytes(file, start, patches=fault.patches), fault.remark


def _after_tags(file: AudioBytes) -> int:
    """Where a sound file begins behind ID3v2 tags; 0 without, or before what has them by right, as MP3 does."""
    place = 0
    while size := tag_bytes(_at(file, place, 10)):
        place += size
    return place if _at(file, place, 4) in _MAGIC_BEHIND_TAGS else 0


def _riff(file: AudioBytes, magic: bytes) -> _Fault | None:
    """WAV of any kind: `data` of size 0 with sound behind it, or 64-bit sizes that are not there."""
    order = ">" if magic == b"RIFX" else "<"
    is_64 = magic in (b"RF64", b"BW64")
    end = file.seek(0, os.SEEK_END)
    sizes = 0
    for name, place, size in _chunks(file, 12, order + "I"):
        if name == b"ds64":
            sizes = place
        if name != b"data":
            continue
        left = end - place
        declared = size
        if is_64 and size == _UNKNOWN_32 and sizes:
            declared = _number(file, sizes + 8, "<Q")
        is_missing = declared == 0 or (is_64 and (not sizes or declared >= 2**63 - 1))
        if not is_missing or left <= 0 or (declared == 0 and size == 0 and _are_chunks(file, place, order + "I")):
            return _surplus(file, place + declared, order + "I") if 0 < declared < left else None
        if is_64 and sizes:
            patches = [(0, b"RF64"), (sizes, struct.pack("<QQ", end - 8, left)), (place - 4, b"\xff\xff\xff\xff")]
            return _hole([*patches, (sizes + 16, bytes(8))])
        size_32 = min(left, _UNKNOWN_32)
        patches = [(0, b"RIFF")] if is_64 else []
        whole = struct.pack(order + "I", min(end - 8, _UNKNOWN_32))
        return _hole([*patches, (4, whole), (place - 4, struct.pack(order + "I", size_32))])
    return None


def _aiff(file: AudioBytes, magic: bytes) -> _Fault | None:
    """AIFF: `SSND` without sound."""
    del magic
    place, end = _hollow(file, 12, ">I", b"SSND", _NO_SOUND_AIFF), file.seek(0, os.SEEK_END)
    if place is None:
        return None
    whole, left = (struct.pack(">I", min(size, _UNKNOWN_32)) for size in (end - 8, end - place))
    return _hole([(4, whole), (place - 4, left)])


def _caf(file: AudioBytes, magic: bytes) -> _Fault | None:
    """CAF: `data` without sound; a size of -1, "to the end", is regular."""
    del magic
    place, end = _hollow(file, 8, ">Q", b"data", _NO_SOUND_CAF), file.seek(0, os.SEEK_END)
    return None if place is None else _hole([(place - 8, struct.pack(">Q", end - place))])


def _hollow(file: AudioBytes, first: int, size_format: str, name: bytes, n_before: int) -> int | None:
    """Place of the content of a chunk that declares no sound although there is some; None if there is no such chunk.

    Args:
        file: to look into.
        first: place of the first chunk.
        size_format: of the size of a chunk.
        name: of the chunk.
        n_before: bytes before the sound that the size includes.
    """
    end = file.seek(0, os.SEEK_END)
    for found, place, size in _chunks(file, first, size_format):
        if found == name and size in (0, n_before) and end > place + n_before:
            is_empty = size == n_before and _are_chunks(file, place + n_before, size_format)
            return None if is_empty else place
    return None


def _au(file: AudioBytes, magic: bytes) -> _Fault | None:
    """Sun's .au: a size of 0."""
    del magic
    start = _number(file, 4, ">I")
    left = file.seek(0, os.SEEK_END) - start
    if _number(file, 8, ">I") or left <= 0:
        return None
    return _hole([(8, struct.pack(">I", min(left, _UNKNOWN_32)))])


def _surplus(file: AudioBytes, place: int, size_format: str) -> _Fault | None:
    """Much that follows the sound and is no chunk: a recorder that stopped between two updates of its header."""
    n_bytes = file.seek(0, os.SEEK_END) - place
    if n_bytes < _MUCH_BYTES or not any(_at(file, place, _MUCH_BYTES)):
        return None
    if _are_chunks(file, place, size_format) or _are_chunks(file, place + place % 2, size_format):
        return None
    what = f"{n_bytes} bytes follow the sound that the header declares, and are not read"
    return _Fault(f"W121 {what}; if a recorder crashed, set the size of the sound in the header to 0", [])


_FINDERS: Final[dict[bytes, Callable[[AudioBytes, bytes], _Fault | None]]] = {
    b"RIFF": _riff, b"RIFX": _riff, b"RF64": _riff, b"BW64": _riff, b"FORM": _aiff, b"caff": _caf, b".snd": _au,
}  # fmt: skip


def _chunks(file: AudioBytes, place: int, size_format: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, place of the content and size of every chunk."""
    width = 4 + struct.calcsize(size_format)
    while len(head := _at(file, place, width)) == width:
        (size,) = struct.unpack(size_format, head[4:])
        yield head[:4], place + width, size
        place += width + size + (size % 2 if width == 8 else 0)


def _are_chunks(file: AudioBytes, place: int, size_format: str) -> bool:
    """Whether what follows are chunks up to the end of the file, and not sound."""
    end = file.seek(0, os.SEEK_END)
    reached = place
    for name, content, size in _chunks(file, place, size_format):
        if not (name.isascii() and name.decode().isprintable()):
            return False
        reached = content + size
    return abs(reached - end) <= 1  # a byte to fill up may be missing, or not be counted


def _at(file: AudioBytes, place: int, size: int) -> bytes:
    """Bytes at a place; fewer at the end."""
    file.seek(place)
    return file.read(size)


def _number(file: AudioBytes, place: int, number_format: str) -> int:
    """A number at a place; 0 beyond the end."""
    found = _at(file, place, struct.calcsize(number_format))
    return int(struct.unpack(number_format, found)[0]) if len(found) == struct.calcsize(number_format) else 0
