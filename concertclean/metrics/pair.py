"""What two waveforms must have in common for any metric.

A metric takes `(channel, time)` arrays, full scale ±1, in the order (reference, estimate), and distinguishes a wrong
call (`ValueError`) from music for which it is not defined (`MetricError`: too short, silent). The first is a bug in the
program, the second a fact about the recordings that a table must show.
"""

import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.floating]


def validate(reference: Waveform, estimate: Waveform) -> None:
    """Check that two waveforms can be compared.

    Raises:
        ValueError: shapes differ, are not `(channel, time)` with samples, or there is NaN or infinity.
    """
    if reference.shape != estimate.shape or reference.ndim != 2 or not reference.size:
        raise ValueError(f"shapes are {reference.shape} and {estimate.shape}, must be equal and (channel, time)")
    if not (np.isfinite(reference).all() and np.isfinite(estimate).all()):
        raise ValueError("reference or estimate contains NaN or infinity")
