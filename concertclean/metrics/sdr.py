"""Signal-to-noise and scale-invariant signal-to-distortion ratio.

*Conventions*: arrays `(channel, time)`, order (reference, estimate), higher is better, dB. A perfect estimate gives
inf, a silent reference or estimate -inf; NaN never comes out. Channels are measured apart and averaged for SI-SDR,
as museval and torchmetrics do, and together for SNR.

References:
    Le Roux, Wisdom, Erdogan, Hershey: SDR - half-baked or well done? ICASSP 2019, equations 1 to 3.
"""

import numpy as np

from concertclean.metrics.pair import Waveform, validate


def snr(reference: Waveform, estimate: Waveform) -> float:
    """Power of the reference over the power of the error, over all channels, dB."""
    validate(reference, estimate)
    return _ratio_db(_energy(reference), _energy(reference.astype(np.float64) - estimate))


def si_sdr(reference: Waveform, estimate: Waveform) -> float:
    """Power of the estimate along the reference over the power of its rest, means removed; mean over channels, dB."""
    validate(reference, estimate)
    values = []
    for truth, found in zip(reference.astype(np.float64), estimate.astype(np.float64), strict=True):
        centred, candidate = truth - truth.mean(), found - found.mean()
        energy = _energy(centred)
        target = centred * (float(centred @ candidate) / energy if energy else 0.0)
        values.append(_ratio_db(_energy(target), _energy(candidate - target)))
    if -np.inf in values:  # beside inf the mean would be NaN
        return float("-inf")
    return float(np.mean(values))


def _energy(waveform: Waveform) -> float:
    return float(np.square(waveform, dtype=np.float64).sum())


def _ratio_db(signal: float, error: float) -> float:
    if signal <= 0:
        return float("-inf")
    return float("inf") if error <= 0 else float(10 * np.log10(signal / error))
