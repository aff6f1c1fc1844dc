"""What every method of bleed reduction needs: a roster of microphones, an excerpt to fit to, a filter for streams.

A silent microphone, or a copy of another one, carries no information and would make the mixing matrix singular. The
roster leaves both out of the estimation. A silent one passes unchanged; from a copy the same bleed is removed as from
its original.

Bleed is coherent with its instrument. `coherent_levels` measures how much of each instrument arrives at each
microphone, by one complex demixing matrix for each frequency, found by iterative projection as in `unmixing`. It does
so in two halves of the recording: what they do not have in common is not bleed.

*Conventions*: arrays `(microphone, time)`, full scale ±1; stem k belongs to microphone k.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from concertclean.dsp import stft
from concertclean.dsp.arrays import Array, Blocks
from concertclean.dsp.segments import segments

_COPY = 1e-10  # 1 - correlation² of copies; a copy through 16 bits, 98 dB below full scale, still counts
_SEGMENT_FRAMES = 256  # frames filtered at once; about 100 MB with 8 microphones and 4096 samples per frame
_FADE_SECONDS = 0.005  # at the joins of an excerpt
_EPSILONS = (1e-1, 1e-2)  # power over the mean of the frequency, as in `unmixing`
_ITERATIONS = 6  # for each ε
_RUN = 8  # consecutive frames that belong to the same half
_NEIGHBOURS = 5  # bins that share weights, which links the frequencies
_SMOOTHED_BINS = 31  # over which a level is averaged
_DOUBT = 1.0  # standard errors
_LEAST = 4e-3  # power relative to its own microphone, -24 dB; removing weaker bleed harms more than it helps
_TINY = 1e-6  # amplitude relative to the loudest frequency; below it there is nothing to compare
_LOAD = 1e-5  # times the trace; keeps single precision solvable
_SELF_NOISE = 1e-5  # power over that of the microphone, -50 dB; less is lost in single precision


@dataclass(frozen=True)
class Roster:
    """Which microphones take part.

    Attributes:
        kept: indices of the microphones that take part, rising.
        owner: for each microphone, the position in `kept` of itself or of its original; -1 for a silent one.
        gain: for each microphone, its factor relative to that one; negative for inverted polarity.
    """

    kept: tuple[int, ...]
    owner: tuple[int, ...]
    gain: tuple[float, ...]

    @property
    def n_microphones(self) -> int:
        """Number of all microphones, including those that do not take part."""
        return len(self.owner)

    def pick(self, waveform: Array) -> Array:
        """`(microphone, time)` of those that take part."""
        return waveform[list(self.kept)]

    def without(self, waveform: Array, bleed: Array) -> Array:
        """The waveform less the bleed found in the microphones that take part.

        Args:
            waveform: `(microphone, time)`.
            bleed: `(kept microphone, time)`.

        Returns:
            `(stem, time)`.
        """
        stems = waveform.copy()
        for k, (owner, gain) in enumerate(zip(self.owner, self.gain, strict=True)):
            if owner >= 0:
                stems[k] -= gain * bleed[owner]
        return stems

    def remarks(self) -> tuple[str, ...]:
        """Microphones left out, one sentence each; they are counted from 1."""
        said = []
        for k, owner in enumerate(self.owner):
            if owner < 0:
                said.append(f"microphone {k + 1} is silent and was left unchanged")
            elif self.kept[owner] != k:
                said.append(
                    f"microphone {k + 1} is a copy of microphone {self.kept[owner] + 1}; the same bleed was removed"
                )
        if len(self.kept) < 2:
            said.append("fewer than two different microphones: nothing to compare, so nothing was reduced")
        return tuple(said)


def roster(waveform: Array) -> Roster:
    """Finds silent microphones and copies.

    Args:
        waveform: `(microphone, time)`.
    """
    products = waveform @ waveform.T
    power = np.diag(products)
    kept: list[int] = []
    owners: list[int] = []
    gains: list[float] = []
    for k in range(len(waveform)):
        alike = [n for n, m in enumerate(kept) if power[m] * power[k] * (1 - _COPY) < products[m, k] ** 2]
        if not power[k]:
            owners.append(-1)
            gains.append(0.0)
        elif alike:
            owners.append(alike[0])
            gains.append(float(products[kept[alike[0]], k] / power[kept[alike[0]]]))
        else:
            owners.append(len(kept))
            gains.append(1.0)
            kept.append(k)
    return Roster(tuple(kept), tuple(owners), tuple(gains))


def validate(waveform: Array, sample_rate: int) -> Array:
    """The waveform as float64.

    Raises:
        ValueError: it is not `(microphone, time)` with at least one of each, not finite, or `sample_rate` is not
            positive.
    """
    if waveform.ndim != 2 or not waveform.size:
        raise ValueError(f"the waveform has shape {waveform.shape}, expected (microphone, time), at least one of each")
    if not np.isfinite(waveform).all():
        raise ValueError("the waveform contains NaN or infinity")
    if sample_rate <= 0:
        raise ValueError(f"sample_rate is {sample_rate}, expected more than 0")
    return waveform.astype(np.float64)


def excerpt(
    blocks: Blocks, n_samples: int, sample_rate: int, *, seconds: float = 60.0, piece_seconds: float = 2.0
) -> Array:
    """The loudest piece of each of many equal sections of a recording, joined: enough for the fit.

    Memory does not grow with the recording. Each piece is faded for 5 ms at both ends, the same in all microphones.

    Args:
        blocks: `(microphone, time)` in order.
        n_samples: of the whole recording.
        sample_rate: Hz.
        seconds: length of the excerpt; a recording that is not longer is returned whole.
        piece_seconds: length of a piece.

    Returns:
        `(microphone, time)`.

    Raises:
        ValueError: there is no block, or a length is not positive.
    """
    piece = round(piece_seconds * sample_rate)
    if piece <= 0 or seconds < piece_seconds:
        raise ValueError(f"piece_seconds is {piece_seconds}, expected more than 0 and at most seconds, {seconds}")
    first = next(blocks, None)
    if first is None:
        raise ValueError("blocks is empty, expected at least one block")
    stream = _chained(first, blocks)
    if n_samples <= seconds * sample_rate:
        return np.concatenate(list(stream), axis=1)
    n_sections = int(seconds / piece_seconds)
    best: dict[int, tuple[float, Array]] = {}
    for n, found in enumerate(segments(stream, len(first), piece, piece, 0)):
        section = min(n * piece * n_sections // n_samples, n_sections - 1)
        # Every microphone counts the same, whatever its level in the recording.
        power = float(np.sqrt(np.square(found.audio).mean(axis=1)).sum())
        if found.n_valid == piece and power > best.get(section, (-1.0, None))[0]:
            best[section] = power, found.audio.copy()
    return np.concatenate([best[section][1] * _fades(piece, sample_rate) for section in sorted(best)], axis=1)


def filtered(
    blocks: Blocks,
    who: Roster,
    window: Tensor,
    hop_length: int,
    *,
    gains: Callable[[Tensor], Tensor],
    context_frames: int = 0,
) -> Blocks:
    """Passes a stream of any length through gains that depend on its spectrogram.

    Segments start on multiples of `hop_length` and carry enough context that their frames are those of the whole
    recording: the result does not depend on how the recording was cut. What the gains remove is subtracted, so a gain
    of 1 leaves the samples untouched.

    Args:
        blocks: `(microphone, time)` in order.
        who: the microphones that take part.
        window: `(n_fft,)`.
        hop_length: samples.
        gains: maps a spectrogram `(kept microphone, freq, frame)` to gains of the same shape, 0 to 1.
        context_frames: frames on each side that a gain depends on.

    Yields:
        `(stem, time)`, together as long as the blocks.
    """
    if len(who.kept) < 2:
        yield from (block.copy() for block in blocks)
        return
    segment = _SEGMENT_FRAMES * hop_length
    context = (-(-window.numel() // hop_length) + context_frames) * hop_length
    for piece in segments(blocks, who.n_microphones, segment, segment, context):
        spectrogram = stft.spectrogram(torch.from_numpy(who.pick(piece.audio)).float(), window, hop_length)
        taken = spectrogram * (1 - gains(spectrogram))
        bleed = stft.waveform(taken, window, hop_length, piece.audio.shape[1]).double().numpy()
        inner = slice(context, context + piece.n_valid)
        yield who.without(piece.audio[:, inner], bleed[:, inner])


def coherent_levels(spectrogram: Tensor) -> Tensor:
    """Power of each instrument in each microphone, relative to its own microphone, frequency by frequency.

    Args:
        spectrogram: `(microphone, freq, frame)` complex, no microphone silent.

    Returns:
        `(freq, microphone, stem)` float32, 0 to 1, diagonal 1; 0 if it does not exceed its standard error clearly, and
        below -24 dB.
    """
    frames = spectrogram.permute(1, 0, 2)
    part = torch.arange(frames.shape[2]) // _RUN % 2
    if not part.any():
        part = torch.arange(frames.shape[2]) % 2
    halves = [_mixing(frames[:, :, part == n] if part.any() else frames) for n in range(2)]
    # Errors of the halves are independent, so their product is unbiased; a square would not be.
    common = (halves[0] * halves[1].conj()).real
    n_freqs = len(common)
    width = min(_SMOOTHED_BINS, 2 * ((n_freqs - 1) // 2) + 1)
    flat = torch.stack([common, common.square()]).reshape(2, n_freqs, -1).mT
    mean, square = F.avg_pool1d(flat, width, 1, width // 2, count_include_pad=False).mT
    error = ((square - mean.square()).clamp_min(0) * _NEIGHBOURS / width).sqrt()
    levels = torch.where(mean > torch.clamp(_DOUBT * error, min=_LEAST), mean, 0).reshape(common.shape)
    levels.diagonal(dim1=1, dim2=2).fill_(1)
    return levels


def _mixing(frames: Tensor) -> Tensor:
    """Complex mixing matrix of each frequency, `(freq, microphone, stem)`, diagonal 1, no entry above 1.

    Covariances include a little independent noise for each microphone. Without it, if an instrument does not play, the
    others explain its microphone exactly, and its row would grow without limit.
    """
    n_freqs, size, n_frames = frames.shape
    level = frames.abs().square().mean(dim=2, keepdim=True).sqrt()
    level = level.clamp_min(_TINY * float(level.max()) + 1e-30)
    stems = frames / level
    identity = torch.eye(size, dtype=frames.dtype)
    demixing = identity.repeat(n_freqs, 1, 1)
    for epsilon in _EPSILONS:
        for _ in range(_ITERATIONS):
            power = stems.abs().square().permute(1, 2, 0).reshape(1, -1, n_freqs)
            power = F.avg_pool1d(power, _NEIGHBOURS, 1, _NEIGHBOURS // 2, count_include_pad=False)
            weights = 1 / (power.reshape(size, n_frames, n_freqs).permute(2, 0, 1) + epsilon)
            self_noise = _SELF_NOISE * demixing @ demixing.mH
            step = identity.repeat(n_freqs, 1, 1)
            for k in range(size):
                covariance = (stems * weights[:, k : k + 1]) @ stems.mH / n_frames
                covariance = covariance + weights[:, k].mean(dim=1)[:, None, None] * self_noise
                trace = covariance.diagonal(dim1=1, dim2=2).real.sum(dim=1)[:, None, None]
                loaded = step @ covariance + (_LOAD * trace + _LOAD) * identity
                row = torch.linalg.solve(loaded, identity[:, k].expand(n_freqs, -1))
                norm = torch.einsum("fi,fij,fj->f", row.conj(), covariance, row).real.clamp_min(1e-12).sqrt()
                step[:, k] = (row / norm[:, None]).conj()
            demixing, stems = step @ demixing, step @ stems
    mixing = torch.linalg.inv(demixing) * level
    diagonal = mixing.diagonal(dim1=1, dim2=2)[:, None, :]
    mixing = mixing / torch.where(diagonal.abs() > 0, diagonal, 1)
    limited: Tensor = mixing / mixing.abs().clamp_min(1)
    return limited


def _chained(first: Array, rest: Blocks) -> Blocks:
    yield first
    yield from rest


def _fades(n_samples: int, sample_rate: int) -> Array:
    """Straight ramps at both ends, `(time,)`."""
    length = max(1, min(round(_FADE_SECONDS * sample_rate), n_samples // 2))
    steps = np.arange(1, n_samples + 1, dtype=np.float64)
    return np.clip(np.minimum(steps, steps[::-1]) / length, 0, 1)
