"""Level, loudness and clipping of a stream of blocks."""

import math
from array import array

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.k_weighting import KWeighting

_HOP_SECONDS = 0.1
_MOMENTARY_HOPS = 4  # 400 ms, the gating block of the integrated loudness
_SHORT_TERM_HOPS = 30  # 3 s, that of the loudness range
_OFFSET_DB = -0.691  # a full-scale sine of 997 Hz in one channel reads -3.01 LUFS
_ABSOLUTE_GATE = -70.0
_KNEE = 0.89  # -1 dBFS: the limiter leaves everything below unchanged


class LoudnessMeter:
    """Integrated loudness and loudness range of a waveform in blocks, in constant memory per hour.

    Conventions: ITU-R BS.1770-4; every channel has weight 1 (no surround gains, so all pairs of channels are treated
    alike). The range is that of EBU Tech 3342; no silence is appended.

    Args:
        sample_rate: Hz.
        channels: number of channels.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._weighting = KWeighting(sample_rate, channels)
        self._hop = max(1, round(_HOP_SECONDS * sample_rate))
        self._rest = np.zeros((channels, 0))
        self._powers = array("d")  # a list of hours takes four times as much
        self.peak = 0.0

    def add(self, block: NDArray[np.float64]) -> None:
        """Takes the next `(channel, time)` block, full scale ±1."""
        if not block.size:
            return
        self.peak = max(self.peak, float(np.abs(block).max()))
        weighted = np.concatenate([self._rest, self._weighting(block)], axis=1)
        n_hops = weighted.shape[1] // self._hop
        whole = weighted[:, : n_hops * self._hop].reshape(len(weighted), n_hops, self._hop)
        self._powers.extend(np.square(whole).mean(axis=2).sum(axis=0))
        self._rest = weighted[:, n_hops * self._hop :].copy()

    def integrated(self) -> float:
        """Gated loudness in LUFS; -inf for silence or less than 400 ms."""
        powers = self._gated(_MOMENTARY_HOPS, relative_gate=-10.0)
        return _loudness(powers.mean()) if len(powers) else -math.inf

    def loudness_range(self) -> float:
        """Spread of the short-term loudness, its 10th to its 95th percentile, LU; 0 for silence or less than 3 s."""
        powers = np.sort(self._gated(_SHORT_TERM_HOPS, relative_gate=-20.0))
        if not len(powers):
            return 0.0
        low, high = (powers[round(share * (len(powers) - 1))] for share in (0.10, 0.95))
        return _loudness(high) - _loudness(low)

    def _gated(self, n_hops: int, relative_gate: float) -> NDArray[np.float64]:
        """Powers of all windows of `n_hops` above -70 LUFS and above their own mean plus `relative_gate` dB."""
        if len(self._powers) < n_hops:
            return np.zeros(0)
        powers = np.convolve(self._powers, np.full(n_hops, 1 / n_hops), mode="valid")
        powers = powers[powers > 10 ** ((_ABSOLUTE_GATE - _OFFSET_DB) / 10)]
        return powers[powers > 10 ** (relative_gate / 10) * powers.mean()] if len(powers) else powers


class EnergyMeter:
    """Energy of each step of a waveform in blocks; the result does not depend on how they are cut.

    Args:
        step: samples.
    """

    def __init__(self, step: int) -> None:
        self._step, self._found = step, array("d")
        self._rest = np.zeros(0)

    def add(self, block: NDArray[np.float64]) -> None:
        """Takes the next `(channel, time)` block."""
        power = np.concatenate([self._rest, np.square(block).sum(axis=0)])
        n_steps = len(power) // self._step
        self._found.extend(power[: n_steps * self._step].reshape(n_steps, self._step).sum(axis=1))
        self._rest = power[n_steps * self._step :].copy()

    def values(self) -> NDArray[np.float64]:
        """Sum of the squares of all channels for each step; the last step may be shorter."""
        last = [self._rest.sum()] if len(self._rest) else []
        return np.concatenate([self._found, last])


def reduction_db(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and 95th percentile of the level before over the level after, over the steps that are not silent, dB.

    Args:
        before: energies of steps.
        after: of the same steps; 0 counts as 120 dB less.

    Returns:
        0 and 0 for silence.
    """
    audible = before > 0
    if not audible.any():
        return 0.0, 0.0
    ratios = 10 * np.log10(before[audible] / np.maximum(after[audible], 1e-12 * before[audible]))
    return float(ratios.mean()), float(np.percentile(ratios, 95))


def soft_limit(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compresses what exceeds -1 dBFS smoothly below full scale; everything below is returned unchanged.

    Args:
        block: any shape, full scale ±1.

    Returns:
        Same shape; `|y| = knee + (1 - knee)·tanh((|x| - knee) / (1 - knee))` above the knee.
    """
    over = np.abs(block) > _KNEE
    if not over.any():
        return block
    result = block.copy()
    excess = (np.abs(block[over]) - _KNEE) / (1 - _KNEE)
    result[over] = np.sign(block[over]) * (_KNEE + (1 - _KNEE) * np.tanh(excess))
    return result


def _loudness(power: float) -> float:
    return float(_OFFSET_DB + 10 * np.log10(power))


def to_db(ratio: float) -> float:
    """Amplitude ratio in dB; -inf for zero."""
    return 20 * math.log10(ratio) if ratio > 0 else -math.inf
