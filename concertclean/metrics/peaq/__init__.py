"""Perceived audio quality by ITU-R BS.1387 (PEAQ), basic version: a grade from 0 to -4 and its variables.

The idea: both recordings pass a model of the ear; eleven variables describe how the estimate differs from the reference
there, and a small network trained on listening tests turns them into a distortion index and a grade.

*Conventions*: arrays `(channel, time)`, full scale ±1, a full-scale sine being 92 dB SPL, order (reference, estimate),
higher is better. Levels are absolute and time is not adjusted: align the pair, but do not normalise it.

*How far to trust it*: no open implementation is conformant to BS.1387, which requires ±0.02 in the distortion index on
its own test items, and this one is not either. Where the standard leaves a choice, it follows GstPEAQ 0.6.1. Read the
distortion index (DI) beside the grade (ODG): below about 20 dB SNR the grade saturates near -3.9, and that is where
restoration works. Read the SNR too: inverted polarity and a delay of one sample go unnoticed. `remarks` reports two
traps that the network may take for quality. One is noise that hides the bandwidth of the music, for which the standard
has no rule and 0 is used, as in Kabal's program. The other is an inaudible estimate.

References:
    ITU-R BS.1387-1: Method for objective measurements of perceived audio quality, 2001, Annex 2.
    Kabal: An examination and interpretation of ITU-R BS.1387, McGill University, 2003.
    Holters, Zölzer: GstPEAQ - an open source implementation of the PEAQ algorithm, DAFx 2015.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

import numpy as np
from scipy.signal import resample_poly

from concertclean.dsp.arrays import Array
from concertclean.errors import MetricError
from concertclean.metrics.pair import Waveform, validate
from concertclean.metrics.peaq.bands import SAMPLE_RATE
from concertclean.metrics.peaq.channel import Channel, listen
from concertclean.metrics.peaq.gating import audible_frames, music_frames, settled
from concertclean.metrics.peaq.movs import model_output
from concertclean.metrics.peaq.network import distortion_index, objective_difference_grade

_LEAST_FRAMES = 4  # one window of WinModDiff1B
_KAISER_BETA = 5.0


@dataclass(frozen=True)
class Peaq:
    """A grade and its variables.

    Attributes:
        odg: objective difference grade, -3.98 ("very annoying") to 0.22 ("imperceptible").
        di: distortion index, about -4 to 6; still distinguishes where `odg` saturates.
        movs: the eleven model output variables by their names in the standard.
        remarks: about this pair, to read beside the numbers.
    """

    odg: float
    di: float
    movs: dict[str, float]
    remarks: tuple[str, ...]


def peaq(reference: Waveform, estimate: Waveform, sample_rate: int) -> Peaq:
    """Predicted grade by listeners for the estimate compared with the reference.

    Args:
        reference: `(channel, time)`, one or two channels, full scale ±1.
        estimate: likewise, aligned with `reference`.
        sample_rate: of both, Hz. Other than 48 kHz is resampled as MATLAB's `resample` does and rounded to 16 bit: the
            noise floor that a resampler leaves above 21.6 kHz affects the grade, so one rule is needed.

    Raises:
        ValueError: shapes differ or are not `(channel, time)`, samples are not finite, `sample_rate` is not positive.
        MetricError: more than two channels; a reference that is silent or too short.
    """
    validate(reference, estimate)
    if sample_rate < 1:
        raise ValueError(f"sample_rate is {sample_rate}, must be positive")
    if len(reference) > 2:
        raise MetricError(f"PEAQ is defined for one and two channels, not for {len(reference)}: mix them down first")
    reference, estimate = _at_48_khz(reference, sample_rate), _at_48_khz(estimate, sample_rate)
    music = _music(reference)
    channels = [listen(*pair) for pair in zip(reference, estimate, strict=True)]
    values = model_output(channels, music)
    index = distortion_index(values)
    remarks = [*_remarks_on_input(reference, estimate, sample_rate), *_remarks_on_measurement(channels, music)]
    return Peaq(odg=objective_difference_grade(index), di=index, movs=values, remarks=tuple(remarks))


def _at_48_khz(waveform: Waveform, sample_rate: int) -> Array:
    """The waveform at 48 kHz; one that had to be resampled is rounded to 16 bit."""
    if sample_rate == SAMPLE_RATE:
        return np.asarray(waveform, dtype=np.float64)
    divisor = gcd(SAMPLE_RATE, sample_rate)
    # resample_poly's filter reaches ten zero crossings to both sides, as MATLAB's does
    resampled: Array = resample_poly(
        np.asarray(waveform, dtype=np.float64),
        SAMPLE_RATE // divisor,
        sample_rate // divisor,
        axis=1,
        window=("kaiser", _KAISER_BETA),
    )
    rounded: Array = np.clip(np.round(resampled * 32768), -32768, 32767) / 32768
    return rounded


def _music(reference: Array) -> range:
    """The frames to average over."""
    music = music_frames(reference)
    if not music:
        raise MetricError("the reference is silent for PEAQ: choose a passage with music")
    if len(settled(music)) < _LEAST_FRAMES:
        raise MetricError(
            "the music of the reference ends within 0.6 seconds, too early for PEAQ: choose a longer excerpt"
        )
    return music


def _remarks_on_input(reference: Array, estimate: Array, sample_rate: int) -> Iterator[str]:
    if sample_rate != SAMPLE_RATE:
        yield f"resampled from {sample_rate} to {SAMPLE_RATE} Hz (polyphase, Kaiser) and rounded to 16 bit"
    if np.array_equal(reference, estimate):
        yield "reference and estimate are identical"


def _remarks_on_measurement(channels: list[Channel], music: range) -> Iterator[str]:
    if not audible_frames(music, np.any([channel.is_audible for channel in channels], axis=0)):
        yield "reference and estimate are never audible together: the grade means little"
    n_narrow = sum(not channel.reference_bandwidth[music.start : music.stop].any() for channel in channels)
    if n_narrow:
        yield (
            f"in {n_narrow} of {len(channels)} channels nothing of the reference above 8.1 kHz stands out of the "
            "estimate's noise: bandwidths count as 0 there, which can raise the grade"
        )
