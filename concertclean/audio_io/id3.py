"""ID3v2 tags: how long one is, and one as bytes for the chunk of a WAV file that takes what RIFF has no name for.

References:
    M. Nilsson, "ID3 tag version 2.4.0", structure and native frames, id3.org, 2000.
"""

from typing import Final

_FRAMES: Final = {
    "title": "TIT2", "artist": "TPE1", "album": "TALB", "album_artist": "TPE2", "composer": "TCOM", "genre": "TCON",
    "track": "TRCK", "disc": "TPOS", "date": "TDRC", "isrc": "TSRC", "bpm": "TBPM", "publisher": "TPUB",
    "copyright": "TCOP", "encoded_by": "TENC", "performer": "TPE3",
}  # fmt: skip
_UTF_8: Final = b"\x03"
_SHIFTS: Final = (21, 14, 7, 0)  # a size is four bytes of seven bits each
_HEAD_BYTES, _FOOTER_BYTES, _HAS_FOOTER = 10, 10, 0x10


def tag_bytes(head: bytes) -> int:
    """Length of the tag that begins with these ten bytes; 0 if none does."""
    if head[:3] != b"ID3" or len(head) < _HEAD_BYTES:
        return 0
    size = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:_HEAD_BYTES], _SHIFTS, strict=True))
    return _HEAD_BYTES + size + (_FOOTER_BYTES if head[5] & _HAS_FOOTER else 0)


def id3_tag(tags: dict[str, str]) -> bytes:
    """Tags as ID3v2.4.

    Args:
        tags: under FFmpeg's names; several values of one stand between zero characters, as in ID3 itself.
    """
    frames = b"".join(_frame(name, value) for name, value in tags.items())
    return b"ID3\x04\x00\x00" + _size(len(frames)) + frames


def _frame(name: str, value: str) -> bytes:
    kind = _FRAMES.get(name, "TXXX")
    text = value if kind != "TXXX" else f"{name}\0{value}"
    data = _UTF_8 + text.encode("utf-8", errors="replace")
    return kind.encode("ascii") + _size(len(data)) + b"\0\0" + data


def _size(number: int) -> bytes:
    return bytes(number >> shift & 0x7F for shift in _SHIFTS)
