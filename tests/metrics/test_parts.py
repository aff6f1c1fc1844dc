"""Music lost and noise left: known shares of known waveforms."""

import numpy as np
import pytest

from concertclean.metrics.parts import music_lost_db, noise_left_db, projected


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


def test_a_projection_finds_known_gains(noise):
    music, crowd = noise(20_000, seed=1), noise(20_000, seed=2)
    left, rest = projected(0.8 * music + 0.1 * crowd, music, crowd)
    assert left == pytest.approx(0.8 * music, abs=1e-6)
    assert rest == pytest.approx(0.1 * crowd, abs=1e-6)


def test_artifacts_count_as_lost_music(noise):
    music, crowd, artifacts = (noise(20_000, seed=seed) for seed in (1, 2, 3))
    left, rest = projected(music + 0.1 * artifacts, music, crowd)
    assert music_lost_db(music, left) == pytest.approx(-20, abs=0.3)
    assert noise_left_db(music, rest) < -35


def test_silent_noise_and_silent_music_are_no_trouble(noise):
    music, silence = noise(1000), np.zeros((2, 1000))
    assert projected(music, music, silence)[0] == pytest.approx(music)
    assert projected(music, silence, music)[1] == pytest.approx(music, rel=1e-6)
    assert not projected(silence, silence, silence)[0].any()
