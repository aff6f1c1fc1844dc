"""Which container and which codec the new sound of a video gets: those that it had, wherever both can be written."""

from typing import Final

from concertclean.audio_io.formats import FORMATS, AudioInfo, keep_format
from concertclean.errors import ConfigError

_HELD: Final[dict[str, tuple[str, ...]]] = {
    "mp4": ("m4a", "alac", "flac", "mp3", "opus", "wav"),
    "mov": ("m4a", "alac", "wav"),
    "3gp": ("m4a",),
    "mkv": ("m4a", "flac", "alac", "mp3", "opus", "wav"),
    "webm": ("opus",),
    "avi": ("mp3", "wav", "m4a"),
}
"""Formats whose codecs a container holds and players know there; the first is the usual one."""

_LOSSLESS: Final = {"mp4": "alac", "mov": "alac", "mkv": "flac", "avi": "wav"}
_USUAL: Final = "mkv"  # holds nearly everything
_CODEC_NAMES: Final = {
    "m4a": "aac", "mp3": "mp3", "opus": "opus", "flac": "flac", "alac": "alac", "wav": "pcm", "ogg": "vorbis"
}  # fmt: skip


def film_format(info: AudioInfo, wanted: str) -> str | None:
    """Container of a result that keeps the picture.

    Args:
        info: facts about the recording.
        wanted: key of `FORMATS`, "auto" or "keep".

    Returns:
        Key of `FORMATS`; None where sound alone is wanted, or there is no picture to keep.
    """
    if not info.is_film:
        return None
    if wanted in ("auto", "keep"):
        return info.container if info.container in _HELD else _USUAL
    return wanted if wanted in _HELD else None


def sound_format(info: AudioInfo, film: str, wanted: str | None = None) -> tuple[str, str | None]:
    """Codec of the new sound of a video.

    Args:
        info: facts about the old one.
        film: key of `FORMATS` of the new video.
        wanted: name of a codec; None: that of before.

    Returns:
        Key of `FORMATS` of the format with that codec, and why it is not the codec of before, if nobody asked for it.

    Raises:
        ConfigError: such a video does not hold the wanted codec.
    """
    if wanted is not None:
        names = {_CODEC_NAMES[name]: name for name in _HELD[film]}
        if wanted not in names:
            raise ConfigError(
                f"{info.path}: {film} does not hold {wanted}; choose {', '.join(names)}, or another format"
            )
        return names[wanted], None
    kept = keep_format(info)
    same = info.codec.partition("_")[0] == _CODEC_NAMES[kept]
    held = _HELD[film]
    chosen = kept if same and kept in held else _LOSSLESS.get(film, held[0]) if info.is_lossless else held[0]
    if FORMATS[chosen].max_channels < info.channels:
        chosen = next((name for name in held if FORMATS[name].max_channels >= info.channels), chosen)
    if same and chosen == kept:
        return chosen, None
    return chosen, f"{info.codec} cannot be written {'into ' + film if same else 'here'}"
