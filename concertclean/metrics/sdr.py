"""Signal-to-noise and scale-invariant signal-to-distortion ratio, whole and segmental.

*Conventions*: arrays `(channel, time)`, order (reference, estimate), higher is better, dB. A perfect estimate gives
inf, a silent reference or estimate -inf; the segmental SNR is limited to 35 and is not defined for a silent reference.
The result is never NaN. Channels are measured separately and averaged for SI-SDR and the segmental SNR, as museval and
torchmetrics do, and together for SNR.

References:
    Le Roux, Wisdom, Erdogan, Hershey: SDR - half-baked or well done? ICASSP 2019, equations 1 to 3.
    Hu, Loizou: Evaluation of objective quality measures for speech enhancement, IEEE TASLP 2008, section III (the
    segmental SNR and its range).
"""

from collections.abc import Sequence

import numpy as np

from concertclean.dsp.arrays import Array
from concertclean.errors import MetricError
from concertclean.metrics.pair import Waveform, validate

_FRAME = 1024  # samples, 23 ms at 44.1 kHz
_RANGE_DB = (-10.0, 35.0)  # below it no music is left, above it the error is inaudible
_ROUNDING = 1e-25  # of the energy: errors at -250 dB are those of sums over minutes, which differ by processor


def snr(reference: Waveform, estimate: Waveform) -> float:
    """Power of the reference over the power of the error, over all channels, dB."""
    validate(reference, estimate)
    return ratio_db(energy(reference), energy(reference.astype(np.float64) - estimate))


def segmental_snr(reference: Waveform, estimate: Waveform) -> float:
    """SNR of every 1024 samples, limited to -10 to 35 dB; mean over frames, then over channels.

    Frames do not overlap; what is left at the end and frames whose reference is silent do not count, nor does a
    channel without other frames.

    Args:
        reference: `(channel, time)`.
        estimate: same shape.

    Returns:
        -10 to 35 dB.

    Raises:
        ValueError: see `pair.validate`.
        MetricError: shorter than a frame, or every frame of the reference is silent.
    """
    validate(reference, estimate)
    n_frames = reference.shape[1] // _FRAME
    if not n_frames:
        raise MetricError(f"the segmental SNR needs {_FRAME} samples, got {reference.shape[1]}")
    means = []
    for signal, noise in zip(*window_energies(reference, estimate, _FRAME), strict=True):
        values = [ratio_db(s, n) for s, n in zip(signal, noise, strict=True) if s > 0]
        if values:
            means.append(np.clip(values, *_RANGE_DB).mean())
    if not means:
        raise MetricError("the reference is silent: the segmental SNR is not defined")
    return float(np.mean(means))


def si_sdr(reference: Waveform, estimate: Waveform) -> float:
    """Power of the estimate along the reference over the power of the rest, means removed; mean over channels, dB."""
    validate(reference, estimate)
    values = []
    for truth, found in zip(reference.astype(np.float64), estimate.astype(np.float64), strict=True):
        centred, candidate = truth - truth.mean(), found - found.mean()
        power = energy(centred)
        target = centred * (float(centred @ candidate) / power if power else 0.0)
        rest = energy(candidate - target)
        # The projection of an identical estimate leaves only rounding errors.
        values.append(ratio_db(energy(target), rest if rest > _ROUNDING * energy(target) else 0.0))
    return mean_db(values)


def window_energies(reference: Waveform, estimate: Waveform, window: int) -> tuple[Array, Array]:
    """Energy of the reference and of the error in windows that do not overlap.

    Args:
        reference: `(..., time)`.
        estimate: same shape.
        window: samples; a last window that is not full is dropped.

    Returns:
        Both `(..., window)`.
    """
    n_windows = reference.shape[-1] // window
    framed = (*reference.shape[:-1], n_windows, window)
    truth = reference[..., : n_windows * window].reshape(framed).astype(np.float64)
    error = truth - estimate[..., : n_windows * window].reshape(framed)
    return np.square(truth).sum(axis=-1), np.square(error).sum(axis=-1)


def energy(waveform: Waveform) -> float:
    """Sum of the squares of all samples."""
    return float(np.square(waveform, dtype=np.float64).sum())


def ratio_db(signal: float, error: float) -> float:
    """Ratio of two energies in dB; inf without error, -inf without signal, also where neither is."""
    if signal <= 0:
        return float("-inf")
    return float("inf") if error <= 0 else float(10 * (np.log10(signal) - np.log10(error)))


def mean_db(values: Sequence[float]) -> float:
    """Mean of values in dB; one -inf outweighs every inf, where the sum would be NaN."""
    return float("-inf") if -np.inf in values else float(np.mean(values))
