"""The floor of steady noise in a recording, if its levels prove that there is one.

Over a whole recording, steady noise has three properties that music lacks. Its low levels lie as close together as
chance allows: the 20 % quantile of a bin is 2.5 dB above the 5 % quantile. Changing notes spread wider, held notes
less. Its floor is smooth over frequency, where music has partials and valleys between them. And it does not stop: the
quietest 46 ms of every band still contain it, where rhythmic music leaves gaps. Deviations from these properties add up
to a doubt, band by band. A floor is accepted where the doubt is small and most of the bands around agree.

The floor is smooth: bins are averaged over a sixth of an octave, so a held note does not become noise. A line, such as
the hum of a motor with its skirt, is added only if its levels over the whole recording are those of noise too.

References:
    Own. The quantile over time as noise: Stahl, Fischer, Bippus: Quantile based noise estimation for spectral
    subtraction and Wiener filtering, ICASSP 2000.
"""

from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter1d, uniform_filter1d
from scipy.special import gammaincinv

from concertclean.classical.survey import BANDS_AN_OCTAVE, LOWEST_HZ, Levels, short_frame
from concertclean.dsp.arrays import Array

# Quantiles of the mean power of five frames a quarter apart, in white noise of power 1 (400 s of it)
_LOW, _LOWER, _UPPER, _MIDDLE = 0.08, 0.05, 0.2, 0.5
WHITE_DB = {_LOWER: -5.35, _LOW: -4.58, _UPPER: -2.88, _MIDDLE: -0.57}
_ROUGHNESS = 9.8  # dB times the root of the frames: median difference of the 8 % quantiles of two bins of white noise
_SCATTER = 10.3  # the same, standard deviation of one bin
_SHORTEST = 0.02  # quantile of the short frames' levels

_FEWEST_FRAMES = 40  # 4 s
_MANY_FRAMES = 330  # 30 s: from here on the properties are clear; with less, doubt counts more
_LOWEST_RATE = 4000  # Hz; below, there are too few bands
_AN_OCTAVE = 12  # points of the grid over frequency
_FEWEST_BINS = 17
APART = 5  # bins whose powers are independent under a Hann window
_AGREEING_HZ = (60.0, 9000.0)  # where the agreement of bands is tested
_INAUDIBLE_DB = (-96.0, -90.0)  # of full scale: the dither of 16 bits, and the least that matters

_HIGHEST_LINE_HZ = 1500.0
_HIGHEST_LINE_DB = 20.0
_LINE_EXCESS_DB = (2.0, 4.0)
_LINE_SPREAD_DB = (0.0, 1.0)
_LINE_STEADIER_DB = (-2.5, -1.5)  # a pure tone, which is 4 dB steadier than noise, is a note or left to a hum filter


def steady_floor(levels: Levels) -> Array:
    """Power density of the steady noise.

    Args:
        levels: of a channel over the whole recording, from `survey`.

    Returns:
        `(freq,)` in the long frames' bins, as in `survey`; 0 where no steady noise is proven. For noise on its own it
        reaches the full level, accurate to half a decibel after a minute.
    """
    n_freqs = levels.n_fft // 2 + 1
    n_frames = levels.bins.n_counted
    if n_frames < _FEWEST_FRAMES or levels.sample_rate < _LOWEST_RATE:
        return np.zeros(n_freqs)
    grid = _Grid(levels)
    low = levels.bins.quantile(_LOW) - WHITE_DB[_LOW]
    # A low quantile over frequency, in the valleys between partials; its bias in noise is added back.
    smooth = grid.pooled(low, 1 / 6, 0.35) + 0.385 * _SCATTER / np.sqrt(n_frames)
    trust = grid.at_bins(_trust(_doubt(grid, low), grid)) * _rising(grid.at_bins(smooth), *_INAUDIBLE_DB)
    floor = grid.at_bins(smooth) + _lines(levels, low, grid.at_bins(smooth), trust)
    return np.asarray(np.where(trust > 0, trust * 10 ** (floor / 10), 0))


