"""Validation of models whose result is known."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from concertclean.metrics.sdr import si_sdr
from concertclean.train.validation import validate, validate_bleed


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


def test_bands_are_judged_by_their_mean_gain(noise):
    """Two bands of two microphones, bleed at -20 dB in one and -6 dB in the other; one method knows the stems."""
    stems = noise(4000, channels=2).astype(np.float32)
    stems -= stems.mean(axis=1, keepdims=True)
    bands = [Mixed(0.0, stems + gain * stems[::-1], stems) for gain in (0.1, 0.5)]
    cpu = torch.device("cpu")
    told = validate_bleed(lambda heard: heard, bands, cpu)
    assert told == {"si_sdr_gain": pytest.approx(0), "worst_band": pytest.approx(0), "score": pytest.approx(0)}
    gains = [si_sdr(stems, 0.9 * stems + 0.01 * band.degraded) - si_sdr(stems, band.degraded) for band in bands]
    told = validate_bleed(lambda heard: 0.9 * torch.from_numpy(stems)[None] + 0.01 * heard, bands, cpu)
    assert told["score"] == told["si_sdr_gain"] == pytest.approx(np.mean(gains), abs=1e-3)
    assert told["worst_band"] == pytest.approx(min(gains), abs=1e-3)
    assert validate_bleed(torch.zeros_like, bands, cpu)["score"] < -50
