import numpy as np
import pytest

from concertclean.bleed.verdict import verdict
from tests.bleed import bands

RATE = bands.SAMPLE_RATE


class TestVerdict:
    @pytest.mark.parametrize(("n_stems", "seed"), [(2, 0), (4, 1)])  # the two melodies of the latter share a note
    def test_of_each_kind(self, n_stems, seed):
        stems = bands.band(n_stems, seed=seed)
        assert verdict(stems, RATE).kind == "no bleed"
        assert verdict(bands.matrix(n_stems, 0.1, 0.5, seed) @ stems, RATE).kind == "instantaneous"
        assert verdict(bands.delayed(stems, 0.1, 0.5, seed=seed).sum(axis=1), RATE).kind == "delayed"
        room = bands.delayed(stems, 0.1, 0.5, room_seconds=0.3, seed=seed).sum(axis=1)
        assert verdict(room, RATE).kind == "delayed"

    def test_the_lag_is_the_delay(self, noise):
        stems = noise(RATE, channels=2)
        stems[1, 100:] += 0.5 * stems[0, :-100]
        found = verdict(stems, RATE)
        assert found.lag_seconds == {(0, 1): pytest.approx(-100 / RATE)}
        assert found.peak[0, 1] > 28  # twice what is asked for

    def test_silence_and_one_microphone(self):
        assert verdict(np.zeros((2, 100)), RATE).kind == "no bleed"
        assert verdict(np.ones((1, 100)), RATE).kind == "no bleed"
