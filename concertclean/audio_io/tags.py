"""Uniform names of tags, and pictures packed the way Ogg requires.

FFmpeg returns tags as the container spells them: `TITLE` from Matroska, `title` from MP4, `ALBUMARTIST` from some
taggers. Technical entries describe the *old* file; copied, they would lie about the new one.
"""

import base64
import re
import struct
from collections.abc import Iterable
from typing import Final

from concertclean.audio_io.formats import Cover

_TECHNICAL: Final = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "itunsmpb", "itunnorm", "itunpgap"}
    | {"gapless_playback", "media_type", "handler_name", "vendor_id", "language", "duration", "tlen", "tsse"}
    | {"creation_time", "encoder_settings", "encoding_settings", "r128_track_gain", "r128_album_gain"}
    | {"metadata_block_picture", "waveformatextensible_channel_mask"}
    | {"soundhandler"}
)
# Statistics of Matroska's tools, also with the language of the stream: "BPS-eng", "_STATISTICS_TAGS".
_STATISTICS: Final = re.compile(r"_statistics_.*|(bps|duration|number_of_frames|number_of_bytes|source_id)(-[a-z]{3})?")
_ALIASES: Final = {
    "albumartist": "album_artist",
    "album artist": "album_artist",
    "tracknumber": "track",
    "discnumber": "disc",
    "description": "comment",
    "year": "date",
    "unsyncedlyrics": "lyrics",
    "tsrc": "isrc",
    "tbpm": "bpm",
    "tmpo": "bpm",
    "text": "lyricist",
    "tpe4": "remixer",
    "tit1": "grouping",
    "tit3": "subtitle",
}
_LYRICS: Final = re.compile(r"lyrics-[a-z]{3}")
_MOST_BYTES: Final = 2**22  # a FLAC header holds 2²⁴, the cover included
_FIRST_OF_NAME, _LAST_OF_NAME = " ", "}"  # of the characters that the name of a Vorbis comment may have
SEPARATOR: Final = "\0"
"""Stands between several values of one tag, as in ID3v2.4."""
_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"RIFF", "image/webp"),
)
_FRONT_COVER: Final = 3
_VORBIS_NAMES: Final = {"album_artist": "ALBUMARTIST", "track": "TRACKNUMBER", "disc": "DISCNUMBER"}


def clean_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags under FFmpeg's lower-case names, without those that describe the file instead of the music.

    Args:
        tags: as they came from a container; not changed.

    Returns:
        New dictionary; of two spellings of one tag, the first is kept, but a description beside a comment stays one.
    """
    has_comment = any(name.strip().lower() == "comment" for name in tags)
    cleaned: dict[str, str] = {}
    for name, value in tags.items():
        key = name.strip().lower()
        if not value or _is_technical(key):
            continue
        whole = value.encode("utf-8", errors="replace").decode()  # what no container can store becomes "?"
        cleaned.setdefault(key if key == "description" and has_comment else _common_name(key), whole)
    return cleaned


def within_limit(tags: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    """Tags that together fit into the header of every format, and the names of those that do not.

    Args:
        tags: cleaned.
    """
    kept: dict[str, str] = {}
    n_left = _MOST_BYTES
    for name, value in tags.items():
        n_bytes = len((name + value).encode())
        if n_bytes <= n_left:
            kept[name] = value
            n_left -= n_bytes
    return kept, [name for name in tags if name not in kept]


def with_repeated(tags: dict[str, str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Tags of which some come more than once in a file, with all their values.

    Args:
        tags: cleaned, under one value each.
        pairs: names and values as they stand in the file.

    Returns:
        New dictionary; several values of a tag stand between `SEPARATOR`s.
    """
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name.strip().lower(), []).append(value)
    repeated = {_common_name(key): SEPARATOR.join(found) for key, found in values.items() if len(found) > 1}
    return tags | {key: value for key, value in repeated.items() if key in tags}


def _common_name(key: str) -> str:
    return "lyrics" if _LYRICS.fullmatch(key) else _ALIASES.get(key, key)


def _is_technical(key: str) -> bool:
    return key in _TECHNICAL or key.startswith("replaygain_") or is_statistic(key)


def is_statistic(name: str) -> bool:
    """Whether a tag counts what is in a stream, as Matroska's tools do, so that it is wrong for any other stream."""
    return _STATISTICS.fullmatch(name.lower()) is not None


def joined(tags: dict[str, str]) -> dict[str, str]:
    """Tags for containers that hold one value of each: several stand with "; " between them."""
    return {name: value.replace(SEPARATOR, "; ") for name, value in tags.items()}


def picture_mime(data: bytes) -> str:
    """MIME type of a picture by its first bytes.

    Args:
        data: the picture file.

    Returns:
        Such as "image/jpeg"; "application/octet-stream" if unknown.
    """
    matches = (mime for signature, mime in _SIGNATURES if data.startswith(signature))
    return next(matches, "application/octet-stream")


def picture_block(cover: Cover) -> bytes:
    """A picture with its description, as FLAC and Vorbis comments hold it.

    Args:
        cover: front picture.

    Returns:
        Bytes; width, height and colours are 0, "unknown", which the standard allows.

    References:
        RFC 9639, section 8.8.
    """
    mime = cover.mime.encode("ascii")
    block = struct.pack(">II", _FRONT_COVER, len(mime)) + mime + struct.pack(">I", 0)
    return block + struct.pack(">IIII", 0, 0, 0, 0) + struct.pack(">I", len(cover.data)) + cover.data


def vorbis_comments(tags: dict[str, str]) -> list[tuple[str, str]]:
    """Tags under the names that Vorbis players look for.

    Args:
        tags: under FFmpeg's names.

    Returns:
        Names and values, a name for each of several values; characters not allowed in a name become "_".
    """
    return [
        (_VORBIS_NAMES.get(name, _comment_name(name)).upper(), value)
        for name, values in tags.items()
        for value in values.split(SEPARATOR)
    ]


def _comment_name(name: str) -> str:
    is_allowed = (_FIRST_OF_NAME <= character <= _LAST_OF_NAME and character != "=" for character in name)
    return "".join(character if allowed else "_" for character, allowed in zip(name, is_allowed, strict=True))


def picture_comment(cover: Cover) -> tuple[str, str]:
    """The Vorbis comment that holds a front picture.

    References:
        Xiph.Org, "VorbisComment", section METADATA_BLOCK_PICTURE.
    """
    return "METADATA_BLOCK_PICTURE", base64.b64encode(picture_block(cover)).decode("ascii")
