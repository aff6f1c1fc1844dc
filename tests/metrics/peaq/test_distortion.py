"""What one frame tells, on spectra and patterns whose answer is known on paper."""

import numpy as np
import pytest

from concertclean.metrics.peaq import distortion
from concertclean.metrics.peaq.bands import N_BANDS, internal_noise
from concertclean.metrics.peaq.ear import group


@pytest.fixture
def patterns():
    return 10 ** np.random.default_rng(0).uniform(2, 6, (4, N_BANDS))


@pytest.mark.parametrize(
    ("reference", "estimate", "offset", "loss_weight", "percent"),
    [
        (3.0, 5.0, 1.0, 1.0, 50.0),
        (3.0, 1.0, 1.0, 1.0, 50.0),
        (0.99, 1.99, 0.01, 0.1, 100.0),
        (1.99, 0.99, 0.01, 0.1, 5.0),
    ],
)
def test_modulation_difference_is_relative_and_may_weigh_losses_less(reference, estimate, offset, loss_weight, percent):
    band = np.ones((1, N_BANDS))
    found = distortion.modulation_difference(reference * band, estimate * band, offset=offset, loss_weight=loss_weight)
    assert found == pytest.approx([percent], rel=1e-12)


def test_modulation_weight_is_half_the_bands_at_a_hundred_times_the_threshold():
    threshold = internal_noise()[None] ** 0.3
    assert distortion.modulation_weight(100 * threshold) == pytest.approx([N_BANDS / 2], rel=1e-12)
    assert distortion.modulation_weight(1e9 * threshold) == pytest.approx([N_BANDS], rel=1e-6)


def test_noise_loudness_hears_what_is_added_and_not_what_is_missing(patterns):
    still = np.zeros_like(patterns), np.zeros_like(patterns)
    assert (distortion.noise_loudness((patterns, patterns), still) == 0).all()
    assert (distortion.noise_loudness((patterns, 0.1 * patterns), still) == 0).all()
    louder = [distortion.noise_loudness((patterns, gain * patterns), still) for gain in (1.5, 3.0, 10.0)]
    assert (np.diff(louder, axis=0) > 0).all()


def test_noise_loudness_is_the_formula(patterns):
    """One band, twice the energy, the estimate trembling: sR = 0.5, sT = 0.65."""
    noise = internal_noise()[10]
    energy = np.full((1, N_BANDS), 1e4)
    louder, trembling = energy.copy(), np.zeros_like(energy)
    louder[0, 10], trembling[0, 10] = 2e4, 1.0
    ratio = (0.65 * 2e4 - 0.5 * 1e4) / (noise + 0.5 * 1e4 * np.exp(-1.5))
    expected = 24 / N_BANDS * (noise / 0.65) ** 0.23 * ((1 + ratio) ** 0.23 - 1)
    found = distortion.noise_loudness((energy, louder), (np.zeros_like(energy), trembling))
    assert found == pytest.approx([expected], rel=1e-12)


def test_noise_energy_is_that_of_the_magnitudes():
    power = np.zeros((1, 1025))
    power[0, 100:200] = 9.0
    assert distortion.noise_energy(power, power) == pytest.approx(np.full((1, N_BANDS), 1e-12))
    # half the magnitude, a quarter of the energy, is missing as much as it is there
    assert distortion.noise_energy(power, power / 4) == pytest.approx(np.maximum(group(power / 4), 1e-12))


def test_noise_is_masked_3_db_below_and_more_above_12_bark():
    offset_db = -10 * np.log10(distortion.mask(np.ones((1, N_BANDS))))[0]
    assert offset_db[:49] == pytest.approx(np.full(49, 3.0))
    assert offset_db[[52, 108]] == pytest.approx([0.25 * 13, 0.25 * 27])


def test_detection_is_even_at_one_just_noticeable_step():
    """At 60 dB a step is 0.636 dB by the formula; both exponents give one half there."""
    level = 60.0
    step = 5.95072 * (6.39468 / level) ** 1.71332 + 9.01033e-11 * level**4 + 5.05622e-6 * level**3
    step += -0.00102438 * level**2 + 0.0550197 * level - 0.198719
    assert step == pytest.approx(0.636, abs=5e-4)
    # a louder reference lifts the level of the step by 0.3 of the difference
    for difference_db, estimate_level in ((-step, level), (step, level - 0.3 * step)):
        estimate = np.full((1, N_BANDS), 10 ** (estimate_level / 10))
        reference = estimate * 10 ** (difference_db / 10)
        probability, steps = distortion.detection(reference, estimate)
        assert probability == pytest.approx(np.full((1, N_BANDS), 0.5), abs=1e-9)
        assert (steps == 0).all()  # less than a whole decibel


def test_detection_grows_with_the_difference_and_counts_whole_decibels(patterns):
    nothing, none = distortion.detection(patterns, patterns)
    assert not nothing.any()
    assert not none.any()
    found = [distortion.detection(patterns, patterns * 10 ** (db / 10)) for db in (0.1, 0.4, 1.5, 6.5)]
    assert (np.diff([probability for probability, _ in found], axis=0) >= 0).all()
    assert (found[3][0] > 0.99).all()
    assert (found[1][1] == 0).all()
    assert (found[3][1] > found[2][1]).all()


def test_below_the_threshold_of_hearing_nothing_is_detected():
    probability, steps = distortion.detection(np.full((1, N_BANDS), 0.5), np.full((1, N_BANDS), 1e-6))
    assert not probability.any()
    assert steps == pytest.approx(np.zeros((1, N_BANDS)), abs=1e-27)


def spectrum(n_lines, power, floor=1.0):
    result = np.full((1, 1025), floor)
    result[0, :n_lines] = power
    return result


@pytest.mark.parametrize(
    ("reference", "estimate", "expected"),
    [
        (spectrum(700, 10.1), spectrum(500, 3.17), (700, 500)),
        (spectrum(700, 10.1), spectrum(900, 3.17), (700, 700)),  # never wider than the reference
        (spectrum(700, 10.1), spectrum(500, 3.16), (700, 0)),  # under 5 dB
        (spectrum(700, 9.9), spectrum(500, 3.17), (0, 0)),  # under 10 dB: no measurement
        (spectrum(346, 10.1), spectrum(300, 3.17), (0, 0)),  # too narrow to tell
        (spectrum(347, 10.1), spectrum(300, 3.17), (347, 300)),
        (spectrum(1025, 10.1), spectrum(921, 3.17), (921, 921)),  # 21.6 kHz is the end
    ],
)
def test_bandwidths_stand_out_of_the_level_above_21_6_khz(reference, estimate, expected):
    assert tuple(int(found[0]) for found in distortion.bandwidths(reference, estimate)) == expected
