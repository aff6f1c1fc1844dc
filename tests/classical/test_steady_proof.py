"""Noise is proven where there is some, and never by music alone."""

import numpy as np
import pytest

from concertclean.classical.steady_proof import proof_of_noise
from concertclean.classical.survey import survey
from concertclean.synthesis.transfer import transfer_noise

RATE = 22_050
SECONDS = 24


def hiss(level=0.01):
    return level * np.random.default_rng(0).standard_normal((1, SECONDS * RATE))


def notes(seconds_each):
    """Three notes at a time, others every so many seconds."""
    time, rng, total = np.arange(SECONDS * RATE) / RATE, np.random.default_rng(1), np.zeros((1, SECONDS * RATE))
    for start in np.arange(0, SECONDS, seconds_each):
        inside = slice(int(start * RATE), int((start + seconds_each) * RATE))
        for pitch in 110 * 2 ** (rng.integers(0, 36, 3) / 12):
            total[0, inside] += sum(0.05 / k * np.sin(2 * np.pi * pitch * k * time[inside]) for k in range(1, 12))
    return total


def proof(waveform):
    return proof_of_noise(survey(iter([waveform]), 1, RATE)[0])


@pytest.mark.parametrize("level", [1e-3, 0.3])
def test_noise_alone_is_proven(level):
    assert proof(hiss(level)) == 1
    assert proof(level * transfer_noise(np.random.default_rng(2), SECONDS * RATE, RATE)) == 1


@pytest.mark.parametrize("seconds_each", [0.5, SECONDS])
def test_hiss_under_music_is_proven_and_music_is_not(seconds_each):
    music = notes(seconds_each)
    assert proof(music + hiss(0.3 * music.std())) > 0.9
    assert proof(music) == 0


def test_noise_that_pauses_is_music():
    """Strokes of a brush, four a second."""
    strokes = hiss() * np.exp(-((np.arange(SECONDS * RATE) / RATE) % 0.25) / 0.03)
    assert proof(strokes) == 0
