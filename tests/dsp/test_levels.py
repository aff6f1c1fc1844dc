"""Loudness by the standards' own signals (EBU Tech 3341 and 3342), made here; the limiter's promises."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from concertclean.dsp.band_levels import BandMeter
from concertclean.dsp.levels import EnergyMeter, LoudnessMeter, reduction_db, soft_limit, to_db

RATE = 48000


def stereo_tone(parts: list[tuple[float, float]], frequency_hz: float = 1000) -> np.ndarray:
    """Parts of (level in dB of full scale, seconds)."""
    levels = np.concatenate([np.full(round(seconds * RATE), 10 ** (db / 20)) for db, seconds in parts])
    wave = levels * np.sin(2 * np.pi * frequency_hz * np.arange(len(levels)) / RATE)
    return np.stack([wave, wave])


def metered(waveform: np.ndarray, block: int = RATE) -> LoudnessMeter:
    meter = LoudnessMeter(RATE, len(waveform))
    for i in range(0, waveform.shape[1], block):
        meter.add(waveform[:, i : i + block])
    return meter


def measure(waveform: np.ndarray, block: int = RATE) -> float:
    return metered(waveform, block).integrated()


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
    sine = stereo_tone([(0, 10)], 997)
    assert measure(sine[:1]) == pytest.approx(-3.01, abs=0.1)
    assert measure(sine * [[1], [0]]) == pytest.approx(-3.01, abs=0.1)


def test_ebu_tech_3341_surround_case_with_its_gains_outside() -> None:
    """Every channel weighs 1 here; the standard's 1.41 (power) for the two behind come with the signal."""
    levels = np.array([-28, -28, -24, -30, -30]) + 10 * np.log10([1, 1, 1, 1.41, 1.41])
    assert measure(10 ** (levels[:, None] / 20) * stereo_tone([(0, 20)])[:1]) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    ("levels", "expected"), [((-20, -30), 10), ((-20, -15), 5), ((-40, -20), 20), ((-50, -35, -20, -35, -50), 15)]
)
def test_ebu_tech_3342_cases(levels: tuple[float, ...], expected: float) -> None:
    """The standard allows ±1 LU; pyloudnorm and libebur128 read these tones exactly, so 0.01."""
    assert metered(stereo_tone([(db, 20) for db in levels])).loudness_range() == pytest.approx(expected, abs=0.01)


def test_range_gates() -> None:
    """What lies more than 20 LU below the mean of the rest, or below -70 LUFS, does not widen the range."""
    assert metered(stereo_tone([(-20, 40), (-45, 10)])).loudness_range() < 0.1
    assert metered(stereo_tone([(-60, 40), (-75, 10)])).loudness_range() < 0.1


@pytest.mark.parametrize("waveform", [np.zeros((2, 5 * RATE)), stereo_tone([(-20, 2.99)]), np.zeros((2, 0))])
def test_silence_and_less_than_3_s_have_no_range(waveform: np.ndarray) -> None:
    assert metered(waveform).loudness_range() == 0.0


def test_block_size_does_not_matter() -> None:
    waveform = stereo_tone([(-30, 3), (-20, 2)])
    assert measure(waveform, 1111) == pytest.approx(measure(waveform, RATE), abs=1e-9)
    ranges = [metered(waveform, block).loudness_range() for block in (1111, RATE)]
    assert ranges[0] == pytest.approx(ranges[1], abs=1e-9)


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


@pytest.mark.parametrize("block", [1, 7, 100, 1000])
def test_energies_do_not_depend_on_how_blocks_are_cut(noise, block):
    waveform = noise(1050)
    meter = EnergyMeter(100)
    for start in range(0, 1050, block):
        meter.add(waveform[:, start : start + block])
    wanted = [np.square(waveform[:, start : start + 100]).sum() for start in range(0, 1050, 100)]
    assert meter.values() == pytest.approx(wanted)


def test_reduction_is_of_the_steps_that_sound():
    """10, 20 and 30 dB less; silence before does not count, silence after is 120 dB."""
    before = np.array([1.0, 1.0, 0.0, 1.0])
    mean_db, p95_db = reduction_db(before, before * [0.1, 0.01, 1.0, 0.001])
    assert (mean_db, p95_db) == (pytest.approx(20.0), pytest.approx(29.0))
    assert reduction_db(np.zeros(3), np.zeros(3)) == (0.0, 0.0)
    assert reduction_db(np.ones(1), np.zeros(1))[0] == pytest.approx(120.0)


@pytest.mark.parametrize("sample_rate", [1, 2, 100, 1000, 3300, 3400, 3500, 768_000])
def test_loudness_is_defined_at_any_rate(sample_rate):
    """Below 3.4 kHz the shelf of the weighting would lie beyond half the rate, and swing up without end."""
    meter = LoudnessMeter(sample_rate, 1)
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, max(50, min(2 * sample_rate, 100_000))))
    meter.add(noise)
    assert meter.peak == np.abs(noise).max()
    assert meter.integrated() < 0


@pytest.mark.parametrize("make", [lambda: LoudnessMeter(1000, 2), lambda: BandMeter(1000), lambda: EnergyMeter(100)])
def test_an_hour_takes_no_more_than_its_numbers(make: Callable[[], LoudnessMeter | BandMeter | EnergyMeter]) -> None:
    """Ten numbers a second at most, of eight bytes each, and what an array has to spare."""
    meter, second = make(), np.ones((2, 1000))
    tracemalloc.start()
    try:
        sizes = []
        for _ in range(2):
            for _ in range(600):
                meter.add(second.copy())
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert (sizes[1] - sizes[0]) / 600 < 120
