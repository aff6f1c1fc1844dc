"""The places of channels: read safely from FFmpeg, and brought into its usual order.

A container may list its channels in an order of its own, as QuickTime, CAF and AIFF do. FFmpeg keeps the list in memory
of its own, which PyAV releases a second time with every frame: the process crashes. So the list is read once, before
anything is decoded, and replaced by a layout of the usual kind; the decoders bring the channels into the order of that.
"""

import re
from typing import Any, Final

import av

from concertclean.audio_io.formats import layout_name

# FFmpeg's order of places, libavutil/channel_layout.h
_PLACES: Final = (
    "FL", "FR", "FC", "LFE", "BL", "BR", "FLC", "FRC", "BC", "SL", "SR", "TC", "TFL", "TFC", "TFR", "TBL", "TBC", "TBR",
    "DL", "DR", "WL", "WR", "SDL", "SDR", "LFE2", "TSL", "TSR", "BFC", "BFL", "BFR",
)  # fmt: skip


def settled(stream: Any) -> tuple[str, list[int] | None]:
    """Layout of an audio stream that has not been decoded yet; changes it to a layout of the usual kind.

    Args:
        stream: PyAV's, with a codec context.

    Returns:
        FFmpeg's name of the layout, and for each of its channels the number in the file; None where that is the same.
    """
    found = stream.codec_context.layout
    name, n_channels = found.name, found.nb_channels
    order = _order(name, n_channels)
    if set(listed := _listed(name)) <= set(_PLACES) and listed:
        name = av.AudioLayout("+".join(sorted(listed, key=_PLACES.index))).name
    if n_channels:
        stream.codec_context.layout = layout_name(name, n_channels)
    return name, order


def _listed(name: str) -> list[str]:
    """Places that a name such as "3 channels (FL+FC+FR)" lists."""
    found = re.fullmatch(r"\d+ channels \(([A-Z0-9+]+)\)", name)
    return [] if found is None else found[1].split("+")


def _order(name: str, n_channels: int) -> list[int] | None:
    """Which channel comes where in FFmpeg's order; None if they are in it, or their places are not known."""
    listed = _listed(name)
    if len(set(listed)) != n_channels or not set(listed) <= set(_PLACES):
        return None
    order = sorted(range(n_channels), key=lambda channel: _PLACES.index(listed[channel]))
    # FFmpeg's writers name the side channels of 6.1 and 7.1 before those behind, but store them in FFmpeg's order.
    is_usual = order == list(range(n_channels)) or listed[:4] == ["FL", "FR", "FC", "LFE"]
    return None if is_usual else order
