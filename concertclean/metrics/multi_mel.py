"""Multi-mel-SNR: a signal-to-noise ratio of mel spectra at three resolutions, the metric of the MSR challenge.

*Conventions*: arrays `(channel, time)`, order (reference, estimate), higher is better, dB. The phase does not matter,
nor does the level: the estimate is scaled to fit the reference first. Silence scores 0 dB.

Spectra are those of the challenge: power in triangular filters without normalisation, evenly spaced up to 24 kHz on the
mel axis of HTK, of centred Hann frames over a mirrored edge, at 48 kHz; other rates are resampled. The challenge
measures mono; here all channels count together, scaled by one factor.

References:
    Summary of the inaugural Music Source Restoration Challenge, arXiv 2601.04343.
"""

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from concertclean.dsp.arrays import Array
from concertclean.dsp.resample import resample
from concertclean.errors import MetricError
from concertclean.metrics.pair import Waveform, validate
from concertclean.metrics.sdr import energy, ratio_db

RATE = 48_000  # Hz
RESOLUTIONS = ((512, 80), (1024, 128), (2048, 192))  # samples of a frame, filters; the hop is half a frame
_TOGETHER = 2048  # frames


def multi_mel_snr(reference: Waveform, estimate: Waveform, sample_rate: int) -> float:
    """Energy of the mel spectra of the reference over that of their difference; mean over resolutions, dB.

    Args:
        reference: `(channel, time)`.
        estimate: same shape.
        sample_rate: Hz.

    Returns:
        inf for equal waveforms, also where they differ by a gain that is a power of two.

    Raises:
        ValueError: see `pair.validate`.
        MetricError: shorter than half a frame, or the reference is silent.
    """
    validate(reference, estimate)
    truth, found = (resample(waveform, sample_rate, RATE) for waveform in (reference, estimate))
    longest = max(n_fft for n_fft, _ in RESOLUTIONS)
    if truth.shape[1] <= longest // 2:
        raise MetricError(f"multi-mel-SNR needs more than {longest // 2} samples at {RATE} Hz, got {truth.shape[1]}")
    if not truth.any():
        raise MetricError("the reference is silent: multi-mel-SNR is not defined")
    power = energy(found)
    found = found * (float((truth * found).sum()) / power if power else 0.0)
    return float(np.mean([_at(truth, found, n_fft, n_mels) for n_fft, n_mels in RESOLUTIONS]))


def _at(truth: Array, found: Array, n_fft: int, n_mels: int) -> float:
    """The ratio at one resolution, dB."""
    signal, error = 0.0, 0.0
    for own, other in zip(truth, found, strict=True):
        mel = _mel_powers(own, n_fft, n_mels)
        signal += energy(mel)
        error += energy(mel - _mel_powers(other, n_fft, n_mels))
    return ratio_db(signal, error)


def _mel_powers(waveform: Array, n_fft: int, n_mels: int) -> Array:
    """`(frame, mel)` of `(time,)`."""
    window = np.hanning(n_fft + 1)[:-1]  # periodic
    mirrored = np.pad(waveform, n_fft // 2, mode="reflect")
    frames = sliding_window_view(mirrored, n_fft)[:: n_fft // 2]
    filters = _filters(n_fft, n_mels)
    runs = (frames[start : start + _TOGETHER] * window for start in range(0, len(frames), _TOGETHER))
    return np.concatenate([np.square(np.abs(np.fft.rfft(run))) @ filters for run in runs])


@lru_cache
def _filters(n_fft: int, n_mels: int) -> Array:
    """Triangles, `(freq, mel)`, each 1 at its centre and 0 at the centres beside it."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, n_mels + 2) / 2595) - 1)
    hz = np.linspace(0, RATE / 2, n_fft // 2 + 1)[:, None]
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (hz - left) / (centre - left), (right - hz) / (right - centre)
    return np.asarray(np.maximum(np.minimum(rising, falling), 0))
