"""Whether a picture can be written as a cover; if not, it is left out, for no picture is worth a recording."""

from typing import Final

import av

from concertclean.audio_io.formats import Cover, Format

_DECODERS: Final = {"image/jpeg": "mjpeg", "image/png": "png"}
_LARGEST_BYTES: Final = {"flac": 2**24 - 2**14, "m4a": 2**28, "alac": 2**28, "mp3": 2**27, "ogg": 2**27, "opus": 2**27}


def fault_of(cover: Cover, entry: Format, n_tag_bytes: int) -> str | None:
    """Why a format cannot hold a picture.

    Args:
        cover: as it came.
        entry: of the format.
        n_tag_bytes: of the tags, which share the header of a FLAC file with it.

    Returns:
        The reason, None if there is none.
    """
    if not entry.holds_cover:
        return f"{entry.name} has no place for it"
    if cover.mime not in _DECODERS:
        return f"{cover.mime} is not JPEG or PNG"
    largest = _LARGEST_BYTES[entry.name] - (n_tag_bytes if entry.name == "flac" else 0)
    if len(cover.data) > largest:
        return f"it has {len(cover.data) / 1e6:.2f} MB, {entry.name} holds {largest / 1e6:.2f} MB"
    return None if _is_whole(cover) else f"the {cover.mime.removeprefix('image/').upper()} picture is damaged"


def _is_whole(cover: Cover) -> bool:
    """Whether FFmpeg can show the picture: it also has to know its size to write it."""
    decoder = av.CodecContext.create(_DECODERS[cover.mime], "r")
    try:
        return any(frame.width > 0 for packet in (av.Packet(cover.data), None) for frame in decoder.decode(packet))
    except (av.FFmpegError, ValueError):
        return False
