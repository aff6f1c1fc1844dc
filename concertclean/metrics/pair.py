"""What two waveforms must have in common before any metric looks at them.

A metric takes `(channel, time)` arrays, full scale ±1, in the order (reference, estimate), and tells a wrong call
(`ValueError`) from music that it is not defined for (`MetricError`: too short, silent): the first is a mistake of the
program, the second a fact about the recordings that a table has to show.
"""

import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.floating]


def validate(reference: Waveform, estimate: Waveform) -> None:
    """Refuse what cannot be compared.

    Raises:
        ValueError: shapes differ, are not `(channel, time)` with samples, or hold numbers that are not finite.
    """
    if reference.shape != estimate.shape or reference.ndim != 2 or not reference.size:
        raise ValueError(f"shapes are {reference.shape} and {estimate.shape}, must be equal and (channel, time)")
    if not (np.isfinite(reference).all() and np.isfinite(estimate).all()):
        raise ValueError("reference or estimate holds samples that are not finite")
