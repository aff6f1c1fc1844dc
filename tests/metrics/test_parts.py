"""Music lost and noise left: known shares of known waveforms."""

import numpy as np
import pytest

from concertclean.metrics.parts import music_lost_db, noise_left_db


def test_a_gain_of_a_half_loses_a_quarter_of_the_power(noise):
    music, crowd = noise(8000, seed=1), noise(8000, seed=2)
    crowd *= np.sqrt(np.square(music).sum() / np.square(crowd).sum())
    assert music_lost_db(music, music * 0.5) == pytest.approx(-6.02, abs=0.01)
    assert noise_left_db(music, crowd * 0.1) == pytest.approx(-20.0, abs=0.01)


def test_nothing_lost_and_nothing_left(noise):
    music = noise(100)
    assert music_lost_db(music, music) == -np.inf
    assert noise_left_db(music, np.zeros_like(music)) == -np.inf
    assert music_lost_db(music, np.zeros_like(music)) == pytest.approx(0)


def test_more_harm_is_a_higher_number(noise):
    music = noise(1000)
    assert music_lost_db(music, music * 0.5) > music_lost_db(music, music * 0.9)
