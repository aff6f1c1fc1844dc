"""Variations: curves that are met, clouds that keep the level, channels that part."""

import numpy as np
import pytest

from concertclean.synthesis.shaping import rms
from concertclean.synthesis.variation import Equaliser, decorrelate, grain_cloud

RATE = 44_100


def test_an_equaliser_has_its_gains_at_its_knots_and_no_delay():
    gains = (0.0, 3.0, -6.0, 0.0, 9.0, 0.0, -12.0, 4.0, 0.0, 0.0)
    impulse = np.zeros((1, RATE), np.float32)
    impulse[0, RATE // 2] = 1
    response = Equaliser(gains).apply(impulse, RATE)[0]
    assert int(np.abs(response).argmax()) == RATE // 2
    spectrum = np.abs(np.fft.rfft(response))
    for hz, gain_db in ((200, -6.0), (1000, 9.0), (4500, -12.0), (8500, 4.0)):
        assert 20 * np.log10(spectrum[hz]) == pytest.approx(gain_db, abs=0.2)  # ringing is cut after 50 ms


def test_one_draw_on_two_waveforms_keeps_them_aligned(noise):
    """Music and mixture go through the same curve, so that the noise in between is still their difference."""
    music, crowd = noise(20_000, seed=1), noise(20_000, seed=2)
    curve = Equaliser.draw(np.random.default_rng(0), 8.0)
    together = curve.apply(music + crowd, RATE)
    assert together == pytest.approx(curve.apply(music, RATE) + curve.apply(crowd, RATE), abs=1e-5)


def test_the_spread_of_drawn_curves_is_bounded_by_what_was_asked():
    rng = np.random.default_rng(0)
    curves = np.array([Equaliser.draw(rng, 6.0, tilt_db=0.0).gains_db for _ in range(2000)])
    # The standard deviation is drawn evenly from 0 to 6: its mean square is 12, the same for the sum of two halves.
    assert np.sqrt(np.square(curves).mean()) == pytest.approx(np.sqrt(12), rel=0.05)
    assert np.abs(np.array([Equaliser.draw(rng, 0.0, tilt_db=0.0).gains_db for _ in range(5)])).max() == 0


def test_a_cloud_of_grains_keeps_level_and_channels_but_is_no_loop(noise):
    source = noise(RATE, seed=3).astype(np.float32)
    cloud = grain_cloud(np.random.default_rng(0), source, 3 * RATE, RATE, grain_seconds=0.1)
    assert cloud.shape == (2, 3 * RATE)
    assert rms(cloud) == pytest.approx(rms(source), rel=0.03)
    levels = np.sqrt(np.square(cloud.reshape(2, -1, 2100)).mean(axis=(0, 2)))
    assert levels.min() > 0.7 * levels.mean()
    first, second = cloud[0, :RATE], cloud[0, RATE : 2 * RATE]
    assert abs(float(np.corrcoef(first, second)[0, 1])) < 0.1


@pytest.mark.parametrize("n_source", [1, 2, 50])
def test_a_cloud_can_be_made_of_hardly_anything(n_source):
    cloud = grain_cloud(np.random.default_rng(0), np.ones((1, n_source), np.float32), 500, RATE)
    assert cloud.shape == (1, 500)
    assert np.isfinite(cloud).all()


def test_parted_channels_hold_what_they_held(noise):
    stereo = np.repeat(noise(RATE, channels=1), 2, axis=0).astype(np.float32)
    parted = decorrelate(np.random.default_rng(1), stereo, RATE)
    assert np.array_equal(parted[0], stereo[0])
    assert np.array_equal(np.sort(parted[1]), np.sort(stereo[1]))
    assert abs(float(np.corrcoef(*parted)[0, 1])) < 0.05
    mono = stereo[:1]
    assert decorrelate(np.random.default_rng(1), mono, RATE) is mono
