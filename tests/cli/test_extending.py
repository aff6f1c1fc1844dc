"""A network, a method or a metric more takes one file and one row of a table; here the file is this one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor, nn

from concertclean.classical.catalogue import METHODS, Method
from concertclean.metrics.catalogue import METRICS, Metric, Score
from concertclean.networks.architectures import ARCHITECTURES, Architecture
from concertclean.networks.layers.waveform_model import WaveformModel
from concertclean.weights.file_format import save_weights

RATE = 44_100
Program = Callable[..., Any]


class Fader(WaveformModel):
    """A network of one parameter: a gain."""

    stems, channels, alignment, context = 1, 2, 64, 64

    def __init__(self, *, sample_rate: int = RATE, gain: float = 0.25) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.gain = nn.Parameter(torch.tensor(gain))

    def estimates(self, waveform: Tensor) -> tuple[Tensor]:
        return (self.gain * waveform.unsqueeze(1),)


class Halver:
    """A method that removes half of everything."""

    def removed(self, blocks: Iterator[np.ndarray], channels: int, sample_rate: int) -> Iterator[np.ndarray]:
        return (block / 2 for block in blocks)


@pytest.fixture
def recording(tmp_path: Path) -> np.ndarray:
    waveform = np.random.default_rng(0).uniform(-0.5, 0.5, (2, RATE)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", waveform.T, RATE, "FLOAT")
    return waveform


def written(path: Path) -> np.ndarray:
    return soundfile.read(path, always_2d=True)[0].T


def test_a_network(program: Program, recording: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "fader", Architecture(Fader, "restore", {}, "relative", "restores recordings"))
    state = Fader(gain=0.25).state_dict()
    save_weights(tmp_path / "mine.safetensors", state, architecture="fader", config={}, provenance={})
    ended = program("denoise", "a.wav", "--model", "mine.safetensors", "--precision", "fp32", "-q")
    assert ended.code == 0, ended.err
    assert written(tmp_path / "a_clean.wav") == pytest.approx(0.25 * recording, abs=1e-6)


def test_a_method(program: Program, recording: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "halve", Method("Removes half of everything.", lambda _: Halver()))
    ended = program("denoise", "a.wav", "--model", "halve,halve", "-q")
    assert ended.code == 0, ended.err
    assert written(tmp_path / "a_clean.wav") == pytest.approx(recording / 4, abs=1e-6)
    assert "halve" in program("models", "list").out.decode()


def test_a_metric(program: Program, recording: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def largest_error(sounds: Any) -> tuple[dict[str, float], tuple[str, ...]]:
        return {"peak_error": float(np.abs(sounds.estimate - sounds.reference).max())}, ()

    row = Metric("largest error", (Score("peak_error", "", "lower"),), largest_error)
    monkeypatch.setitem(METRICS, "peak_error", row)
    soundfile.write(tmp_path / "b.wav", 0.5 * recording.T, RATE, "FLOAT")
    ended = program("eval", "a.wav", "b.wav", "--metrics", "peak_error", "--json")
    assert ended.code == 0, ended.err
    (scored,) = json.loads(ended.out)["recordings"]
    assert scored["scores"]["peak_error"] == pytest.approx(np.abs(recording).max() / 2, abs=1e-6)
