"""The downmix of `dsp.local_downmix` on arrays, for what has to work without torch."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp import array_stft
from concertclean.dsp.array_stft import Spectra, Waveform
from concertclean.dsp.downmix import OPPOSITE

N_FFT: Final = 2048
HOP_LENGTH: Final = 512
SIZE: Final = (33, 17)
"""Bins and frames that are looked at together: 33 bins hold many partials, whose phases differ between the channels of
an ordinary recording, and in 17 frames of it unrelated noise has a correlation within ±0.3."""
STEP: Final = (8, 4)
"""Bins and frames from one look to the next."""

GRID_SAMPLES: Final = STEP[1] * HOP_LENGTH
"""Parts of a recording that start on multiples of it are mixed like the whole."""

REACH_SAMPLES: Final = (SIZE[1] + STEP[1]) // 2 * HOP_LENGTH + N_FFT
"""Samples on each side that a sample of the result depends on."""


def downmix_locally(waveform: Waveform) -> Waveform:
    """Mean of two channels; where and when they are of opposite polarity, the second is inverted.

    Args:
        waveform: `(2, time)`.

    Returns:
        `(1, time)`.
    """
    mean: Waveform = waveform.mean(axis=0, keepdims=True)
    window = array_stft.window("hann", N_FFT)
    left, right = array_stft.spectrogram(waveform, window, HOP_LENGTH)
    inverted = np.where(_are_opposite(left, right), right, 0)[None]
    if not inverted.any():
        return mean
    runs = array_stft.runs_of(inverted)
    mean -= array_stft.waveform(runs, window, HOP_LENGTH, (1, mean.shape[1]))
    return mean


def _are_opposite(left: Spectra, right: Spectra) -> NDArray[np.bool_]:
    """Whether two spectrograms `(frame, freq)` are of opposite polarity around each cell."""
    energies = _around(left, left) * _around(right, right)
    found = _around(left, right) < OPPOSITE * np.sqrt(energies)
    for axis, step in enumerate(reversed(STEP)):
        nearest = (np.arange(left.shape[axis]) + step // 2) // step
        found = np.take(found, nearest.clip(max=found.shape[axis] - 1), axis=axis)
    return found


def _around(left: Spectra, right: Spectra) -> NDArray[np.float64]:
    """Sum of products around every `STEP`th cell of `(frame, freq)`; that of a mean cancels in the comparison."""
    total: NDArray[np.float64] = (left.real * right.real + left.imag * right.imag).astype(np.float64)
    for axis, (size, step) in enumerate(zip(reversed(SIZE), reversed(STEP), strict=True)):
        n_cells = total.shape[axis]
        sums = np.insert(np.cumsum(total, axis=axis), 0, 0, axis=axis)
        centre = np.arange(0, n_cells, step)
        end, first = np.minimum(centre + size // 2 + 1, n_cells), np.maximum(centre - size // 2, 0)
        total = np.take(sums, end, axis=axis) - np.take(sums, first, axis=axis)
    return total
