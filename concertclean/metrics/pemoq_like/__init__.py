"""Perceived similarity in the manner of PEMO-Q: both recordings pass a model of the ear, and its outputs are compared.

The idea: 33 bands of the inner ear, adaptation and eight modulation filters make an "internal representation" of each
recording; the correlation of the two, for all of the time (PSM) and in the worst moments (PSMt), measures how similar
they sound, and a published curve turns PSMt into a grade.

*This resembles PEMO-Q but is not PEMO-Q*, which is software of Oldenburg University. It is written from the equations
of the papers and from descriptions of them. Where these are not exact, the choice is our own: the level alignment, the
first centre frequency, the limit of onsets, modulation filters of unit gain, the mean magnitude as "activity", no
interpolation of the percentile. So do not compare its numbers with published ones; compare systems with each other, on
one set of recordings, and read it beside PEAQ's distortion index. Below about 10 dB of signal to noise the grade lies
near -3.8, as does that of heavily clipped music; PSM and PSMt still distinguish systems there.

*Checked*: every stage against its equation, and all of them against the same equations in plain loops at the full
rate. Eight pieces of music, clipped to a signal-to-distortion ratio of 1, 5, 10 and 20 dB, have mean grades of -3.8,
-3.8, -3.6 and -2.9 here; ten other pieces, from the SQAM disc, had -3.8, -3.8, -3.7 and -3.1 of PEMO-Q itself in a
survey of declipping, and spread likewise. *Not checked*: those ten pieces themselves, and listeners.

*Conventions*: arrays `(channel, time)`, order (reference, estimate), higher is better. Amplitude 1 means 100 dB SPL.
The estimate is first scaled to the power of the reference, channel by channel: its gain does not matter, that of both
together does. Channels are evaluated separately and their values averaged, so with several channels `odg` is not the
grade of `psmt`.

*Traps*: time is not adjusted, and 10 ms of delay can cost the whole scale: align the pair. So can inverted polarity,
which PEAQ does not notice; the model's hair cells respond to one side of the wave. Missing sound counts less than added
sound, and an almost inaudible estimate, such as a tone above the highest band, scores well.

References:
    Huber, Kollmeier: PEMO-Q - a new method for objective audio quality assessment using a model of auditory perception,
    IEEE TASLP 14(6), 2006.
    Dau, Kollmeier, Kohlrausch: Modeling auditory processing of amplitude modulation I, JASA 1997.
    Záviška, Rajmic, Ozerov, Rencker: A survey and an extensive evaluation of popular audio declipping methods, IEEE
    JSTSP 2021, with the tables on its web page (grades of clipped music).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.arrays import Array
from concertclean.dsp.resample import resample
from concertclean.errors import MetricError
from concertclean.metrics.pair import Waveform, validate
from concertclean.metrics.pemoq_like.adaptation import Adaptation
from concertclean.metrics.pemoq_like.cochlea import DECIMATION, FRAME, SAMPLE_RATE, Cochlea, centre_frequencies
from concertclean.metrics.pemoq_like.modulation import ModulationBank
from concertclean.metrics.pemoq_like.similarity import assimilated, frame_sums, grade, psm_and_psmt

_LEAST_SECONDS = 0.5  # shorter is all onset
_BLOCK = 50 * FRAME * DECIMATION  # samples, 0.5 s
_SILENT = 1e-12  # rms; -240 dB is rounding, not sound
_AUDIBLE_MU = 1e-3  # far above rounding, far below any sound
_TOLD_DB = 3.0  # change of level worth a remark


@dataclass(frozen=True)
class PemoqLike:
    """Similarity to the reference.

    Attributes:
        psm: correlation of the internal representations, -1 to 1.
        psmt: the same in the worst 5 % of the time, -1 to 1.
        odg: grade for `psmt`, -4 ("very annoying") to 0 ("imperceptible").
        remarks: about this pair, to read beside the numbers.
    """

    psm: float
    psmt: float
    odg: float
    remarks: tuple[str, ...]


def pemoq_like(reference: Waveform, estimate: Waveform, sample_rate: int) -> PemoqLike:
    """Similarity of the estimate to the reference in a model of the ear; mean over channels.

    A silent channel of the estimate has a similarity of 0 by definition; one of the reference is left out.

    Args:
        reference: `(channel, time)`, full scale ±1.
        estimate: same shape, aligned with `reference`.
        sample_rate: of both, Hz. Other than 44.1 kHz is resampled.

    Raises:
        ValueError: shapes differ or are not `(channel, time)`, samples are not finite, `sample_rate` is not positive.
        MetricError: shorter than half a second, or the reference is inaudible.
    """
    validate(reference, estimate)
    if sample_rate < 1:
        raise ValueError(f"sample_rate is {sample_rate}, must be positive")
    if reference.shape[1] < _LEAST_SECONDS * sample_rate:
        seconds = reference.shape[1] / sample_rate
        raise MetricError(f"pemoq_like needs {_LEAST_SECONDS} seconds, got {seconds:.2f}: choose a longer excerpt")
    truth, found = _at_44_khz(reference, sample_rate), _at_44_khz(estimate, sample_rate)
    gains = _gains(truth, found)
    sums, (hears_truth, hears_found) = _listen(truth, found * gains[:, None])
    if not hears_truth.any():
        raise MetricError("the reference is inaudible for pemoq_like: choose a passage with music")
    values = [_values(sums[:, channel], hears_found[channel]) for channel in np.flatnonzero(hears_truth)]
    psm, psmt, odg = np.mean(values, axis=0).tolist()
    remarks = [*_remarks_on_hearing(hears_truth, hears_found), *_remarks_on_input(truth, found, sample_rate, gains)]
    return PemoqLike(psm=psm, psmt=psmt, odg=odg, remarks=tuple(remarks))


def _at_44_khz(waveform: Waveform, sample_rate: int) -> Array:
    if sample_rate == SAMPLE_RATE:
        return np.asarray(waveform, dtype=np.float64)
    return resample(waveform, sample_rate, SAMPLE_RATE)


def _gains(reference: Array, estimate: Array) -> Array:
    """`(channel,)`: factor that scales the estimate to the power of the reference; 0 for a silent one."""
    target, level = _rms(reference), _rms(estimate)
    return np.divide(target, level, out=np.zeros_like(target), where=level > _SILENT)


def _rms(waveform: Array) -> Array:
    return np.asarray(np.sqrt(np.square(waveform).mean(axis=1)))


def _listen(reference: Array, estimate: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Sums for correlations `(sum, channel, modulation, frame)`, and which channels are audible `(2, channel)`.

    Memory does not grow with the internal representation; what is shorter than 10 ms at the end is dropped.
    """
    signals = np.concatenate([reference, estimate])
    n_samples = signals.shape[1] // (FRAME * DECIMATION) * FRAME * DECIMATION
    shape = (len(signals), len(centre_frequencies()))
    cochlea, adaptation, bank = Cochlea(len(signals)), Adaptation(shape), ModulationBank(shape)
    sums, is_heard = [], np.zeros(len(signals), dtype=bool)
    for start in range(0, n_samples, _BLOCK):
        adapted = adaptation.adapted(cochlea.envelopes(signals[:, start : min(start + _BLOCK, n_samples)]))
        is_heard |= (adapted > _AUDIBLE_MU).any(axis=(0, 2))
        truth, found = np.split(bank.filtered(adapted), 2, axis=1)
        sums.append(frame_sums(truth, assimilated(truth, found)))
    return np.concatenate(sums, axis=-1), is_heard.reshape(2, -1)


