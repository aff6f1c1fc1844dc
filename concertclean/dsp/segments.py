"""A stream of any length in segments with context, and the segments joined again.

Neighbours overlap a little and are joined by linear ramps that sum to one. So where two segments agree, the result is
exactly their common value.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.resample import Fifo


@dataclass(frozen=True)
class Segment:
    """A piece of a recording.

    Attributes:
        audio: `(channel, time)`; float64, or float32 on its way through a network.
        n_valid: samples of the segment, without context, that lie in the recording.
    """

    audio: NDArray[Any]
    n_valid: int


def segments(
    blocks: Iterator[NDArray[np.float64]],
    channels: int,
    segment: int,
    hop: int,
    context: int,
    *,
    outside: Literal["silence", "mirrored"] = "silence",
) -> Iterator[Segment]:
    """A stream cut on a fixed grid, each segment with its context.

    Args:
        blocks: `(channel, time)` pieces in order.
        channels: of the stream.
        segment: samples per segment, without context.
        hop: samples between the starts of segments, 1 to `segment`.
        context: samples on each side that come with a segment.
        outside: what replaces the context outside the stream; "mirrored" is the stream itself, backwards from its end.

    Yields:
        Segments of `segment + 2 * context` samples.
    """
    held = Fifo(channels)
    whole = segment + 2 * context
    start = n_samples = 0
    ended = False
    while True:
        while not ended and len(held) < whole:
            block = next(blocks, None)
            ended = block is None
            if block is not None:
                n_samples += block.shape[1]
                held.push(block)
        if ended and start >= n_samples:
            return
        if not start:
            held.push(_beyond(held.pop(len(held)), context, 0, outside))
        missing = max(0, whole - len(held))
        yield Segment(_beyond(held.peek(whole), 0, missing, outside), min(segment, n_samples - start))
        if ended and n_samples <= start + segment:
            return
        held.drop(hop)
        start += hop


def _beyond(audio: NDArray[np.float64], before: int, after: int, outside: str) -> NDArray[np.float64]:
    """Audio, not empty, with what lies outside of it."""
    if not before and not after:
        return audio
    return np.pad(audio, ((0, 0), (before, after)), mode="constant" if outside == "silence" else "reflect")


def joined(estimates: Iterator[Segment], segment: int, overlap: int) -> Iterator[NDArray[np.float64]]:
    """Segments without their context, cross-faded where they overlap.

    Args:
        estimates: in order, `segment` samples each.
        segment: samples per segment.
        overlap: samples shared with the next.

    Yields:
        `(channel, time)` pieces, together as long as the stream that was cut.
    """
    ramp = (np.arange(overlap) + 1) / (overlap + 1)
    tail: NDArray[np.float64] | None = None
    last = 0
    for window in estimates:
        audio = window.audio[:, :segment].astype(np.float64)
        if tail is not None and overlap:
            # Rising and falling ramp sum to one, so no division is needed.
            audio[:, :overlap] = audio[:, :overlap] * ramp + tail * (1 - ramp)
        tail = audio[:, segment - overlap :].copy()  # a view would hold all of it
        last = window.n_valid
        if last == segment:
            yield audio[:, : segment - overlap]
        else:
            yield audio[:, :last]
            return
    if tail is not None and last == segment:
        yield tail


def grouped(audio: NDArray[Any], size: int) -> NDArray[Any]:
    """`(channel, time)` as `(group, size, time)`; a channel without a partner is doubled."""
    missing = -len(audio) % size
    padded = np.concatenate([audio, np.repeat(audio[-1:], missing, axis=0)]) if missing else audio
    return padded.reshape(-1, size, audio.shape[1])


def ungrouped(groups: NDArray[Any], channels: int, size: int) -> NDArray[Any]:
    """Undoes `grouped`; a doubled channel was the mean of its two equal results."""
    return groups.reshape(-1, groups.shape[-1])[: math.ceil(channels / size) * size][:channels]
