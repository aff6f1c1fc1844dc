"""Synthetic audio for every test: `(channel, time)` float64 arrays, full scale ±1."""

from collections.abc import Callable

import numpy as np
import pytest

Synth = Callable[..., np.ndarray]


@pytest.fixture
def tone() -> Synth:
    """Sine wave, the same in every channel."""

    def make(
        frequency_hz: float,
        n_samples: int,
        *,
        sample_rate: int = 44_100,
        channels: int = 2,
        level: float = 0.1,
    ) -> np.ndarray:
        wave = level * np.sin(2 * np.pi * frequency_hz * np.arange(n_samples) / sample_rate)
        return np.tile(wave, (channels, 1))

    return make


@pytest.fixture
def impulse() -> Synth:
    """One sample of `level` in every channel, silence around it."""

    def make(position: int, n_samples: int, *, channels: int = 2, level: float = 0.9) -> np.ndarray:
        waveform = np.zeros((channels, n_samples))
        waveform[:, position] = level
        return waveform

    return make


@pytest.fixture
def noise() -> Synth:
    """White noise, uniform in ±level, independent in every channel."""

    def make(n_samples: int, *, channels: int = 2, level: float = 0.1, seed: int = 0) -> np.ndarray:
        return np.random.default_rng(seed).uniform(-level, level, (channels, n_samples))

    return make
