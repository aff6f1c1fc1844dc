"""Selects the frames that count: neither the silence around the music, nor the settling time of the ear model.

References:
    ITU-R BS.1387-1 (2001), Annex 2, section 5.2.4. Its thresholds are in steps of 16 bit, here relative to full scale.
"""

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.arrays import Array
from concertclean.metrics.pair import Waveform
from concertclean.metrics.peaq.bands import FRAME, HOP
from concertclean.metrics.peaq.ear import count_frames

_SETTLED = 24  # frames, 0.5 s
_LOUD_DELAY = 3  # frames, 64 ms
_RUN = 5  # samples
_LEAST_SUM = 200 / 32768
_LEAST_ENERGY = 8000 / 32768**2


def music_frames(reference: Waveform) -> range:
    """Frames from the first to the last with music in the reference; all those in between count.

    A frame contains music if the magnitudes of five consecutive samples add up to 200 steps of 16 bit in any channel.

    Args:
        reference: `(channel, time)`, full scale ±1.

    Returns:
        Frame numbers; none for a silent reference.
    """
    if reference.shape[1] < _RUN:
        return range(0)
    bounds = [found for channel in reference if (found := _loud_run(np.abs(channel))) is not None]
    if not bounds:
        return range(0)
    # A run counts for all frames that contain all of it.
    first = max(0, -(-(min(start for start, _ in bounds) + _RUN - FRAME) // HOP))
    last = min(max(end for _, end in bounds) // HOP, count_frames(reference.shape[1]) - 1)
    return range(first, last + 1)


def _loud_run(magnitude: Waveform) -> tuple[int, int] | None:
    """First and last sample at which a run of loud samples starts."""
    n_runs = len(magnitude) - _RUN + 1
    total = np.zeros(n_runs)
    for start in range(_RUN):
        total += magnitude[start : start + n_runs]
    is_loud = total >= _LEAST_SUM
    if not is_loud.any():
        return None
    return int(is_loud.argmax()), n_runs - 1 - int(is_loud[::-1].argmax())


def settled(music: range) -> range:
    """The frames of `music` from half a second after the start of the recording, for measures of envelopes."""
    return range(max(music.start, _SETTLED), music.stop)


def audible_frames(music: range, is_audible: NDArray[np.bool_]) -> range:
    """The settled frames from 64 ms after both sides of the pair have become audible on.

    Args:
        music: frames of the music.
        is_audible: whether both are audible in any one channel, `(frame,)`.
    """
    first = int(np.argmax(is_audible)) + _LOUD_DELAY if is_audible.any() else music.stop
    return range(max(settled(music).start, first), music.stop)


def is_energetic(frames: Array) -> NDArray[np.bool_]:
    """Whether the newer half of a frame is loud enough to judge its error; `(frame, 2048)` to `(frame,)`."""
    newest = frames[:, HOP:]
    return np.asarray(np.einsum("ft,ft->f", newest, newest) >= _LEAST_ENERGY)
