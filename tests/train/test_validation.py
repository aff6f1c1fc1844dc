"""Validation of models whose result is known."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from concertclean.dsp.scene_images import SCENES
from concertclean.metrics.sdr import si_sdr
from concertclean.networks.kanunet_eca import KANUNetECA
from concertclean.networks.scene_classifier import SceneClassifier
from concertclean.train.validation import (
    Judged,
    summary,
    validate,
    validate_bleed,
    validate_scenes,
    validate_separation,
)


@dataclass(frozen=True)
class Mixed:
    ratio_db: float
    degraded: np.ndarray
    clean: np.ndarray
    kind: str = "applause"
    is_sung: bool = False
    description: str = "a song"


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
    assert set(validate(Same(), mixtures[:1], torch.device("cpu"))) == {"clean_snr", "worst_clean_snr"}


def judged(ratio, gain, kind="applause", *, is_sung=False, description="a song", lost=np.nan, left=np.nan):
    return Judged(ratio, kind, is_sung, description, gain, lost, left)


def test_a_summary_names_kinds_singers_harm_and_the_worst():
    found = summary(
        [
            judged(np.inf, 50.0),
            judged(np.inf, 30.0),
            judged(0.0, 4.0, lost=-8.0, left=-12.0),
            judged(0.0, 2.0, "cheer", is_sung=True, lost=-6.0, left=-10.0),
            judged(12.0, -0.6, "cheer", description="the worst", lost=-9.0, left=-15.0),
            judged(12.0, -0.4, is_sung=True, lost=-9.0, left=-15.0),
        ]
    )
    assert found["si_sdr_gain at 0 dB"] == 3.0
    assert found["si_sdr_gain at 12 dB"] == pytest.approx(-0.5)
    assert (found["music_lost at 0 dB"], found["noise_left at 0 dB"]) == (-7.0, -11.0)
    assert found["si_sdr_gain, cheer"] == pytest.approx(0.7)
    assert (found["si_sdr_gain, sung"], found["si_sdr_gain, not sung"]) == pytest.approx((0.8, 1.7))
    assert (found["clean_snr"], found["worst_clean_snr"]) == (40.0, 30.0)
    assert found["share_worse"] == 0.25
    assert (found["worst"], found["worst_item"]) == (-0.6, "the worst")
    assert found["score"] == pytest.approx(1.25)


def test_what_has_no_gains_has_no_music_lost(mixtures):
    found = validate(Same(), mixtures, torch.device("cpu"))
    assert not [name for name in found if "lost" in name or "left" in name]


def test_music_lost_and_noise_left_of_a_network_of_gains(mixtures):
    """A network that lets half of everything through loses half of the music and leaves half of the noise."""
    torch.manual_seed(0)
    network = KANUNetECA(
        sample_rate=8000, channels=2, n_fft=256, hop_length=64, base=2, convolution="plain", output="mask", bands=32,
        align_corners=False, eca_frames=9,
    ).eval()  # fmt: skip
    network.stages = lambda degraded: (degraded * 0.5,)
    found = validate(network, mixtures, torch.device("cpu"))
    assert found["music_lost at 5 dB"] == pytest.approx(-6.02, abs=0.05)
    assert found["noise_left at 5 dB"] == pytest.approx(-6.02 - 5, abs=0.05)
    assert found["si_sdr_gain at 5 dB"] == pytest.approx(0, abs=0.01)


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


class TestSeparation:
    def items(self, *levels):
        """Items whose stems have these levels, a and b in turn."""
        rng = np.random.default_rng(0)
        for first, second in levels:
            stems = np.stack([first * rng.standard_normal((1, 500)), second * rng.standard_normal((1, 500))])
            yield Mixed(0.0, stems.sum(0).astype(np.float32), stems.astype(np.float32))

    def test_power_of_a_stem_over_that_of_the_error(self):
        """Half of the mixture for each: the error of one is half of the other less half of itself."""
        found = validate_separation(
            lambda mixture: torch.stack([0.5 * mixture, 0.5 * mixture], dim=1),
            self.items((1.0, 0.1), (1.0, 0.1)),
            ["a", "b"],
            torch.device("cpu"),
        )
        assert found["sdr, a"] == pytest.approx(10 * np.log10(1 / (0.25 * 1.01)), abs=0.3)
        assert found["sdr, b"] == pytest.approx(10 * np.log10(0.01 / (0.25 * 1.01)), abs=0.6)
        assert found["score"] == pytest.approx((found["sdr, a"] + found["sdr, b"]) / 2)

    def test_silent_stems_do_not_count(self):
        found = validate_separation(
            lambda mixture: torch.stack([mixture, 0 * mixture], dim=1),
            self.items((1.0, 0.0), (0.5, 0.0)),
            ["a", "b"],
            torch.device("cpu"),
        )
        assert found == {"sdr, a": 50.0, "score": 50.0}


class Oracle(SceneClassifier):
    """Sure of the second scene in loud windows, leaning to the first in others."""

    def forward(self, waveform):
        loud = waveform.square().mean((1, 2)) > 0.5
        return torch.where(loud[:, None], torch.tensor([0.0, 1, 0, 0]), torch.tensor([0.6, 0.4, 0, 0]))


def test_validation_takes_the_mean_of_the_windows():
    """The means are 0.4 and 0.6; most of the windows alone would say the first."""
    network = Oracle(sample_rate=1000, n_fft=64, hop_length=32, n_mels=16, widths=(4,), hidden=4)
    waveform = np.concatenate([np.zeros((1, 8000)), np.ones((1, 4000))], axis=1).astype(np.float32)
    items = [Mixed(0.0, waveform, np.full((1, 1), scene, np.float32), SCENES[scene]) for scene in (0, 1)]
    found = validate_scenes(network, items, torch.device("cpu"))
    assert found == {"accuracy, clean": 0.0, "accuracy, crowd": 1.0, "score": 0.5}
