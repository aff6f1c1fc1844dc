"""Which channel layouts a format stores, so that FFmpeg and libsndfile find every channel in its place again.

Measured with FFmpeg 8 and libsndfile 1.2: each layout of 1 to 8 channels, a tone of its own in each channel. Where
the codec has no name for a layout, or brings the channels back in another order, it is refused before work starts.
"""

from typing import Final

import av

from concertclean.audio_io.formats import VORBIS_ORDER, Format, layout_name
from concertclean.errors import OutputError

_STORED: Final[dict[str, frozenset[str]]] = {
    "m4a": frozenset({"mono", "stereo", "2.1", "3.0", "3.0(back)", "4.0", "quad", "quad(side)", "5.0", "5.1", "7.1"}),
    "alac": frozenset({"mono", "stereo", "3.0", "4.0", "5.0", "5.1", "6.1(back)", "7.1(wide)"}),
    "mp3": frozenset({"mono", "stereo"}),
    # FFmpeg's encoder exchanges channels of 5.0 and 6.1.
    "opus": frozenset(VORBIS_ORDER) - {"5.0", "6.1"},
    "ogg": frozenset(VORBIS_ORDER),
}
_ALAC_FRAME, _ALAC_LEAST = 4096, 16


def storable_layout(entry: Format, name: str, layout: str | None, channels: int) -> str:
    """Name under which a format stores the channels.

    One channel is mono and two are stereo, whichever loudspeaker a header names for them. "5.1(side)" is "5.1" with
    other names for the same six channels, where a codec only has the one.

    Args:
        entry: of the format.
        name: of the output, for messages.
        layout: FFmpeg's name; None for the usual one of so many channels.
        channels: number of channels.

    Raises:
        OutputError: the format does not store these channels.
        ValueError: the layout has another number of channels.
    """
    known = _known(layout, channels)
    if channels <= 2:
        return layout_name(None, channels)
    stored = _STORED.get(entry.name)
    if stored is None:
        return known
    for candidate in (known, known.replace("(side)", "")):
        if candidate in stored:
            return candidate
    cure = "set the format to wav or flac"
    raise OutputError(f"{name}: {entry.name} cannot store the channels of {known}; {cure}")


def require_last_frame(name: str, format: str, channels: int, n_samples: int) -> None:
    """Refuse the lengths at which FFmpeg's ALAC encoder ends the process.

    It allots the last frame too little room where that holds one or two samples of more than two channels.

    Args:
        name: of the output, for messages.
        format: key of `FORMATS`.
        channels: number of channels.
        n_samples: of a channel.

    Raises:
        OutputError: this length cannot be written.
    """
    if format == "alac" and channels > 2 and 0 < n_samples % _ALAC_FRAME < _ALAC_LEAST:
        fact = f"alac cannot store {channels} channels of {n_samples} samples"
        raise OutputError(f"{name}: {fact}; set the format to flac")


def _known(layout: str | None, channels: int) -> str:
    """FFmpeg's shortest name of a layout: "2.1" for "3 channels (FL+FR+LFE)"; of unknown ones, the usual one."""
    usual = layout_name(None, channels)
    try:
        found = av.AudioLayout(usual if layout is None or layout.endswith("channels") else layout)
    except (ValueError, av.FFmpegError):
        return usual
    if found.nb_channels != channels:
        raise ValueError(f"channel_layout is {layout!r} with {found.nb_channels} channels, must have {channels}")
    return f"{channels} channels" if found.name.startswith("ambisonic") else found.name
