"""Disc noise by measurement: where its energy lies, how it is distributed, and the motor's lines."""

import numpy as np
import pytest
from scipy.stats import kurtosis

from concertclean.synthesis import transfer
from concertclean.synthesis.shaping import rms

RATE = 44_100


def band_db(waveform, low_hz, high_hz):
    """Power density of a band, dB."""
    spectrum = np.abs(np.fft.rfft(waveform[0])) ** 2
    frequency = np.fft.rfftfreq(waveform.shape[1], 1 / RATE)
    return 10 * np.log10(spectrum[(frequency >= low_hz) & (frequency < high_hz)].mean())


def drawn(n=60, seconds=4):
    return [transfer.transfer_noise(np.random.default_rng(seed), seconds * RATE, RATE) for seed in range(n)]


def test_figures_of_real_surfaces_lie_inside_what_is_drawn():
    """Nine real ones: 20 to 35 dB less density at 6 to 12 kHz than at 150 to 1,000 Hz, a kurtosis of 2.6 to 8."""
    noises = drawn()
    fall = [band_db(noise, 150, 1000) - band_db(noise, 6000, 12_000) for noise in noises]
    assert 15 < np.median(fall) < 40
    assert np.mean((np.array(fall) > 15) & (np.array(fall) < 45)) > 0.4
    peaks = [kurtosis(noise[0], fisher=False) for noise in noises]
    assert np.mean(np.array(peaks) < 12) > 0.6  # the older law has hundreds
    assert all(noise.dtype == np.float32 and noise.shape == (1, 4 * RATE) for noise in noises)
    assert [rms(noise) for noise in noises] == pytest.approx([1.0] * len(noises), abs=1e-3)


def test_lines_of_the_motor_stand_at_its_multiples():
    for seed in range(8):
        noise = transfer.motor(np.random.default_rng(seed), 4 * RATE, RATE, frequency_hz=50.0, harmonics=3)
        spectrum = np.abs(np.fft.rfft(noise[0] * np.hanning(4 * RATE))) ** 2
        frequency = np.fft.rfftfreq(4 * RATE, 0.25 / RATE / 0.25)
        strongest = frequency[int(np.argmax(spectrum))]
        # The skirt is up to 40 Hz wide, the speed swings by 0.4 %.
        assert abs(strongest - 50 * max(1, round(strongest / 50))) < 22
        inside = spectrum[frequency < 700].sum() / spectrum.sum()
        assert inside > 0.95


def test_swelling_is_a_gain_of_mean_one_that_is_never_negative():
    gains = [transfer.swelling(np.random.default_rng(seed), 12 * RATE, RATE) for seed in range(40)]
    assert min(float(gain.min()) for gain in gains) > 0
    assert np.mean([gain.mean() for gain in gains]) == pytest.approx(1, abs=0.03)
    assert max(float(gain.max() / gain.min()) for gain in gains) > 4


def test_a_recorded_surface_lies_under_six_of_ten():
    tone = np.sin(2 * np.pi * 2000 * np.arange(4 * RATE) / RATE)[None].astype(np.float32)
    found = 0
    for seed in range(40):
        noise = transfer.transfer_noise(np.random.default_rng(seed), 2 * RATE, RATE, recorded=tone)
        found += band_db(noise, 1995, 2005) - band_db(noise, 1800, 1950) > 10
    assert 14 <= found <= 34  # 24 of 40, three standard errors


def test_the_same_seed_gives_the_same_noise():
    first, second = (transfer.transfer_noise(np.random.default_rng(9), RATE, RATE) for _ in range(2))
    assert np.array_equal(first, second)
