"""Removes the bleed of an instantaneous mixture by inverting its mixing matrix.

The microphones pick up `X = Λ S` with one real matrix Λ of diagonal 1. Music is sparse in time and frequency: nearly
every bin of a spectrogram belongs to one stem, and the others are almost zero there. The demixing matrix B is the one
that makes `Y = B X` as sparse as possible: it minimises

    cost(B) = mean over bins of Σ_k log(|y_k|² + ε) - 2 log |det B|,

the likelihood of stems whose level is unknown in every bin. The logarithm lies under its tangent. So with weights
1/(|y_k|² + ε) each row has a closed-form optimum, the iterative projection, and the cost never rises. ε falls in steps:
a coarse, smooth cost first, then an exact one. The rows start at the identity, since an instrument is loudest in its
close microphone; polarity and order are fixed by the diagonal at the end.

Delays and rooms are not in the model; `verdict` detects them.

References:
    Pham, Garat: Blind separation of mixture of independent sources through a quasi-maximum likelihood approach, IEEE
    TSP 1997 (the likelihood).
    Ono: Stable and fast update rules for independent vector analysis based on auxiliary function technique, WASPAA
    2011, section 4 (the iterative projection; here for real instantaneous mixtures).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from concertclean.bleed.microphones import Roster, roster, validate
from concertclean.dsp import stft
from concertclean.dsp.arrays import Array, Blocks

_EPSILONS = (1e-1, 1e-2, 1e-3, 1e-4)  # power relative to the microphone's mean; the last is a floor 40 dB below it
_CONVERGED = 1e-7  # change of a row, relative to its diagonal
_PARTS = 4  # of the recording, each solved separately to see how far they agree
_GROUP_FRAMES = 8  # consecutive frames that stay together in a part
_FAINT = 1e-3  # power of a bin over the mean; below it, hiss of the microphones looks like bleed
_LOAD = 1e-12  # times the trace; keeps a covariance solvable that rounding made singular
_DOUBT = 4.0  # standard errors (many, since parts share their music); bleed below counts as none
_LEAST = 3e-3  # bleed 50 dB below the microphone's level counts as none: estimates are about that accurate
_WORST_CONDITION = 100.0  # beyond it, noise would rise by 40 dB
_SINGULAR = 1e-9  # least eigenvalue of the correlation matrix; a stem that is only dither still has more


@dataclass(frozen=True)
class Unmixing:
    """What was fitted to an instantaneous mixture.

    Attributes:
        matrix: Λ `(microphone, stem)`, diagonal 1; microphones left out have a row and a column of the identity.
        uncertainty: standard error of each entry of Λ, same shape, 0 where nothing was estimated.
        cost: after each iteration, at the last ε.
        who: the microphones that take part.
        remarks: one sentence each.
    """

    matrix: Array
    uncertainty: Array
    cost: tuple[float, ...]
    who: Roster
    remarks: tuple[str, ...]


def learn_unmixing(
    waveform: Array, sample_rate: int, *, frame_seconds: float = 0.064, iterations: int = 10, n_bins: int = 200_000
) -> Unmixing:
    """The mixing matrix of an instantaneous mixture.

    Entries within four standard errors of zero, and bleed 50 dB below the level of its microphone, are set to zero: a
    microphone without bleed stays unchanged.

    Args:
        waveform: `(microphone, time)`, full scale ±1, at least a second to be of use.
        sample_rate: Hz.
        frame_seconds: of the spectrogram; 64 ms separate notes and follow most of them.
        iterations: for each of the four ε, at most.
        n_bins: most bins of the spectrogram to use.

    Raises:
        ValueError: see `microphones.validate`, or a setting is not positive.
    """
    if min(frame_seconds, iterations, n_bins) <= 0:
        raise ValueError(f"{frame_seconds=}, {iterations=}, {n_bins=}, expected more than 0")
    waveform = validate(waveform, sample_rate)
    who = roster(waveform)
    matrix, uncertainty = np.eye(len(waveform)), np.zeros((len(waveform), len(waveform)))
    if len(who.kept) < 2:
        return Unmixing(matrix, uncertainty, (), who, who.remarks())
    n_fft = max(16, 2 * round(frame_seconds * sample_rate / 2))
    bins, part = _coefficients(who.pick(waveform), n_fft, n_bins)
    if np.linalg.eigvalsh(np.corrcoef(bins))[0] < _SINGULAR:
        said = "the microphones are linearly dependent, or there are fewer instruments: nothing was reduced"
        return Unmixing(matrix, uncertainty, (), who, (*who.remarks(), said))
    # Every microphone at level 1, so its gain has no influence.
    level = np.sqrt(2 * np.square(bins).mean(axis=1, keepdims=True))
    mixing, error, cost = _estimate(bins / level, part, iterations)
    mixing, remarks = trusted(mixing, np.maximum(_DOUBT * error, _LEAST), who)
    inner = np.ix_(who.kept, who.kept)
    matrix[inner], uncertainty[inner] = mixing * (level / level.T), error * (level / level.T)
    return Unmixing(matrix, uncertainty, tuple(cost), who, who.remarks() + remarks)


def apply_unmixing(blocks: Blocks, found: Unmixing) -> Blocks:
    """The stems of a recording in blocks; samples are independent, so the result does not depend on the cuts.

    Args:
        blocks: `(microphone, time)`.
        found: by `learn_unmixing`.

    Yields:
        `(stem, time)`, one for each block.
    """
    inner = np.ix_(found.who.kept, found.who.kept)
    bleed_of = np.eye(len(found.who.kept)) - np.linalg.inv(found.matrix[inner])
    for block in blocks:
        yield found.who.without(block.astype(np.float64), bleed_of @ found.who.pick(block))


def _coefficients(waveform: Array, n_fft: int, n_bins: int) -> tuple[Array, NDArray[np.intp]]:
    """Bins with sound, real and imaginary parts side by side, `(microphone, 2 · bin)`, and the part each belongs to."""
    spectrogram = stft.spectrogram(torch.from_numpy(waveform), stft.window("hann", n_fft).double(), n_fft // 2).numpy()
    part = np.arange(spectrogram.shape[2]) // _GROUP_FRAMES % _PARTS
    bins = spectrogram.reshape(len(waveform), -1)
    part = np.tile(part, spectrogram.shape[1])
    power = np.square(np.abs(bins))
    power = (power / power.mean(axis=1, keepdims=True)).sum(axis=0)
    loud = np.flatnonzero(power > _FAINT * power.mean())
    chosen = loud[:: -(-len(loud) // n_bins)]
    bins = bins[:, chosen]
    return np.concatenate([bins.real, bins.imag], axis=1), np.tile(part[chosen], 2)


def _estimate(bins: Array, part: NDArray[np.intp], iterations: int) -> tuple[Array, Array, list[float]]:
    """Mixing matrix, standard error of its entries, cost after each iteration at the last ε."""
    demixing, cost = np.eye(len(bins)), list[float]()
    for epsilon in _EPSILONS:
        demixing, cost = _descend(bins, demixing, epsilon, iterations)
    mixing = _ordered(_inverse(demixing))
    single = [_descend(bins[:, part == n], demixing, _EPSILONS[-1], iterations)[0] for n in np.unique(part)]
    if len(single) < 2:
        return mixing, np.abs(mixing - np.eye(len(mixing))), cost
    matrices = [_ordered(_inverse(rows)) for rows in single]
    return mixing, np.std(matrices, axis=0, ddof=1) / np.sqrt(len(single)), cost


def _descend(bins: Array, demixing: Array, epsilon: float, iterations: int) -> tuple[Array, list[float]]:
    """Rows of B by iterative projection, and the cost after each iteration."""
    size, n = len(bins), bins.shape[1] // 2
    stems = demixing @ bins
    cost = []
    for _ in range(iterations):
        weights = 1 / (np.square(stems[:, :n]) + np.square(stems[:, n:]) + epsilon)
        step = np.eye(size)
        for k in range(size):
            # In the coordinates of the present stems, where the problem is well scaled.
            covariance = (stems * np.tile(weights[k], 2)) @ stems.T / n
            loaded = step @ covariance + _LOAD * np.trace(covariance) * np.eye(size)
            row = np.linalg.solve(loaded, np.eye(size)[k])
            step[k] = row / np.sqrt(row @ covariance @ row)
        demixing = step @ demixing
        stems = step @ stems
        cost.append(_cost(stems, demixing, epsilon))
        if np.abs(step / np.diag(step)[:, None] - np.eye(size)).max() < _CONVERGED:
            break
    return demixing, cost


def _cost(stems: Array, demixing: Array, epsilon: float) -> float:
    n = stems.shape[1] // 2
    power = np.square(stems[:, :n]) + np.square(stems[:, n:]) + epsilon
    return float(np.log(power).sum() / n - 2 * np.linalg.slogdet(demixing)[1])


def _inverse(matrix: Array) -> Array:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _ordered(mixing: Array) -> Array:
    """Columns in the order of their loudest microphones, diagonal 1 (which fixes level and polarity)."""
    # The order with the largest product of the diagonal; levels of microphones and stems do not matter.
    mixing = mixing[:, linear_sum_assignment(-np.log(np.maximum(np.abs(mixing), 1e-12)))[1]]
    diagonal = np.diag(mixing)
    return mixing / np.where(diagonal, diagonal, 1.0)


def trusted(mixing: Array, doubt: Array, who: Roster) -> tuple[Array, tuple[str, ...]]:
    """The matrix without entries that are not significant, and remarks.

    Args:
        mixing: Λ `(microphone, stem)` of those that take part, diagonal 1.
        doubt: entries up to this become zero, same shape or one that broadcasts.
        who: the microphones that take part.

    Returns:
        Λ, or the identity if its inverse would amplify by more than 40 dB; one sentence for each remark.
    """
    plain = np.eye(len(mixing))
    kept = np.where(np.abs(mixing) > doubt, mixing, 0.0)
    np.fill_diagonal(kept, 1.0)
    if not np.isfinite(kept).all() or np.linalg.cond(kept) > _WORST_CONDITION:
        return plain, ("the mixing matrix is nearly singular: nothing was reduced",)
    remarks = []
    if (kept == plain).all():
        remarks.append("trivial solution: no bleed was found, so nothing was reduced")
    if (np.abs(kept) > 1).any():
        remarks.append("an instrument is louder in another microphone than in its own: the order may be wrong")
    inverted = [f"{who.kept[i] + 1} of {who.kept[j] + 1}" for i, j in np.argwhere(kept < 0)]
    if inverted:
        remarks.append(f"bleed with inverted polarity (microphone of instrument): {', '.join(inverted)}")
    return kept, tuple(remarks)