class _Grid:
    """Frequencies a twelfth of an octave apart, and the bins around each."""

    def __init__(self, levels: Levels) -> None:
        self.levels = levels
        n_octaves = np.log2(levels.sample_rate / 2 / LOWEST_HZ)
        self.hz = LOWEST_HZ * 2.0 ** (np.arange(int(n_octaves * _AN_OCTAVE) + 1) / _AN_OCTAVE)
        self.bins_hz = np.arange(levels.n_fft // 2 + 1) * levels.sample_rate / levels.n_fft

    def pooled(self, values: Array, octaves: float, share: float) -> Array:
        """`(point,)` quantile of the `(freq,)` values within an interval around each point, of 17 bins or more."""
        centre = self.hz * self.levels.n_fft / self.levels.sample_rate
        half = _FEWEST_BINS // 2
        first = np.minimum(centre * 2 ** (-octaves / 2), centre - half).astype(np.intp)
        after = np.maximum(centre * 2 ** (octaves / 2), centre + half).astype(np.intp) + 1
        after = np.clip(after, 2 + _FEWEST_BINS, len(values))
        first = np.clip(first, 2, after - _FEWEST_BINS)  # the lowest two bins hold the mean
        return np.array([np.quantile(values[a:b], share) for a, b in zip(first, after, strict=True)])

    def at_bins(self, values: Array) -> Array:
        """`(freq,)` of `(point,)` values, straight between the points."""
        return np.asarray(np.interp(self.bins_hz, self.hz, values))

    def around(self, values: Array) -> Array:
        """Mean of `(point,)` values over about an octave on each side, of points between 60 Hz and 9 kHz."""
        counts = (self.hz >= _AGREEING_HZ[0]) & (self.hz <= min(_AGREEING_HZ[1], 0.45 * self.levels.sample_rate))
        smooth = partial(gaussian_filter1d, sigma=_AN_OCTAVE, mode="nearest")
        return np.asarray(smooth(np.where(counts, values, 0.0)) / np.maximum(smooth(counts.astype(np.float64)), 0.2))


def _doubt(grid: _Grid, low: Array) -> Array:
    """`(point,)` how far the levels deviate from those of steady noise; weights tuned on music with and without."""
    levels, n_frames = grid.levels, grid.levels.bins.n_counted
    chance = WHITE_DB[_UPPER] - WHITE_DB[_LOWER]
    spread = levels.bins.quantile(_UPPER) - levels.bins.quantile(_LOWER) - chance
    spread = grid.pooled(spread, 1.0, 0.35) + 30 / n_frames  # few frames spread less
    differences = np.pad(np.abs(low[APART:] - low[:-APART]), (2, 3), mode="edge")
    # The lower quartile, 0.472 of the median in noise: of bins that few partials touch.
    roughness = grid.pooled(differences, 1.0, 0.25) * np.sqrt(n_frames) / (0.472 * _ROUGHNESS)
    doubt = 1.3 * np.maximum(spread, 0) + 1.5 * np.maximum(-spread - 0.3, 0)
    doubt += 0.5 * np.maximum(roughness - 1.1, 0) + 0.2 * np.maximum(_gaps(grid, low) - 5, 0)
    return np.asarray(doubt * np.clip(np.sqrt(_MANY_FRAMES / n_frames), 1, 2))


def _gaps(grid: _Grid, low: Array) -> Array:
    """`(point,)` how far, dB, the quietest short frames lie below the floor of the long ones, beyond chance."""
    levels = grid.levels
    sums = np.pad(np.cumsum(10 ** (low / 10)), (1, 0))
    first, after = levels.edges.T * (levels.n_fft // short_frame(levels.n_fft))
    after = np.minimum(after, len(low))
    mean = 10 * np.log10((sums[after] - sums[first]) / (after - first) + 1e-30)
    # The power of n bins under a Hann window has this shape as a gamma variable: neighbours share 4/9, next ones 1/36.
    n_bins = levels.edges[:, 1] - levels.edges[:, 0]
    shape = n_bins**2 / (n_bins + 2 * (n_bins - 1) * 4 / 9 + 2 * (n_bins - 2) / 36)
    quietest = levels.bands.quantile(_SHORTEST) - 10 * np.log10(gammaincinv(shape, _SHORTEST) / shape)
    centres = LOWEST_HZ * 2.0 ** (np.arange(len(mean)) / BANDS_AN_OCTAVE)
    return np.asarray(np.interp(grid.hz, centres, mean - quietest))


def _trust(doubt: Array, grid: _Grid) -> Array:
    """`(point,)` share of the floor that is accepted, 0 to 1: more doubt is allowed if the neighbours have none."""
    agreement = grid.around(_falling(doubt, 0.5, 1.0))
    full, none = 0.3 + 1.2 * agreement, 0.6 + 3.4 * agreement
    return _falling(doubt, full, none) * _rising(agreement, 0.25, 0.5)


def _lines(levels: Levels, low: Array, smooth: Array, trust: Array) -> Array:
    """`(freq,)` dB by which lines exceed the smooth floor, where the floor is accepted and they are noise too."""
    above = np.clip(uniform_filter1d(low, 3) - smooth, 0, _HIGHEST_LINE_DB)
    chance = WHITE_DB[_MIDDLE] - WHITE_DB[_LOW]
    middle = uniform_filter1d(levels.bins.quantile(_MIDDLE) - WHITE_DB[_LOW] - low, 3) - chance
    is_noise = _falling(middle, *_LINE_SPREAD_DB) * _rising(middle, *_LINE_STEADIER_DB)
    is_line = _rising(above, *_LINE_EXCESS_DB)
    hz = np.arange(len(low)) * levels.sample_rate / levels.n_fft
    return np.asarray(above * is_line * is_noise * _rising(trust, 0.5, 0.9) * (hz < _HIGHEST_LINE_HZ))


def _falling(values: Array, full: float | Array, none: float | Array) -> Array:
    """1 up to `full`, 0 from `none` on, straight between."""
    return np.asarray(np.clip((none - values) / (none - full), 0, 1))


def _rising(values: Array, none: float, full: float) -> Array:
    """0 up to `none`, 1 from `full` on, straight between."""
    return _falling(-values, -full, -none)
