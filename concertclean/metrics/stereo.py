"""Change of the stereo image: width, correlation of the channels, balance; estimate minus reference.

*Conventions*: arrays `(channel, time)` with channels left and right, order (reference, estimate). A value is a change,
not a score: 0 is best. Everything is measured over the whole recording, without a filter. Mono has no image
(`MetricError`), nor has silence. A pure mid, or one silent channel, is an end of the scale: no change if both are at
the same end, else ±inf. The result is never NaN.

References:
    Own, from the usual quantities: mid = (L + R)/2, side = (L - R)/2; the correlation meter's `LR / √(LL · RR)`.
"""

import numpy as np
from numpy.typing import NDArray

from concertclean.errors import MetricError
from concertclean.metrics.pair import Waveform, validate
from concertclean.metrics.sdr import energy, ratio_db


def mid_side_change(reference: Waveform, estimate: Waveform) -> float:
    """Change of the energy of mid over side, dB; positive is narrower.

    Args:
        reference: `(2, time)`.
        estimate: same shape.

    Raises:
        ValueError: see `pair.validate`.
        MetricError: not stereo, or the reference or the estimate is silent.
    """
    _demand_stereo(reference, estimate)
    truth, found = (
        ratio_db(energy(left + right), energy(left - right)) for left, right in _doubles(reference, estimate)
    )
    return _difference(truth, found)


def balance_change(reference: Waveform, estimate: Waveform) -> float:
    """Change of the energy of left over right, dB; positive moved to the left.

    Args:
        reference: `(2, time)`.
        estimate: same shape.

    Raises:
        ValueError: see `pair.validate`.
        MetricError: not stereo, or the reference or the estimate is silent.
    """
    _demand_stereo(reference, estimate)
    truth, found = (ratio_db(energy(left), energy(right)) for left, right in _doubles(reference, estimate))
    return _difference(truth, found)


def correlation_change(reference: Waveform, estimate: Waveform) -> float:
    """Change of the correlation of the channels, -2 to 2; positive is more alike.

    Args:
        reference: `(2, time)`.
        estimate: same shape.

    Raises:
        ValueError: see `pair.validate`.
        MetricError: not stereo, or a channel of the reference or the estimate is silent.
    """
    _demand_stereo(reference, estimate)
    if not (reference.any(axis=1).all() and estimate.any(axis=1).all()):
        raise MetricError("a channel is silent: its correlation with the other is not defined")
    truth, found = (_correlation(left, right) for left, right in _doubles(reference, estimate))
    return found - truth


def _correlation(left: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    # Divided by the peaks first: squares of very small numbers would vanish.
    left, right = left / np.abs(left).max(), right / np.abs(right).max()
    return float(left @ right / np.sqrt((left @ left) * (right @ right)))


def _difference(truth: float, found: float) -> float:
    return 0.0 if truth == found else found - truth


def _doubles(*waveforms: Waveform) -> list[NDArray[np.float64]]:
    return [waveform.astype(np.float64) for waveform in waveforms]


def _demand_stereo(reference: Waveform, estimate: Waveform) -> None:
    validate(reference, estimate)
    if len(reference) != 2:
        raise MetricError(f"a stereo image needs 2 channels, got {len(reference)}")
    if not (reference.any() and estimate.any()):
        raise MetricError("the reference or the estimate is silent: it has no stereo image")
