"""From samples to excitation."""

import numpy as np
import pytest

from concertclean.metrics.peaq import ear
from concertclean.metrics.peaq.bands import N_BANDS, decay

# The tolerance of GstPEAQ's own test, whose band table is rounded to millihertz.
_RELATIVE, _ABSOLUTE = 5e-5, 5e-6


@pytest.fixture
def step_and_ramp():
    """The two frames of GstPEAQ's test."""
    index = np.arange(2048) - 1024.0
    return np.stack([np.sign(index), index / 1024])


@pytest.mark.parametrize(("level_db", "spl_db"), [(0, 92.0), (-40, 52.0)])
def test_a_full_scale_sine_has_92_db(tone, level_db, spl_db):
    waveform = tone(1019.5, 48_000, sample_rate=48_000, level=10 ** (level_db / 20))[0]
    power = ear.power_spectrum(ear.framed(waveform)[:-1])
    assert (power.argmax(axis=1) == 43).all()  # 1007.8 Hz, the nearest below
    # what leaks in from negative frequencies depends on the phase
    assert 10 * np.log10(power[:, 43]) == pytest.approx(np.full(len(power), spl_db), abs=1e-4)


def test_frames_cover_the_recording_and_the_last_is_filled_up():
    waveform = np.arange(1.0, 5001.0)
    frames = ear.framed(waveform)
    assert frames.shape == (4, 2048)
    assert (frames[:, 0] == [1, 1025, 2049, 3073]).all()
    assert frames[3, 5000 - 3072 - 1] == 5000
    assert not frames[3, 5000 - 3072 :].any()


@pytest.mark.parametrize(("n_samples", "n_frames"), [(1, 1), (1024, 1), (2047, 1), (2048, 2), (3071, 2), (48_000, 46)])
def test_every_frame_holds_1024_samples(n_samples, n_frames):
    assert ear.count_frames(n_samples) == n_frames
    assert len(ear.framed(np.zeros(n_samples))) == n_frames


def test_spectra_are_those_of_gstpeaq(step_and_ramp, stages):
    power = ear.power_spectrum(step_and_ramp)
    assert np.sqrt(power[1, :40]) == pytest.approx(stages["magnitude"], rel=_RELATIVE, abs=_ABSOLUTE)
    heard = np.sqrt(ear.weighted(power)[1, :40])
    assert heard == pytest.approx(stages["weighted_magnitude"], rel=_RELATIVE, abs=_ABSOLUTE)


def test_excitation_is_that_of_gstpeaq(step_and_ramp, stages):
    unsmeared = ear.unsmeared(ear.group(ear.weighted(ear.power_spectrum(step_and_ramp))))
    assert unsmeared[1] == pytest.approx(stages["unsmeared_excitation"], rel=_RELATIVE)
    assert ear.excitation(unsmeared)[1] == pytest.approx(stages["excitation"], rel=_RELATIVE)


def test_grouped_energy_is_that_of_the_spectrum():
    power = np.zeros((1, 1025))
    power[0, 10:700] = np.random.default_rng(0).uniform(size=690)
    assert ear.group(power).sum() == pytest.approx(power.sum(), rel=1e-9)
    assert (ear.group(0 * power) == 1e-12).all()


def test_equal_energy_everywhere_spreads_into_itself():
    assert ear.spread(np.ones((2, N_BANDS))) == pytest.approx(np.ones((2, N_BANDS)), rel=1e-12)


def test_slopes_are_27_db_per_bark_downwards_and_level_dependent_upwards():
    """40 dB more flatten the upper slope by 0.2 · 40 = 8 dB per Bark, 2 dB per band; the lower one stays."""
    soft, loud = np.full((1, N_BANDS), 1e-12), np.full((1, N_BANDS), 1e-12)
    soft[0, 50], loud[0, 50] = 1e4, 1e8
    gain_db = 10 * np.log10(ear.spread(loud) / ear.spread(soft))[0]
    # six bands to each side, where the rest of the ear, 160 dB down, adds nothing
    assert np.diff(gain_db[44:51]) == pytest.approx(np.zeros(6), abs=1e-3)
    assert np.diff(gain_db[50:57]) == pytest.approx(np.full(6, 2.0), abs=1e-3)
    uniform = np.full((1, N_BANDS), 1.0)
    uniform[0, 50] = 1e12
    falling_db = 10 * np.log10(ear.spread(uniform)[0, 46:51])
    # the normalisation by the spread of ones tilts the slope a little
    assert np.diff(falling_db) == pytest.approx(np.full(4, 27 / 4), abs=0.1)


def test_excitation_rises_at_once_and_decays_with_its_time_constant():
    unsmeared = np.full((6, N_BANDS), 1e-30)
    unsmeared[0] = 1.0
    lingering = ear.excitation(unsmeared)
    assert (lingering[0] == 1).all()
    left = decay(0.030)
    for frame in range(1, 6):
        assert lingering[frame] == pytest.approx((1 - left) * left**frame, rel=1e-9)
