"""The floor of steady noise in a recording, from its levels over the whole.

A few properties that only noise has prove that a recording contains some (`steady_proof`); then a small network
determines how much of it is in each bin, lines of a motor included (`floor_network`). The network alone finds more, but
now and then takes a held pad for noise; the properties alone miss every line. In a short recording a peak of the floor
may be a note held throughout, so it may hardly rise above its surroundings. What cannot be heard, such as the dither of
16 bits, is left alone.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import percentile_filter

from concertclean.classical.floor_network import (
    BAND_QUANTILES,
    LOW,
    QUANTILES,
    features,
    floor_network,
    noise_density,
)
from concertclean.classical.steady_proof import proof_of_noise
from concertclean.classical.survey import WHITE_DB, Levels
from concertclean.dsp.arrays import Array

_FEWEST_FRAMES = 40  # 4 s
_LOWEST_RATE = 4000  # Hz; below, there are too few bins
_VALLEYS, _AROUND = 10, 1001  # percentile, and bins: the level between partials
_BASE, _NEAR = 35, 61  # the same of the floor near a bin
_HIGHEST_PEAK_DB = (4.0, 24.0)  # above that floor, in a short recording and in a long one
_SHORT, _LONG = 60, 330  # frames: 6 s and 30 s
_INAUDIBLE_DB = (-96.0, -90.0)  # of full scale: the dither of 16 bits, and the least that matters


def steady_floor(levels: Levels) -> Array:
    """Power density of the steady noise.

    Args:
        levels: of a channel over the whole recording, from `survey`.

    Returns:
        `(freq,)` in the long frames' bins, as in `survey`; 0 where the levels are those of music, and in every bin if
        no steady noise is proven.
    """
    n_frames = levels.bins.n_counted
    too_little = n_frames < _FEWEST_FRAMES or levels.sample_rate < _LOWEST_RATE
    proof = 0.0 if too_little else proof_of_noise(levels)
    if proof == 0:
        return np.zeros(levels.n_fft // 2 + 1)
    quantiles_db = levels.bins.quantiles(QUANTILES).astype(np.float32)
    bands_db = levels.bands.quantiles(BAND_QUANTILES).astype(np.float32)
    answer = floor_network()(features(quantiles_db, bands_db, n_frames, levels.sample_rate))
    least, audible = _INAUDIBLE_DB
    valleys = percentile_filter(quantiles_db[QUANTILES.index(0.2)], _VALLEYS, _AROUND)
    heard = np.clip((valleys - least) / (audible - least), 0, 1)
    return np.asarray(proof * heard * np.minimum(noise_density(quantiles_db, answer), _most(quantiles_db, n_frames)))


def _most(quantiles_db: NDArray[np.float32], n_frames: int) -> Array:
    """`(freq,)` power density that the floor may reach, from `(10, freq)` levels of so many frames."""
    peak_db = np.interp(n_frames, (_SHORT, _LONG), _HIGHEST_PEAK_DB)
    near = percentile_filter(quantiles_db[LOW].astype(np.float64), _BASE, _NEAR, mode="nearest")
    return np.asarray(10 ** ((near - WHITE_DB + peak_db) / 10))
