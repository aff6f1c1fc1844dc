"""Vorbis comments as FLAC and Ogg hold them: pairs of name and value, in which a name may come more than once.

References:
    Xiph.Org, "Ogg Vorbis I format specification: comment field and header specification".
"""

import struct
from collections.abc import Sequence
from typing import Final

Comments = Sequence[tuple[str, str]]

_MOST_COMMENTS: Final = 10_000


def pack(vendor: bytes, comments: Comments) -> bytes:
    """Comments as bytes: vendor, number of comments, each with its length."""
    texts = [f"{name}={value}".encode() for name, value in comments]
    packed = struct.pack("<I", len(vendor)) + vendor + struct.pack("<I", len(texts))
    return packed + b"".join(struct.pack("<I", len(text)) + text for text in texts)


def parse(data: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    """Vendor and comments from bytes; what is damaged is left out."""
    vendor, place = _counted(data, 0)
    number = int.from_bytes(data[place : place + 4], "little")
    place += 4
    comments = []
    for _ in range(min(number, _MOST_COMMENTS)):
        if place + 4 > len(data):
            break
        text, place = _counted(data, place)
        name, separator, value = text.decode("utf-8", errors="replace").partition("=")
        if separator:
            comments.append((name, value))
    return vendor, comments


def _counted(data: bytes, place: int) -> tuple[bytes, int]:
    """Bytes after their number, and where they end."""
    size = int.from_bytes(data[place : place + 4], "little")
    return data[place + 4 : place + 4 + size], place + 4 + size
