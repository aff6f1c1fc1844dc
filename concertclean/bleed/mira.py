"""MIRA and FastMIRA: reduce bleed with rooms and delays by fitting powers to all microphones at once.

In the model of `power_model` the powers p_j of the stems are fitted to all microphones, by
multiplicative updates of

    Σ_i d_β(V_i | Σ_j λ_ij p_j) + ρ · J · geometric mean of p / sum of p   in each bin,

whose second part is least where one stem sounds alone. With as many stems as microphones, the first part alone
converges to the trivial solution, λ = I and p = V. The penalty and the small number of iterations prevent that.

*The updates*: the published step of the powers lowers the cost in direction but may overshoot. Here each bin takes the
whole step, a quarter of it, or none, whichever does not raise its cost. So the cost never rises.

*FastMIRA* is fitted to a few random sums of frames. All microphones share the sums; separate sums would lose what they
have in common at each moment. The start is measured on frames, since sums are not sparse.

References:
    Di Carlo, Liutkus, Déguernel: Interference reduction on full-length live recordings, ICASSP 2018.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from concertclean.bleed.power_model import (
    TINY,
    Levels,
    Settings,
    Update,
    apply,
    divergence,
    learn,
    majorising_exponent,
    modelled,
)
from concertclean.dsp.arrays import Array, Blocks

_SHRINK = 0.25  # of the exponent, where the whole step overshoots


def learn_mira(waveform: Array, sample_rate: int, settings: Settings | None = None) -> Levels:
    """Levels of a recording, or of an excerpt of it.

    Args:
        waveform: `(microphone, time)`, full scale ±1.
        sample_rate: Hz.
        settings: see there.

    Raises:
        ValueError: see `microphones.validate`.
    """
    settings = settings or Settings()
    return learn(waveform, sample_rate, settings, update=_updating(settings), penalty=_penalty_of(settings))


def learn_fast_mira(
    waveform: Array,
    sample_rate: int,
    settings: Settings | None = None,
    *,
    n_sums: int = 128,
    generator: torch.Generator | None = None,
) -> Levels:
    """Levels fitted to random sums of frames; `apply_mira` applies them.

    Args:
        waveform: `(microphone, time)`, full scale ±1.
        sample_rate: Hz.
        settings: see there.
        n_sums: sums to fit to, R of the paper.
        generator: of the weights; None: seed 0.

    Raises:
        ValueError: see `microphones.validate`, or `n_sums` is not positive.
    """
    if n_sums <= 0:
        raise ValueError(f"n_sums is {n_sums}, expected more than 0")
    settings = settings or Settings()
    source = generator or torch.Generator().manual_seed(0)

    def project(spectrogram: Tensor) -> Tensor:
        return projection(spectrogram, n_sums, source)

    update, penalty = _updating(settings), _penalty_of(settings)
    return learn(waveform, sample_rate, settings, update=update, penalty=penalty, project=project)


def apply_mira(blocks: Blocks, found: Levels) -> Blocks:
    """The stems of a recording in blocks; the result does not depend on how it is cut.

    Args:
        blocks: `(microphone, time)` in order.
        found: by `learn_mira` or `learn_fast_mira`.

    Yields:
        `(stem, time)`, together as long as the blocks.
    """
    yield from apply(blocks, found, update=_updating(found.settings))


def projection(spectrogram: Tensor, n_sums: int, generator: torch.Generator) -> Tensor:
    """Random sums of frames, the same for every microphone.

    Args:
        spectrogram: `(microphone, freq, frame)` complex.
        n_sums: frames of the result.
        generator: of the weights.

    Returns:
        `(microphone, freq, n_sums)`, of the mean power of the spectrogram.
    """
    n_frames = spectrogram.shape[2]
    # The mean power is preserved: the sum of squares of a column of N(0, 1 / T) is 1.
    weights = torch.randn(n_frames, n_sums, generator=generator) / math.sqrt(n_frames)
    return spectrogram @ weights.to(spectrogram.dtype)


def power_step(observed: Tensor, levels: Tensor, powers: Tensor, beta: float, sparsity: float) -> Tensor:
    """Powers of the stems after one update; the cost of no bin rises.

    Args:
        observed: V `(freq, microphone, frame)`.
        levels: λ `(freq, microphone, stem)`.
        powers: p `(freq, stem, frame)`.
        beta: of the divergence.
        sparsity: ρ.

    Returns:
        p, same shape.
    """
    model = modelled(levels, powers)
    up = levels.mT @ (observed * model ** (beta - 2))
    down = levels.mT @ model ** (beta - 1)
    if sparsity:
        # The two parts of the derivative of J · geometric mean / sum.
        total = powers.sum(dim=1, keepdim=True).clamp_min(TINY)
        ratio = sparsity * _flatness(powers)[:, None] / total
        up = up + ratio
        down = down + ratio / (powers.shape[1] * powers / total).clamp_min(TINY)
    step = up / down.clamp_min(TINY)
    exponent = 1.0 if sparsity else majorising_exponent(beta)
    before = _bin_cost(observed, levels, powers, beta, sparsity)
    result = powers
    for size in (exponent * _SHRINK, exponent):
        moved = powers * step**size
        falls = _bin_cost(observed, levels, moved, beta, sparsity) <= before
        result = torch.where(falls[:, None], moved, result)
    return result


def _flatness(powers: Tensor) -> Tensor:
    """J · geometric mean / sum of the stems of each bin, `(freq, frame)`, 0 to 1."""
    geometric = powers.clamp_min(TINY).log().mean(dim=1).exp()
    return powers.shape[1] * geometric / powers.sum(dim=1).clamp_min(TINY)


def _bin_cost(observed: Tensor, levels: Tensor, powers: Tensor, beta: float, sparsity: float) -> Tensor:
    cost = divergence(observed, modelled(levels, powers), beta).sum(dim=1)
    return cost + sparsity * _flatness(powers).double()


def _penalty_of(settings: Settings) -> Callable[[Tensor], Tensor]:
    def penalty(powers: Tensor) -> Tensor:
        return settings.sparsity * _flatness(powers)

    return penalty


def _updating(settings: Settings) -> Update:
    def update(observed: Tensor, levels: Tensor, powers: Tensor) -> Tensor:
        return power_step(observed, levels, powers, settings.beta, settings.sparsity)

    return update
