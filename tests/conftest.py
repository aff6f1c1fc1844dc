"""Synthetic audio for every test: `(channel, time)` float64 arrays, full scale ±1."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from concertclean.networks.kanunet_eca import KANUNetECA
from concertclean.networks.two_stage_unet import TwoStageUNet
from concertclean.weights.file_format import save_weights

Synth = Callable[..., np.ndarray]

if "PYTEST_XDIST_WORKER" in os.environ:  # a worker a core: more threads would only wait for each other
    torch.set_num_threads(1)


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


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A disk that takes no byte of a file whose name ends so; empty the list for a disk with room."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    endings, opened = [".part"], os.open

    def open_full(path: str | Path, flags: int, mode: int = 0o777, **options: int) -> int:
        file = opened(path, flags, mode, **options)
        if not str(path).endswith(tuple(endings)):
            return file
        os.close(file)  # its name is there, and somebody has to remove it
        return opened(full, os.O_RDWR)

    monkeypatch.setattr("os.open", open_full)
    monkeypatch.setattr("concertclean.files.parts.fcntl", None)  # all of them are one file, which is locked once
    return endings


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Weights files of small random networks that take a good part of any sound away.

    "stereo": both channels together; "mono": one channel; "broken": gives values that are not numbers.
    """
    folder = tmp_path_factory.mktemp("weights")
    common = {"sample_rate": 44_100, "n_fft": 256, "hop_length": 64, "bands": 40}
    stereo = {**common, "channels": 2, "base": 2, "eca_frames": 3}
    mono = {**common, "depth": 2, "widths": (4, 4, 4), "padding": "zeros"}

    def save(name: str, architecture: str, config: dict[str, object], spoil: float = 0.0) -> Path:
        torch.manual_seed(0)
        model = {"kanunet_eca": KANUNetECA, "two_stage_unet": TwoStageUNet}[architecture](**config)
        last = model.head if isinstance(model, KANUNetECA) else model.finalblock.conv2
        nn.init.normal_(last.weight, std=0.5)
        last.bias.data += spoil - 3.0  # about half open
        path = folder / f"{name}.safetensors"
        save_weights(path, model.state_dict(), architecture=architecture, config=config, provenance={})
        return path

    return {
        "stereo": save("stereo", "kanunet_eca", stereo),
        "mono": save("mono", "two_stage_unet", mono),
        "broken": save("broken", "kanunet_eca", stereo, spoil=float("nan")),
    }
