"""What a method learns from beforehand: a stretch with only noise, or the whole recording."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from concertclean.dsp.arrays import Array, Blocks

Source = Literal["noise", "recording"]
"""Only noise, or the whole recording to be restored."""

_BLOCK = 65_536


@dataclass(frozen=True)
class Material:
    """Audio that can be read from its beginning as often as needed.

    Attributes:
        read: starts at the beginning; returns `(channel, time)` blocks, full scale ±1.
        channels: of the blocks.
        sample_rate: Hz.
    """

    read: Callable[[], Blocks]
    channels: int
    sample_rate: int

    def waveform(self) -> Array:
        """All of it, `(channel, time)`, for short material."""
        return np.concatenate([np.zeros((self.channels, 0)), *self.read()], axis=1)


def material_of(waveform: Array, sample_rate: int) -> Material:
    """Material of a `(channel, time)` waveform in memory, of a sample rate in Hz."""

    def read() -> Blocks:
        return (waveform[:, start : start + _BLOCK] for start in range(0, waveform.shape[1], _BLOCK))

    return Material(read, len(waveform), sample_rate)
