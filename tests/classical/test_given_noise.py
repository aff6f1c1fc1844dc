"""Noise that is pointed at gives the profile of that noise at the rate of the recording."""

import numpy as np
import pytest

from concertclean.classical.given_noise import GivenNoise
from concertclean.classical.noise_floor import frame_sizes, noise_profile
from concertclean.errors import ConfigError


def started(noise, sample_rate):
    n_fft, hop = frame_sizes(sample_rate)
    return GivenNoise(noise, 22_050).start(np.zeros((0, n_fft // 2 + 1)), hop / sample_rate).noise


def test_at_its_own_rate_it_is_the_profile(noise):
    heard = noise(30_000)
    assert np.array_equal(started(heard, 22_050), noise_profile(heard, *frame_sizes(22_050)))


def test_at_twice_the_rate_the_same_bins_have_their_power(noise):
    """Frames are twice as long and twice as dense: four times the power a bin of twice as many samples, halved."""
    heard = noise(60_000)
    low, high = started(heard, 22_050), started(heard, 44_100)
    inner = slice(10, 400)
    assert high[inner].mean() / low[inner].mean() == pytest.approx(4.0, rel=0.05)
    assert high[600:].max() < 1e-3 * high[inner].mean()


def test_silence_is_no_noise():
    with pytest.raises(ConfigError, match="digital silence"):
        started(np.zeros((1, 30_000)), 44_100)
