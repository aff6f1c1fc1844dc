"""Bands of equal width to the ear, for classifiers."""

import numpy as np
from numpy.typing import NDArray


def mel_filters(n_fft: int, sample_rate: int, n_mels: int, lowest_hz: float, highest_hz: float) -> NDArray[np.float32]:
    """Triangular filters, evenly spaced in mel, `1125 · ln(1 + f / 700)`.

    A band narrower than the distance of two bins takes the bin nearest to its centre.

    Returns:
        `(freq, mel)` weights, 0 to 1.

    References:
        Sehgal and Kehtarnavaz 2018, section on features.
    """
    lowest, highest = 1125 * np.log1p(np.array([lowest_hz, highest_hz]) / 700)
    edges = 700 * np.expm1(np.linspace(lowest, highest, n_mels + 2) / 1125)
    hz = np.arange(n_fft // 2 + 1)[:, None] * (sample_rate / n_fft)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    filters = np.minimum((hz - left) / (centre - left), (right - hz) / (right - centre)).clip(min=0)
    nearest = np.abs(hz - centre).argmin(axis=0)
    empty = filters.sum(axis=0) == 0
    filters[nearest[empty], np.flatnonzero(empty)] = 1
    return np.asarray(filters, np.float32)
