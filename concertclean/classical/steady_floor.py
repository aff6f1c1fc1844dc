"""The floor of steady noise in a recording, from its levels over the whole.

Two judges: a few properties that only noise has prove that a recording contains some (`steady_proof`); then a small
network determines how much of it is in each bin, lines of a motor included (`floor_network`). The network alone finds
more, but takes a held pad without chords for noise now and then; the properties alone miss every line. What cannot be
heard, such as the dither of 16 bits, is left alone.
"""

import numpy as np
from scipy.ndimage import percentile_filter

from concertclean.classical.floor_network import BAND_QUANTILES, QUANTILES, features, floor_network, noise_density
from concertclean.classical.steady_proof import proof_of_noise
from concertclean.classical.survey import Levels
from concertclean.dsp.arrays import Array

_FEWEST_FRAMES = 40  # 4 s
_LOWEST_RATE = 4000  # Hz; below, there are too few bins
_VALLEYS, _AROUND = 10, 1001  # percentile, and bins: the level between partials
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
    return np.asarray(proof * heard * noise_density(quantiles_db, answer))
