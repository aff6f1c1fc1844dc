"""Validation of models whose result is known."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from concertclean.train.validation import validate


@dataclass(frozen=True)
class Mixed:
    ratio_db: float
    degraded: np.ndarray
    clean: np.ndarray


class Same(nn.Module):
    def forward(self, waveform):
        return waveform[:, None]


class Silence(nn.Module):
    def forward(self, waveform):
        return torch.zeros_like(waveform)[:, None]


@pytest.fixture
def mixtures(noise):
    clean, crowd = (noise(8000, seed=seed).astype(np.float32) for seed in (1, 2))
    return [Mixed(np.inf, clean, clean)] + [
        Mixed(ratio, clean + crowd * np.float32(10 ** (-ratio / 20)), clean) for ratio in (-5.0, 5.0)
    ]


def test_leaving_everything_alone_gains_nothing_and_loses_nothing(mixtures):
    heard = []
    found = validate(Same(), mixtures, torch.device("cpu"), lambda mixture, estimate: heard.append(estimate.shape))
    assert found["si_sdr_gain at -5 dB"] == pytest.approx(0, abs=1e-6)
    assert found["si_sdr_gain at 5 dB"] == pytest.approx(0, abs=1e-6)
    assert found["clean_snr"] == 100  # instead of infinity, which no mean survives
    assert found["score"] == pytest.approx(0, abs=1e-6)
    assert heard == [(2, 8000)] * 3


def test_silence_is_bad_but_finite(mixtures):
    found = validate(Silence(), mixtures, torch.device("cpu"))
    assert found["clean_snr"] == 0
    assert -60 < found["score"] < -45


def test_without_noisy_mixtures_there_is_no_score(mixtures):
    assert set(validate(Same(), mixtures[:1], torch.device("cpu"))) == {"clean_snr"}
