"""Tracks from files to files: memory, devices, threads."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from concertclean.bleed.run import Track, debleed
from concertclean.config.denoise import DenoiseSettings
from concertclean.networks.cae import CAE
from concertclean.weights.file_format import save_weights

RATE = 4000
CONFIG = {"sample_rate": RATE, "n_fft": 512, "hop_length": 256, "widths": [1, 1], "code": 2}


@pytest.fixture
def cae(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "cae.safetensors"
    save_weights(path, CAE(**CONFIG).state_dict(), architecture="cae", config=CONFIG, provenance={})
    return path


def peak_mib(folder: Path, method: str, noise, seconds: int) -> float:
    """Peak memory of a run over two stereo tracks."""
    stems = noise(seconds * RATE, channels=4).reshape(2, 2, -1)
    heard = np.tensordot(np.array([[1.0, 0.3], [0.2, 1.0]]), stems, 1)
    tracks = []
    for name, waveform in zip(("bass", "drums"), heard, strict=True):
        source = folder / f"{name}{seconds}.wav"
        soundfile.write(source, waveform.T, RATE, "PCM_16")
        tracks.append(Track(source, source.with_stem(source.stem + "_clean")))
    tracemalloc.start()
    try:
        debleed(tracks, method, DenoiseSettings(threads=1))
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", ["linear", "kamir", "cae"])
def test_memory_does_not_grow_with_the_length(tmp_path, noise, cae, method):
    """A minute is learned from, whatever the length; the rest goes through in blocks."""
    method = f"{cae},{cae}" if method == "cae" else method
    short, long = (peak_mib(tmp_path, method, noise, seconds) for seconds in (80, 320))
    assert long < short + 2  # 240 s more of four channels are 29 MiB as float64
