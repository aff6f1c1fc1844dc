"""The model that `kamir` and `mira` share: bleed as powers that add up at the microphones.

At every frequency f and frame t the power `V_i = |x_i|^α` of microphone i is modelled by the powers p_j of the stems
and levels that do not change: `P_i(f, t) = Σ_j λ_ij(f) p_j(f, t)`. Each method has its own update of the powers; the
levels follow by multiplicative updates of the β-divergence (β = 0: Itakura and Saito). The stem is what the Wiener gain
λ_kk p_k / P_k leaves of microphone k: never more than the microphone, and all of it if all its levels of bleed are
zero.

*The start*: with as many stems as microphones, the levels λ = I and powers p = V fit perfectly and reduce nothing, and
guessed levels remove music where there is no bleed. So the levels start from the measurement of `coherent_levels`, and
few iterations follow; a level that starts at zero stays zero. The remarks report a trivial solution.

*The updates* of the levels use the exponent of majorisation and minimisation, for which it is proven that the cost does
not rise.

*Silence*: powers have a floor 100 dB below their mean, which avoids division by zero. KAMIR begins with an equalisation
by the quietest frames. With free levels that is only a change of units, so one scale for each microphone replaces it.

References:
    Prätzlich, Bittner, Liutkus, Müller: Kernel additive modeling for interference reduction in multi-channel music
    recordings, ICASSP 2015 (the model).
    Févotte, Idier: Algorithms for nonnegative matrix factorization with the beta-divergence, Neural Computation 2011,
    section 4.1 (the exponent).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from concertclean.bleed.microphones import Roster, coherent_levels, filtered, roster, validate
from concertclean.dsp import stft
from concertclean.dsp.arrays import Array, Blocks

FLOOR = 1e-10  # power over the mean
TINY = 1e-30  # keeps quotients finite
_RUN = 64  # consecutive frames of a run, when not all frames are used
_LEAST_SCALE = 1e-20  # amplitude
_TRIVIAL = 1e-4  # share of bleed in the model's power below which nothing is reduced


@dataclass(frozen=True)
class Settings:
    """Settings of both methods; frames are given in seconds, so a setting means the same at every sample rate.

    Attributes:
        alpha: exponent of the magnitude, 2 for powers.
        beta: of the divergence; 0 Itakura-Saito, 1 Kullback-Leibler, 2 squared distance.
        level_updates: of the levels, each after an update of the powers; 0 keeps the start.
        power_updates: when the levels are applied.
        median_frames: over which KAMIR smooths a power, odd; 1 for none.
        sparsity: ρ of MIRA; 0 for none.
        frame_seconds: of the spectrogram; a frame should cover the delays and early reflections.
        n_frames: most frames to fit to, in runs spread evenly.
    """

    alpha: float = 2.0
    beta: float = 0.0
    level_updates: int = 4
    power_updates: int = 3
    median_frames: int = 1
    sparsity: float = 100.0
    frame_seconds: float = 0.19
    n_frames: int = 512

    def __post_init__(self) -> None:
        """Checks the values.

        Raises:
            ValueError: a value is out of range.
        """
        positive = min(self.alpha, self.frame_seconds, self.n_frames, self.power_updates) > 0
        if not positive or self.level_updates < 0 or self.sparsity < 0 or self.median_frames % 2 != 1:
            raise ValueError(f"{self}: expected positive numbers, and median_frames odd")


@dataclass(frozen=True)
class Levels:
    """What was fitted to a recording.

    Attributes:
        levels: λ `(freq, microphone, stem)` of the microphones that take part; powers if α is 2.
        scale: `(microphone, 1, 1)`, amplitude that corresponds to 1 in the model.
        bleed_share: of the model's power in each microphone that takes part, 0 to 1.
        cost: mean β-divergence of a bin (and penalty, in MIRA) at the start and after each update, powers and levels
            in turn.
        settings: used for the fit.
        n_fft: samples of a frame.
        who: the microphones that take part.
        remarks: one sentence each.
    """

    levels: Tensor
    scale: Tensor
    bleed_share: tuple[float, ...]
    cost: tuple[float, ...]
    settings: Settings
    n_fft: int
    who: Roster
    remarks: tuple[str, ...]

    @property
    def window(self) -> Tensor:
        """Periodic Hann window of a frame."""
        return stft.window("hann", self.n_fft)

    @property
    def hop_length(self) -> int:
        """A quarter of a frame."""
        return self.n_fft // 4


Update = Callable[[Tensor, Tensor, Tensor], Tensor]


def learn(
    waveform: Array,
    sample_rate: int,
    settings: Settings,
    *,
    update: Update,
    penalty: Callable[[Tensor], Tensor] | None = None,
    project: Callable[[Tensor], Tensor] | None = None,
) -> Levels:
    """The part that the methods share: start, alternating updates, remarks.

    Args:
        waveform: `(microphone, time)`.
        sample_rate: Hz.
        settings: see there.
        update: of the powers.
        penalty: of powers `(freq, stem, frame)`, for each bin `(freq, frame)`.
        project: maps a spectrogram `(microphone, freq, frame)` to the one used for the updates.
    """
    waveform = validate(waveform, sample_rate)
    who = roster(waveform)
    n_fft = max(16, 4 * round(settings.frame_seconds * sample_rate / 4))
    if len(who.kept) < 2:
        scale = torch.ones(len(who.kept), 1, 1)
        return Levels(torch.zeros(0, 0, 0), scale, (0.0,) * len(who.kept), (), settings, n_fft, who, who.remarks())
    picked = torch.from_numpy(who.pick(waveform)).float()
    spectrogram = _runs(stft.spectrogram(picked, stft.window("hann", n_fft), n_fft // 4), settings.n_frames)
    scale = spectrogram.abs().square().mean(dim=(1, 2), keepdim=True).sqrt().clamp_min(_LEAST_SCALE)
    spectrogram = spectrogram / scale
    levels = coherent_levels(spectrogram) ** (settings.alpha / 2)
    observed = magnitudes(project(spectrogram) if project else spectrogram, settings.alpha)
    powers = observed
    cost = [_cost(observed, levels, powers, settings.beta, penalty)]
    for _ in range(settings.level_updates):
        powers = update(observed, levels, powers)
        cost.append(_cost(observed, levels, powers, settings.beta, penalty))
        levels = level_step(observed, levels, powers, settings.beta)
        cost.append(_cost(observed, levels, powers, settings.beta, penalty))
    # A stem has its level in its own microphone, and none is louder elsewhere.
    own = levels.diagonal(dim1=1, dim2=2)[:, None, :].clamp_min(FLOOR)
    levels = (levels / own).clamp_max(1)
    share = tuple(bleed_shares(levels, update(observed, levels, observed)).mean(dim=(0, 2)).tolist())
    trivial = ("trivial solution: no bleed was found, so nothing was reduced",) * (max(share) < _TRIVIAL)
    return Levels(levels, scale, share, tuple(cost), settings, n_fft, who, who.remarks() + trivial)


def apply(blocks: Blocks, found: Levels, *, update: Update, context_frames: int = 0) -> Blocks:
    """The stems of a recording in blocks, by Wiener gains from fitted levels.

    Args:
        blocks: `(microphone, time)` in order.
        found: by `learn`.
        update: of the powers.
        context_frames: on each side, that the powers of a frame depend on.

    Yields:
        `(stem, time)`.
    """

    def gains(spectrogram: Tensor) -> Tensor:
        observed = magnitudes(spectrogram / found.scale, found.settings.alpha)
        powers = observed
        for _ in range(found.settings.power_updates):
            powers = update(observed, found.levels, powers)
        return 1 - bleed_shares(found.levels, powers).transpose(0, 1)

    yield from filtered(blocks, found.who, found.window, found.hop_length, gains=gains, context_frames=context_frames)


def magnitudes(spectrogram: Tensor, alpha: float) -> Tensor:
    """V, floored, `(freq, microphone, frame)`, of a spectrogram `(microphone, freq, frame)` of level 1."""
    return spectrogram.abs().transpose(0, 1).square().clamp_min(FLOOR) ** (alpha / 2)


def level_step(observed: Tensor, levels: Tensor, powers: Tensor, beta: float) -> Tensor:
    """Levels after one update; the β-divergence of the model does not rise.

    Args:
        observed: V `(freq, microphone, frame)`.
        levels: λ `(freq, microphone, stem)`; zeros stay.
        powers: p `(freq, stem, frame)`.
        beta: of the divergence.

    Returns:
        λ, same shape.
    """
    model = modelled(levels, powers)
    up = (observed * model ** (beta - 2)) @ powers.mT
    down = model ** (beta - 1) @ powers.mT
    return levels * (up / down.clamp_min(TINY)) ** majorising_exponent(beta)


def majorising_exponent(beta: float) -> float:
    """Exponent with which a multiplicative update majorises the β-divergence (Févotte and Idier, section 4.1)."""
    if beta < 1:
        return 1 / (2 - beta)
    return 1.0 if beta <= 2 else 1 / (beta - 1)


def modelled(levels: Tensor, powers: Tensor) -> Tensor:
    """P `(freq, microphone, frame)`, over a floor that acts as a constant part of the mixture."""
    return levels @ powers + FLOOR


def bleed_shares(levels: Tensor, powers: Tensor) -> Tensor:
    """Share of bleed in the model of each microphone, `(freq, microphone, frame)`, exactly 0 where no level is."""
    own = levels.diagonal(dim1=1, dim2=2)[:, :, None]
    others = (levels - torch.diag_embed(own[:, :, 0])) @ powers
    return others / (others + own * powers).clamp_min(TINY)


def divergence(observed: Tensor, model: Tensor, beta: float) -> Tensor:
    """β-divergence of each bin, in double precision, same shape."""
    v, p = observed.double(), model.double()
    if beta == 0:
        return v / p - (v / p).log() - 1
    if beta == 1:
        return v * (v / p).log() - v + p
    return (v**beta + (beta - 1) * p**beta - beta * v * p ** (beta - 1)) / (beta * (beta - 1))


def _cost(
    observed: Tensor, levels: Tensor, powers: Tensor, beta: float, penalty: Callable[[Tensor], Tensor] | None
) -> float:
    """Mean over bins of the divergence of all microphones, and the penalty."""
    cost = divergence(observed, modelled(levels, powers), beta).sum(dim=1)
    return float(cost.mean()) + (float(penalty(powers).double().mean()) if penalty else 0.0)


def _runs(spectrogram: Tensor, n_frames: int) -> Tensor:
    """At most `n_frames` frames, in runs spread evenly over the recording."""
    there = spectrogram.shape[2]
    if there <= n_frames:
        return spectrogram
    n_runs = -(-n_frames // _RUN)
    starts = torch.linspace(0, there - min(_RUN, n_frames), n_runs).long()
    length = n_frames // n_runs
    return spectrogram[:, :, (starts[:, None] + torch.arange(length)).reshape(-1)]
