"""Measurements with answers known on paper."""

import numpy as np
import pytest

from concertclean.dsp.diagnosis import channel_layout, clipped_share, measure
from concertclean.synthesis.shaping import filtered

RATE = 44_100


def white(seconds=3.0, channels=1, level=0.1, seed=0):
    return level * np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE)))


def test_the_bandwidth_of_filtered_noise():
    narrow = filtered(white(), "low", 6000, RATE, order=12)
    found = measure(np.asarray(narrow, np.float64), RATE)
    # A digital Butterworth filter of order 12 falls by 20·12·log10 of tan(π f / rate) over that of its edge.
    edge = np.arctan(np.tan(np.pi * 6000 / RATE) * 10 ** (65 / 240)) * RATE / np.pi
    assert found.bandwidth_hz == pytest.approx(edge, rel=0.03)
    assert measure(white(), RATE).bandwidth_hz > 21_500


def test_hiss_is_the_level_of_the_quiet_parts_below_the_loud():
    """Bursts of a tone over white noise 60 dB below; 8 of 22 kHz of the noise lie in the band: 4.4 dB less."""
    time = np.arange(4 * RATE) / RATE
    tone = np.sin(2 * np.pi * 1000 * time) * (np.sin(2 * np.pi * 0.5 * time) > 0)
    noise = white(4.0, level=10 ** (-60 / 20) * np.sqrt(0.5))
    found = measure(tone[None] + noise, RATE)
    assert found.hiss_db == pytest.approx(-60 + 10 * np.log10(8000 / 22_050), abs=1.0)


def test_rumble_is_found_below_forty_hertz():
    time = np.arange(4 * RATE) / RATE
    low = 0.1 * np.sin(2 * np.pi * 20 * time)[None]
    assert measure(low + white(4.0, level=1e-3), RATE).rumble_db == pytest.approx(0, abs=1.0)
    assert measure(white(4.0), RATE).rumble_db < -20


def test_clipping_is_runs_at_the_peak():
    time = np.arange(RATE) / RATE
    sine = np.sin(2 * np.pi * 100 * time)[None]
    assert clipped_share(0.5 * sine) < 0.01  # its rounded tops stand still for some samples
    clipped = np.clip(2 * sine, -1, 1)
    # |2 sin| > 1 for two thirds of the time.
    assert clipped_share(clipped) == pytest.approx(2 / 3, abs=0.02)
    assert clipped_share(np.zeros((1, 100))) == 0
    assert clipped_share(np.ones((1, 2))) == 0


def test_channels():
    left, right = white(1.0)[0], white(1.0, seed=1)[0]
    assert channel_layout(left[None]) == "mono"
    assert channel_layout(np.stack([left, right])) == "stereo"
    assert channel_layout(np.stack([left, left * 1.001])) == "mono in stereo"
    assert channel_layout(np.stack([left, -left])) == "opposite"
    assert channel_layout(np.zeros((2, 100))) == "mono in stereo"


@pytest.mark.parametrize("n_samples", [0, 1, 5000])
def test_silence_and_hardly_anything(n_samples):
    found = measure(np.zeros((2, n_samples)), RATE)
    assert found.bandwidth_hz == 0
    assert found.hiss_db == found.rumble_db == -np.inf
