"""An ID3v2.4 tag as bytes, for the chunk of a WAV file that takes the tags which RIFF has no name for.

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
    """Four bytes of seven bits each."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
