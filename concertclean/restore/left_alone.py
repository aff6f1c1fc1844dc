"""Parts of a recording that are left alone, such as speech between songs or the applause at the end."""

import numpy as np

from concertclean.config.times import Stretch
from concertclean.dsp.arrays import Array

FADE_SECONDS = 0.3
"""What is removed fades out before such a part and in after it; the part itself stays as it is to the sample."""


def share_removed(stretches: tuple[Stretch, ...], first: int, n_samples: int, sample_rate: int) -> Array:
    """How much of what was found is removed, sample by sample.

    Args:
        stretches: parts to leave alone, s in the recording.
        first: sample of the recording with which the result begins.
        n_samples: length of the result.
        sample_rate: Hz.

    Returns:
        `(time,)` 0 in these parts, 1 further than `FADE_SECONDS` from them, half a cosine between.
    """
    share = np.ones(n_samples)
    for start, end in stretches:
        reach = FADE_SECONDS * sample_rate
        low, high = start * sample_rate, end * sample_rate
        begin = min(max(int(low - reach) - first, 0), n_samples)
        stop = min(max(int(high + reach) + 2 - first, 0), n_samples)
        samples = np.arange(first + begin, first + stop)
        distance = np.maximum(np.maximum(low - samples, samples - high), 0) / reach
        share[begin:stop] *= 0.5 - 0.5 * np.cos(np.pi * np.minimum(distance, 1))
    return share
