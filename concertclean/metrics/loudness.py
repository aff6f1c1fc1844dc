"""Change of loudness: integrated loudness, loudness range and true peak, estimate minus reference.

*Conventions*: arrays `(channel, time)`, full scale ±1, order (reference, estimate). A value is a change, not a score:
0 is best, positive is louder, wider, higher. Every channel has weight 1. If the reference has no value (loudness of
silence, range of less than 3 s), the change is not defined; for a silent estimate it is -inf.

References:
    ITU-R BS.1770-4 (loudness, true peak); EBU Tech 3341; EBU Tech 3342 (loudness range).
"""

import math

import numpy as np

from concertclean.dsp.levels import LoudnessMeter
from concertclean.dsp.true_peak import TruePeakMeter
from concertclean.errors import MetricError
from concertclean.metrics.pair import Waveform, validate

_BLOCK = 1 << 19  # samples measured at once, 12 s at 44.1 kHz


def loudness_change(reference: Waveform, estimate: Waveform, sample_rate: int) -> float:
    """Change of the integrated loudness, LU; -inf if the estimate has none.

    Args:
        reference: `(channel, time)`.
        estimate: same shape.
        sample_rate: Hz.

    Raises:
        ValueError: see `pair.validate`, or `sample_rate` is not positive.
        MetricError: the reference is shorter than 400 ms or nowhere above -70 LUFS.
    """
    _validate(reference, estimate, sample_rate)
    before = _metered(reference, sample_rate).integrated()
    if math.isinf(before):
        raise MetricError("the reference is shorter than 400 ms or below -70 LUFS: its loudness is not defined")
    return _metered(estimate, sample_rate).integrated() - before


def loudness_range_change(reference: Waveform, estimate: Waveform, sample_rate: int) -> float:
    """Change of the loudness range (LRA), LU.

    Args:
        reference: `(channel, time)`.
        estimate: same shape.
        sample_rate: Hz.

    Raises:
        ValueError: see `pair.validate`, or `sample_rate` is not positive.
        MetricError: shorter than 3 s, or one of the two is nowhere above -70 LUFS.
    """
    _validate(reference, estimate, sample_rate)
    if reference.shape[1] < 3 * sample_rate:
        raise MetricError("shorter than 3 s: the loudness range is not defined")
    meters = [_metered(waveform, sample_rate) for waveform in (reference, estimate)]
    if any(math.isinf(meter.integrated()) for meter in meters):
        raise MetricError("the reference or the estimate is below -70 LUFS: its loudness range is not defined")
    return meters[1].loudness_range() - meters[0].loudness_range()


def true_peak_change(reference: Waveform, estimate: Waveform) -> float:
    """Change of the true peak over all channels, dB; -inf where the estimate is silent.

    Args:
        reference: `(channel, time)`.
        estimate: same shape.

    Raises:
        ValueError: see `pair.validate`.
        MetricError: the reference is silent.
    """
    validate(reference, estimate)
    before, after = (_true_peak_db(waveform) for waveform in (reference, estimate))
    if math.isinf(before):
        raise MetricError("the reference is silent: it has no peak")
    return after - before


def _validate(reference: Waveform, estimate: Waveform, sample_rate: int) -> None:
    validate(reference, estimate)
    if sample_rate <= 0:
        raise ValueError(f"sample_rate is {sample_rate}, must be positive")


def _metered(waveform: Waveform, sample_rate: int) -> LoudnessMeter:
    meter = LoudnessMeter(sample_rate, len(waveform))
    for start in range(0, waveform.shape[1], _BLOCK):
        meter.add(waveform[:, start : start + _BLOCK].astype(np.float64))
    return meter


def _true_peak_db(waveform: Waveform) -> float:
    meter = TruePeakMeter(len(waveform))
    meter.add(waveform)
    return meter.peak_db
