"""Error harmonic structure: whether the error itself has a pitch.

The log spectrum of the error is correlated with itself shifted; a harmonic error gives a correlation that swings with
its spacing, which a Fourier transform then shows as a peak.

References:
    ITU-R BS.1387-1 (2001), Annex 2, section 4.8.
    Kabal 2003, section 5, whose order of subtracting the mean and windowing is closer to the standard's own values;
    from ear-weighted spectra, as in GstPEAQ.
"""

import numpy as np

from concertclean.dsp.arrays import Array

_LAGS = 256  # lines, 6 kHz
_WINDOW = np.sqrt(8 / 3) * 0.5 * (1 - np.cos(2 * np.pi * np.arange(_LAGS) / (_LAGS - 1))) / _LAGS


def harmonic_structure(reference_power: Array, estimate_power: Array) -> Array:
    """Strength of the strongest harmonic pattern in the error.

    Args:
        reference_power: ear-weighted energy `(frame, line)`.
        estimate_power: likewise.

    Returns:
        `(frame,)`, 0 or more; 0 if nothing differs, or if one of the two is silent and has no log spectrum.
    """
    return _peak(correlation(log_error(reference_power, estimate_power)))


def log_error(reference_power: Array, estimate_power: Array) -> Array:
    """Log ratio of estimate to reference on the lowest 512 lines, `(frame, 512)`; 0 everywhere if it is undefined."""
    reference, estimate = reference_power[:, : 2 * _LAGS], estimate_power[:, : 2 * _LAGS]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        error = np.log(estimate / reference)
    error[(reference == 0) & (estimate == 0)] = 0.0
    error[~np.isfinite(error).all(axis=1)] = 0.0
    return error


def correlation(error: Array) -> Array:
    """Normalised correlation of the first 256 lines with those 0 to 255 further up, `(frame, 512)` to `(frame, 256)`.

    Where there is nothing to correlate it is 1.
    """
    # Direct products: near identity the error spans many orders of magnitude, which a fast correlation would lose.
    shifted = np.lib.stride_tricks.sliding_window_view(error, _LAGS, axis=1)[:, :_LAGS]
    still = shifted[:, 0]
    product = np.matmul(shifted, still[:, :, None])[:, :, 0]
    norm = np.sqrt(np.square(still).sum(axis=1, keepdims=True)) * np.sqrt(np.einsum("flk,flk->fl", shifted, shifted))
    return np.asarray(np.divide(product, norm, out=np.ones_like(product), where=norm > 0))


def _peak(correlation: Array) -> Array:
    """Highest value in the power spectrum of the correlation that its left neighbour does not reach, `(frame,)`."""
    centred = correlation - correlation.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(centred * _WINDOW)) ** 2
    is_rising = power[:, 1:] > power[:, :-1]
    return np.asarray(np.where(is_rising, power[:, 1:], 0.0).max(axis=1))
