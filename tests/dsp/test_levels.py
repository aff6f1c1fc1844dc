"""Loudness by the standard's own signals (EBU Tech 3341), made here; the limiter's promises."""

import numpy as np
import pytest

from concertclean.dsp.levels import LoudnessMeter, soft_limit, to_db

RATE = 48000


def stereo_tone(parts: list[tuple[float, float]], frequency_hz: float = 1000) -> np.ndarray:
    """Parts of (level in dB of full scale, seconds)."""
    levels = np.concatenate([np.full(round(seconds * RATE), 10 ** (db / 20)) for db, seconds in parts])
    wave = levels * np.sin(2 * np.pi * frequency_hz * np.arange(len(levels)) / RATE)
    return np.stack([wave, wave])


def measure(waveform: np.ndarray, block: int = RATE) -> float:
    meter = LoudnessMeter(RATE, len(waveform))
    for i in range(0, waveform.shape[1], block):
        meter.add(waveform[:, i : i + block])
    return meter.integrated()


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_ebu_tech_3341_cases(parts: list[tuple[float, float]], expected: float) -> None:
    """The standard allows ±0.1 LU."""
    assert measure(stereo_tone(parts)) == pytest.approx(expected, abs=0.1)


def test_full_scale_mono_sine() -> None:
    assert measure(stereo_tone([(0, 10)], 997)[:1]) == pytest.approx(-3.01, abs=0.1)


def test_block_size_does_not_matter() -> None:
    waveform = stereo_tone([(-30, 3), (-20, 2)])
    assert measure(waveform, 1111) == pytest.approx(measure(waveform, RATE), abs=1e-9)


@pytest.mark.parametrize("n_samples", [0, 100, RATE])
def test_silence_and_next_to_nothing_have_no_loudness(n_samples: int) -> None:
    assert measure(np.zeros((2, n_samples))) == -np.inf


def test_peak_is_the_largest_sample() -> None:
    meter = LoudnessMeter(RATE, 1)
    meter.add(np.array([[0.1, -0.7, 0.2]]))
    assert meter.peak == 0.7


def test_limiter_leaves_what_is_below_the_knee_and_bounds_the_rest() -> None:
    ramp = np.linspace(-3, 3, 601)
    limited = soft_limit(ramp)
    quiet = np.abs(ramp) <= 0.89
    assert np.array_equal(limited[quiet], ramp[quiet])
    assert np.abs(limited).max() <= 1.0
    assert (np.diff(limited) >= 0).all()
    assert ramp[0] == -3  # the input is not changed


def test_decibels() -> None:
    assert to_db(0.5) == pytest.approx(-6.0206, abs=1e-4)
    assert to_db(0) == -np.inf
