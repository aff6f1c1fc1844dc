"""Running means over frames, the only loops of PEAQ that must go frame by frame."""

import numpy as np

from concertclean.dsp.arrays import Array


def accumulated(values: Array, decay: Array) -> Array:
    """Running sum over frames, in which older ones decay by `decay` per frame.

    Args:
        values: `(frame, band)`.
        decay: `(band,)`, 0 to 1.

    Returns:
        `(frame, band)`; everything before the first frame counts as 0.
    """
    result = np.empty_like(values)
    state = np.zeros(values.shape[1:])
    for frame, value in enumerate(values):
        state = decay * state + value
        result[frame] = state
    return result


def smoothed(values: Array, decay: Array) -> Array:
    """Exponential running mean over frames that starts at 0; arguments and result as in `accumulated`."""
    return accumulated((1 - decay) * values, decay)
