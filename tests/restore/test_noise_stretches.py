"""Stretches of noise alone: where they begin and end, whatever the rate and the blocks."""

import numpy as np
import pytest
import torch

from concertclean.networks.noise_detector import NoiseDetector
from concertclean.restore.noise_stretches import find_noise, quietest, recognised

FRAME = 0.02


def test_a_stretch_is_entered_at_nine_tenths_and_left_below_seven() -> None:
    probability = np.full(1000, 0.1)
    probability[100:400] = 0.8
    probability[200] = 0.95
    probability[500:900] = 0.85  # never sure enough
    (stretch,) = recognised(probability, FRAME, 2.0)
    assert (stretch.start_seconds, stretch.end_seconds) == pytest.approx((2.5, 7.5))  # half a second less at both ends
    assert stretch.probability == pytest.approx(0.8, abs=0.01)
    assert not stretch.is_guess


@pytest.mark.parametrize(("n_frames", "n_found"), [(149, 0), (150, 1)])
def test_two_seconds_must_be_left_without_the_edges(n_frames: int, n_found: int) -> None:
    probability = np.zeros(1000)
    probability[300 : 300 + n_frames] = 1
    assert len(recognised(probability, FRAME, 2.0)) == n_found


def test_the_quietest_parts_are_those_below_the_quantile() -> None:
    rng = np.random.default_rng(4)
    rms = rng.uniform(0.2, 0.3, 2000)
    rms[700:760] = 0.01
    rms[900:1000] = 0  # digital silence is no noise
    rms[:15] = 0.001  # the beginning is left out
    (stretch,) = quietest(rms, FRAME)
    assert (stretch.start_seconds, stretch.end_seconds) == pytest.approx((14.0, 15.2))
    assert stretch.is_guess
    assert quietest(np.zeros(500), FRAME) == []
    assert quietest(np.zeros(3), FRAME) == []


class _Soft(NoiseDetector):
    """Takes what is quiet for noise."""

    def noise_probability(self, waveform: torch.Tensor) -> torch.Tensor:
        n_frames = waveform.shape[-1] // self.hop_length
        levels = waveform[0, 0, : n_frames * self.hop_length].reshape(n_frames, -1).square().mean(1).sqrt()
        return (levels < 0.01).float()[None]


@pytest.mark.parametrize("sample_rate", [44100, 48000, 8000])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("block", [1000, 10**7])
def test_stretches_lie_where_they_are(sample_rate: int, channels: int, block: int) -> None:
    rng = np.random.default_rng(5)
    level = np.full(30 * sample_rate, 0.1)
    level[8 * sample_rate : 13 * sample_rate] = 1e-3
    level[20 * sample_rate : 27 * sample_rate] = 1e-3
    audio = level * np.repeat(rng.standard_normal((1, len(level))), channels, axis=0)
    blocks = (audio[:, start : start + block] for start in range(0, audio.shape[1], block))
    longest, shorter = find_noise(blocks, channels, sample_rate, _Soft())
    assert (longest.start_seconds, longest.end_seconds) == pytest.approx((20.5, 26.5), abs=0.06)
    assert (shorter.start_seconds, shorter.end_seconds) == pytest.approx((8.5, 12.5), abs=0.06)


@pytest.mark.parametrize("signs", [(1, -1), (1, -1, 1)])
def test_music_on_inverted_channels_is_not_taken_for_a_pause(signs: tuple[int, ...]) -> None:
    """In the mean of a channel and its inverse all of it would be quiet; only the pause is."""
    rng = np.random.default_rng(7)
    level = np.full(20 * 44100, 0.1)
    level[8 * 44100 : 13 * 44100] = 1e-3
    audio = np.array(signs)[:, None] * level * rng.standard_normal(len(level))
    audio += 1e-4 * rng.standard_normal(audio.shape)
    (pause,) = find_noise(iter([audio]), len(signs), 44100, _Soft())
    assert (pause.start_seconds, pause.end_seconds) == pytest.approx((8.5, 12.5), abs=0.06)


def test_where_nothing_is_recognised_the_quietest_part_is_a_guess_and_silence_is_nothing() -> None:
    rng = np.random.default_rng(6)
    audio = 0.1 * rng.standard_normal((1, 44100 * 10))
    audio[:, 44100 * 4 : int(44100 * 4.4)] *= 0.3
    (guess,) = find_noise(iter([audio]), 1, 44100, _Soft())
    assert guess.is_guess
    assert guess.probability == 0
    assert 3.9 < guess.start_seconds < guess.end_seconds < 4.5
    assert find_noise(iter([np.zeros((1, 44100 * 5))]), 1, 44100, _Soft()) == []
    assert find_noise(iter([]), 1, 44100, _Soft()) == []
