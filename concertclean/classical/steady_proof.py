"""Whether a recording has steady noise at all, by its levels over the whole.

Over a whole recording, steady noise has three properties that music lacks. Its low levels lie as close together as
chance allows: the 20 % quantile of a bin is 2.5 dB above the 5 % quantile. Changing notes spread wider, held notes
less. Its floor is smooth over frequency, where music has partials and valleys between them. And it does not stop: the
quietest 46 ms of every band still contain it, where rhythmic music leaves gaps. Deviations from these properties add up
to a doubt, band by band; noise is proven where bands without doubt lie side by side.
"""

from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.special import gammaincinv

from concertclean.classical.survey import APART, LOW_SHARE, LOWEST_HZ, WHITE_DB, Levels, band_centres_hz, band_means
from concertclean.dsp.arrays import Array

# Quantiles of the mean power of five frames a quarter apart, in white noise of power 1 (400 s of it)
_LOWER, _UPPER = 0.05, 0.2
_SPREAD_DB = 2.47  # of white noise, from the lower to the upper
_ROUGHNESS = 9.8  # dB times the root of the frames: median difference of the 8 % quantiles of two bins of white noise
_SHORTEST = 0.02  # quantile of the short frames' levels

_MANY_FRAMES = 330  # 30 s: from here on the properties are clear; with less, doubt counts more
_AN_OCTAVE = 12  # points of the grid over frequency
_FEWEST_BINS = 17
_AGREEING_HZ = (60.0, 9000.0)  # where the agreement of bands is tested
_NO_DOUBT = (1.5, 3.0)
_PROVEN = (0.7, 0.9)  # agreement of about two octaves: chance, and proof


def proof_of_noise(levels: Levels) -> float:
    """How far it is proven that a channel has steady noise.

    Args:
        levels: over the whole recording, from `survey`: 40 frames and more, at 4 kHz and more.

    Returns:
        0, not at all, to 1, proven in some two octaves.
    """
    hz = _grid_hz(levels.sample_rate)
    without = _falling(_doubt(levels, hz), *_NO_DOUBT)
    counts = (hz >= _AGREEING_HZ[0]) & (hz <= min(_AGREEING_HZ[1], 0.45 * levels.sample_rate))
    smooth = partial(gaussian_filter1d, sigma=_AN_OCTAVE, mode="nearest")
    agreement = smooth(np.where(counts, without, 0.0)) / np.maximum(smooth(counts.astype(np.float64)), 0.2)
    return float(1 - _falling(agreement.max(), *_PROVEN))


def _grid_hz(sample_rate: int) -> Array:
    """`(point,)` a twelfth of an octave apart."""
    n_octaves = np.log2(sample_rate / 2 / LOWEST_HZ)
    return np.asarray(LOWEST_HZ * 2.0 ** (np.arange(int(n_octaves * _AN_OCTAVE) + 1) / _AN_OCTAVE))


def _doubt(levels: Levels, hz: Array) -> Array:
    """`(point,)` how far the levels deviate from those of steady noise; weights tuned on music with and without."""
    n_frames = levels.bins.n_counted
    low, lower, upper = levels.bins.quantiles((LOW_SHARE, _LOWER, _UPPER))
    pooled = partial(_pooled, centres=hz * levels.n_fft / levels.sample_rate)
    spread = pooled(upper - lower - _SPREAD_DB, share=0.35) + 30 / n_frames  # few frames spread less
    differences = np.pad(np.abs(low[APART:] - low[:-APART]), (2, 3), mode="edge")
    # The lower quartile, 0.472 of the median in noise: of bins that few partials touch.
    roughness = pooled(differences, share=0.25) * np.sqrt(n_frames) / (0.472 * _ROUGHNESS)
    gaps = np.interp(hz, band_centres_hz(len(levels.edges)), _gaps(levels, low))
    doubt = 1.3 * np.maximum(spread, 0) + 1.5 * np.maximum(-spread - 0.3, 0)
    doubt += 0.5 * np.maximum(roughness - 1.1, 0) + 0.2 * np.maximum(gaps - 5, 0)
    return np.asarray(doubt * np.clip(np.sqrt(_MANY_FRAMES / n_frames), 1, 2))


def _pooled(values: Array, *, centres: Array, share: float) -> Array:
    """`(point,)` quantile of the `(freq,)` values in an octave around each centre, of 17 bins or more."""
    half = _FEWEST_BINS // 2
    first = np.minimum(centres * 2**-0.5, centres - half).astype(np.intp)
    after = np.maximum(centres * 2**0.5, centres + half).astype(np.intp) + 1
    after = np.clip(after, 2 + _FEWEST_BINS, len(values))
    first = np.clip(first, 2, after - _FEWEST_BINS)  # the lowest two bins hold the mean
    return np.array([np.quantile(values[a:b], share) for a, b in zip(first, after, strict=True)])


def _gaps(levels: Levels, low: Array) -> Array:
    """`(band,)` how far, dB, the quietest short frames lie below the low level of the long ones, beyond chance."""
    # The power of n bins under a Hann window has this shape as a gamma variable: neighbours share 4/9, next ones 1/36.
    n_bins = levels.edges[:, 1] - levels.edges[:, 0]
    shape = n_bins**2 / (n_bins + 2 * (n_bins - 1) * 4 / 9 + 2 * (n_bins - 2) / 36)
    quietest = levels.bands.quantiles([_SHORTEST])[0] - 10 * np.log10(gammaincinv(shape, _SHORTEST) / shape)
    return np.asarray(band_means(low, levels.sample_rate) - WHITE_DB - quietest)


def _falling(values: Array | float, full: float, none: float) -> Array:
    """1 up to `full`, 0 from `none` on, straight between."""
    return np.asarray(np.clip((none - values) / (none - full), 0, 1))