def _values(sums: Array, is_heard: np.bool_) -> tuple[float, float, float]:
    """PSM, PSMt and grade of one channel; 0 and its grade if the estimate is inaudible."""
    # Assimilation would make half the reference of silence, and find it perfect
    psm, psmt = psm_and_psmt(sums, len(centre_frequencies())) if is_heard else (0.0, 0.0)
    return psm, psmt, grade(psmt)


def _remarks_on_hearing(hears_truth: NDArray[np.bool_], hears_found: NDArray[np.bool_]) -> Iterator[str]:
    n_channels = len(hears_truth)
    if n_lost := int((~hears_truth).sum()):
        yield f"in {n_lost} of {n_channels} channels the reference is inaudible: left out"
    if n_lost := int((hears_truth & ~hears_found).sum()):
        yield f"in {n_lost} of {n_channels} channels the estimate is inaudible: similarity 0 by definition"


def _remarks_on_input(reference: Array, estimate: Array, sample_rate: int, gains: Array) -> Iterator[str]:
    if sample_rate != SAMPLE_RATE:
        yield f"resampled from {sample_rate} to {SAMPLE_RATE} Hz"
    if np.array_equal(reference, estimate):
        yield "reference and estimate are identical"
    changes_db = 20 * np.log10(gains[gains > 0])
    if largest := max(changes_db[np.abs(changes_db) >= _TOLD_DB], key=abs, default=0.0):
        yield f"the estimate was scaled to the level of the reference, by {largest:+.1f} dB"
