"""True peaks by the standard's own signals (EBU Tech 3341), made here; any blocks give the same."""

import numpy as np
import pytest

from concertclean.dsp.levels import to_db
from concertclean.dsp.true_peak import TruePeakMeter


def measure(waveform, block=1 << 20):
    meter = TruePeakMeter(len(waveform))
    for start in range(0, waveform.shape[1], block):
        meter.add(waveform[:, start : start + block])
    return meter.peak_db


def faded_tone(samples_a_period, phase_degrees, level, sample_rate=48_000):
    """One second, faded over 50 ms: a hard start overshoots by rights."""
    time = np.arange(sample_rate)
    fade = np.minimum(1, np.minimum(time, time[::-1]) / (0.05 * sample_rate))
    return (level * fade * np.sin(2 * np.pi * time / samples_a_period + np.radians(phase_degrees)))[None]


@pytest.mark.parametrize("sample_rate", [44_100, 48_000])
@pytest.mark.parametrize(
    ("samples_a_period", "phase_degrees", "level", "expected_db"),
    [(4, 0, 0.5, -6.0), (4, 45, 0.5, -6.0), (6, 60, 0.5, -6.0), (8, 67.5, 0.5, -6.0), (4, 45, 1.41, 3.0)],
)
def test_ebu_tech_3341_cases_15_to_19(samples_a_period, phase_degrees, level, expected_db, sample_rate):
    """The standard allows +0.2 and -0.4 dB."""
    found = measure(faded_tone(samples_a_period, phase_degrees, level, sample_rate))
    assert expected_db - 0.4 <= found <= expected_db + 0.2


@pytest.mark.parametrize(("frequency_hz", "hidden_db"), [(1000, 0.001), (10_000, 0.14), (15_000, 0.31), (20_000, 0.69)])
def test_what_may_hide_between_four_points(frequency_hz, hidden_db, tone):
    """At 44.1 kHz; `-20 log10 cos(π f / 4 rate)`, and at 20 kHz the 0.13 dB of the filter."""
    wave = tone(frequency_hz, 44_100, channels=1, level=0.5)
    wave *= np.hanning(44_100)
    assert to_db(0.5) - hidden_db - 0.001 <= measure(wave) <= to_db(0.5) + 0.03


def test_never_below_the_sample_peak(noise):
    waveform = noise(5000, channels=3)
    assert measure(waveform) >= to_db(np.abs(waveform).max())


@pytest.mark.parametrize("channel", [0, 1])
def test_the_highest_channel_counts(channel, noise):
    waveform = noise(1000)
    waveform[channel] *= 3
    assert measure(waveform) == measure(waveform[channel : channel + 1])


@pytest.mark.parametrize("block", [1, 7, 31, 32, 1000])
def test_block_size_does_not_matter(block, noise):
    waveform = noise(1500)
    assert measure(waveform, block) == pytest.approx(measure(waveform), abs=1e-9)


def test_long_blocks_are_measured_in_pieces(noise):
    waveform = noise(200_000, channels=1)
    assert measure(waveform) == pytest.approx(measure(waveform, 12_345), abs=1e-9)


def test_peak_between_the_last_samples_is_seen_without_more_of_them():
    """And asking changes nothing: the next block goes on where the last one ended."""
    wave = faded_tone(4, 45, 0.5)
    meter = TruePeakMeter(1)
    meter.add(wave[:, :24_000])
    assert meter.peak_db == meter.peak_db
    meter.add(wave[:, 24_000:])
    assert meter.peak_db >= measure(wave)  # a hard end in between may only overshoot
    assert measure(np.array([[0.5, 0.5]])) > to_db(0.5) + 1


def test_silence_and_nothing(impulse):
    assert measure(np.zeros((2, 100))) == -np.inf
    assert measure(np.zeros((2, 0))) == -np.inf
    assert measure(impulse(50, 100, level=0.25)) == pytest.approx(to_db(0.25), abs=1e-9)
    assert measure(np.array([[-0.25]], np.float32)) == pytest.approx(to_db(0.25), abs=1e-9)
