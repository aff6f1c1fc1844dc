"""Uniform names of tags, and pictures packed the way Ogg requires.

FFmpeg returns tags as the container spells them: `TITLE` from Matroska, `title` from MP4, `ALBUMARTIST` from some
taggers. Technical entries describe the *old* file; copied, they would lie about the new one.
"""

import base64
import struct
from typing import Final

from concertclean.audio_io.formats import Cover

_TECHNICAL: Final = frozenset(
    {"major_brand", "minor_version", "compatible_brands", "encoder", "itunsmpb", "itunnorm", "itunpgap"}
    | {"gapless_playback", "media_type", "handler_name", "vendor_id", "language", "duration", "tlen", "tsse"}
    | {"creation_time", "encoder_settings", "encoding_settings", "r128_track_gain", "r128_album_gain"}
    | {"metadata_block_picture"}
)
_ALIASES: Final = {
    "albumartist": "album_artist",
    "album artist": "album_artist",
    "tracknumber": "track",
    "discnumber": "disc",
    "description": "comment",
    "year": "date",
}
_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG", "image/png"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"RIFF", "image/webp"),
)
_FRONT_COVER: Final = 3
_VORBIS_NAMES: Final = {"album_artist": "ALBUMARTIST", "track": "TRACKNUMBER", "disc": "DISCNUMBER"}
PICTURE_TAG: Final = "METADATA_BLOCK_PICTURE"


def clean_tags(tags: dict[str, str]) -> dict[str, str]:
    """Tags under FFmpeg's lower-case names, without those that describe the file instead of the music.

    Args:
        tags: as they came from a container; not changed.

    Returns:
        New dictionary; of two spellings of one tag, the first is kept.
    """
    cleaned: dict[str, str] = {}
    for name, value in tags.items():
        key = name.strip().lower()
        if key in _TECHNICAL or key.startswith("replaygain_") or not value:
            continue
        cleaned.setdefault(_ALIASES.get(key, key), value)
    return cleaned


def picture_mime(data: bytes) -> str:
    """MIME type of a picture by its first bytes.

    Args:
        data: the picture file.

    Returns:
        Such as "image/jpeg"; "application/octet-stream" if unknown.
    """
    matches = (mime for signature, mime in _SIGNATURES if data.startswith(signature))
    return next(matches, "application/octet-stream")


def ogg_picture(cover: Cover) -> str:
    """Value of the Vorbis comment METADATA_BLOCK_PICTURE.

    Args:
        cover: front picture.

    Returns:
        Base64 text. Width, height and colours are 0, "unknown", which the standard allows.

    References:
        Xiph.Org, "VorbisComment", section METADATA_BLOCK_PICTURE; RFC 9639, section 8.8.
    """
    mime = cover.mime.encode("ascii")
    block = struct.pack(">II", _FRONT_COVER, len(mime)) + mime + struct.pack(">I", 0)
    block += struct.pack(">IIII", 0, 0, 0, 0) + struct.pack(">I", len(cover.data)) + cover.data
    return base64.b64encode(block).decode("ascii")


def vorbis_comments(tags: dict[str, str], cover: Cover | None) -> dict[str, str]:
    """Tags and picture under the names that Vorbis players look for.

    Args:
        tags: under FFmpeg's names.
        cover: front picture, if there is one.

    Returns:
        Vorbis comments; characters not allowed in a name become "_".
    """
    comments = {_VORBIS_NAMES.get(name, name.replace("=", "_")): value for name, value in tags.items()}
    return comments if cover is None else comments | {PICTURE_TAG: ogg_picture(cover)}
