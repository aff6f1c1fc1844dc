"""Similarity of two internal representations: correlation as a whole, in the worst moments, and as a grade.

References:
    Huber, Kollmeier: PEMO-Q - a new method for objective audio quality assessment using a model of auditory perception,
    IEEE TASLP 14(6), 2006 (assimilation, PSM, PSMt, grade).
"""

import numpy as np

from concertclean.dsp.arrays import Array
from concertclean.metrics.pemoq_like.cochlea import FRAME

_PERCENTILE = 0.05
_KNEE = 0.864  # PSMt at which the grade changes from a hyperbola to a line


def assimilated(reference: Array, estimate: Array) -> Array:
    """The estimate, moved halfway to the reference where it is smaller: missing parts disturb less than added."""
    return np.where(np.abs(estimate) < np.abs(reference), (reference + estimate) / 2, estimate)


def frame_sums(reference: Array, estimate: Array) -> Array:
    """Sums for correlations of frames and of any number of frames.

    Args:
        reference: `(modulation, channel, band, time)`, `time` a multiple of 49.
        estimate: likewise, assimilated.

    Returns:
        `(sum, channel, modulation, frame)`: of the reference, the estimate, their product, their squares, and of the
        magnitude of the estimate, over bands and 10 ms.
    """
    framed = (*reference.shape[:-1], -1, FRAME)
    x, y = reference.reshape(framed), estimate.reshape(framed)

    def products(a: Array, b: Array) -> Array:
        return np.asarray(np.einsum("mcbft,mcbft->cmf", a, b))

    def sums(a: Array) -> Array:
        return np.asarray(np.einsum("mcbft->cmf", a))

    return np.stack([sums(x), sums(y), products(x, y), products(x, x), products(y, y), sums(np.abs(y))])


def correlation(sums: Array, n_values: int) -> Array:
    """Pearson's correlation, -1 to 1, from sums over `n_values` values; 0 where one side is constant."""
    x, y, xy, xx, yy, _ = sums
    spread_x, spread_y = xx - x * x / n_values, yy - y * y / n_values
    is_defined = (spread_x > 1e-12 * xx) & (spread_y > 1e-12 * yy)  # less is rounding
    norm = np.sqrt(np.where(is_defined, spread_x * spread_y, 1.0))
    return np.where(is_defined, np.clip((xy - x * y / n_values) / norm, -1, 1), 0.0)


def similarity(sums: Array, n_values: int) -> Array:
    """Perceptual similarity PSM: correlations of the modulation filters, weighted by their energy in the estimate.

    Args:
        sums: `(sum, modulation, ...)` as of `frame_sums`.
        n_values: that each of them is made of.

    Returns:
        `(...)`, -1 to 1; 0 where the estimate has no energy.
    """
    energy = sums[4]
    total = energy.sum(axis=0)
    weighted = (energy * correlation(sums, n_values)).sum(axis=0)
    return np.asarray(np.divide(weighted, total, out=np.zeros_like(total), where=total > 0))


def weighted_percentile(values: Array, weights: Array) -> float:
    """The smallest of the values that, with all smaller ones, has 5 % of the weight; both `(frame,)`."""
    order = np.argsort(values)
    share = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(share, _PERCENTILE * share[-1])])


def psm_and_psmt(sums: Array, n_bands: int) -> tuple[float, float]:
    """PSM of the whole, and PSMt: the PSM of 10 ms that the worst 5 % of the estimate's activity stay below.

    Args:
        sums: `(sum, modulation, frame)` of one channel.
        n_bands: that were added up.
    """
    n_values = n_bands * FRAME
    whole = similarity(sums.sum(axis=-1), n_values * sums.shape[-1])
    return float(whole), weighted_percentile(similarity(sums, n_values), weights=sums[5].sum(axis=0))


def grade(psmt: float) -> float:
    """Objective difference grade (ODG) for a PSMt, -4 ("very annoying") to 0 ("imperceptible")."""
    return max(-4.0, -0.22 / (psmt - 0.98) - 4.13) if psmt < _KNEE else 16.4 * psmt - 16.4
