"""Energies of octave bands, second by second, of a stream of blocks."""

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

BANDS_HZ: Final = ((125, 250), (250, 500), (500, 1000), (1000, 2000), (2000, 4000))
"""Octaves in which melodies and voices lie."""


class BandMeter:
    """Energy of each second in the octaves of `BANDS_HZ`, and of all of it.

    Args:
        sample_rate: Hz.
    """

    def __init__(self, sample_rate: int) -> None:
        self._step = sample_rate
        frequency = np.fft.rfftfreq(self._step, 1 / sample_rate)
        self._edges = [np.searchsorted(frequency, edges) for edges in BANDS_HZ]
        self._found = array("d")
        self._waiting: list[NDArray[np.float64]] = []
        self._n_waiting = 0

    def add(self, block: NDArray[np.float64]) -> None:
        """Takes the next `(channel, time)` block."""
        self._waiting.append(block)
        self._n_waiting += block.shape[1]
        if self._n_waiting < self._step:
            return
        whole = np.concatenate(self._waiting, axis=1)
        n_steps = whole.shape[1] // self._step
        for number in range(n_steps):
            self._found.extend(self._energies(whole[:, number * self._step : (number + 1) * self._step]))
        rest = whole[:, n_steps * self._step :].copy()
        self._waiting, self._n_waiting = [rest], rest.shape[1]

    def values(self) -> NDArray[np.float64]:
        """Energies `(second, band)`, the last column of all frequencies; the last second may be shorter."""
        rest = np.concatenate(self._waiting, axis=1) if self._waiting else np.zeros((1, 0))
        last = self._energies(rest) if rest.shape[1] else np.zeros(0)
        return np.concatenate([self._found, last]).reshape(-1, len(BANDS_HZ) + 1)

    def _energies(self, second: NDArray[np.float64]) -> NDArray[np.float64]:
        power = np.abs(np.fft.rfft(second, self._step, axis=1)) ** 2 / self._step * 2
        bands = [power[:, first:last].sum() for first, last in self._edges]
        return np.array([*bands, np.square(second).sum()])
