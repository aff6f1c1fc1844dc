import numpy as np
import pytest

from concertclean.bleed.unmixing import apply_unmixing, learn_unmixing
from tests.bleed import bands

RATE = bands.SAMPLE_RATE


def unmix(waveform, sample_rate):
    """The stems of an instantaneous mixture, and what was found."""
    found = learn_unmixing(waveform, sample_rate)
    return np.concatenate(list(apply_unmixing(iter([waveform]), found)), axis=1), found


@pytest.fixture(scope="module")
def four():
    """Four stems, their mixture, and what was found in it."""
    stems = bands.band(4, seconds=3)
    mixture = bands.matrix(4, 0.05, 0.5) @ stems
    return stems, mixture, *unmix(mixture, RATE)


def test_a_mixture_of_gains_is_undone(four):
    stems, mixture, estimates, found = four
    gain = bands.sdr(stems, estimates) - bands.sdr(stems, mixture)
    assert gain.min() > 25
    assert found.matrix == pytest.approx(bands.matrix(4, 0.05, 0.5), abs=0.02)
    assert not found.remarks


@pytest.mark.parametrize("n_stems", [2, 8])
def test_few_and_many_microphones(n_stems):
    stems = bands.band(n_stems, seconds=3, seed=1)
    mixture = bands.matrix(n_stems, 0.01, 0.4, seed=1) @ stems
    gain = bands.sdr(stems, unmix(mixture, RATE)[0]) - bands.sdr(stems, mixture)
    assert gain.mean() > 20
    assert gain.min() > 10


def test_the_cost_never_rises(four):
    cost = np.array(four[3].cost)
    assert len(cost) > 2
    assert (np.diff(cost) <= 1e-9 * np.abs(cost[:-1])).all()


def test_bleed_with_inverted_polarity():
    stems = bands.band(2)
    mixing = np.array([[1.0, -0.4], [0.3, 1.0]])
    estimates, found = unmix(mixing @ stems, RATE)
    assert found.matrix == pytest.approx(mixing, abs=0.01)
    assert bands.sdr(stems, estimates).min() > 40
    assert "inverted polarity (microphone of instrument): 1 of 2" in found.remarks[0]


def test_levels_of_microphones_do_not_matter():
    mixture = bands.matrix(2, 0.05, 0.5) @ bands.band(2, seconds=1)
    levels = np.array([[0.01], [5.0]])
    assert unmix(levels * mixture, RATE)[0] == pytest.approx(levels * unmix(mixture, RATE)[0], abs=1e-6)


def test_without_bleed_every_sample_stays():
    stems = bands.band(3)
    estimates, found = unmix(stems, RATE)
    assert np.array_equal(estimates, stems)
    assert "trivial solution" in found.remarks[0]


def test_a_microphone_without_bleed_stays_as_it_is():
    stems = bands.band(2)
    mixture = np.array([[1.0, 0.3], [0.0, 1.0]]) @ stems
    estimates, _ = unmix(mixture, RATE)
    assert np.array_equal(estimates[1], mixture[1])
    assert bands.sdr(stems, estimates)[0] > 40


def test_hiss_of_the_microphones_is_not_taken_for_bleed(noise):
    stems = bands.band(3)
    mixing = bands.matrix(3, 0.1, 0.4)
    found = learn_unmixing(mixing @ stems + noise(stems.shape[1], channels=3, level=0.001), RATE)
    assert found.matrix == pytest.approx(mixing, abs=0.03)


class TestDefined:
    def test_silence(self):
        estimates, found = unmix(np.zeros((2, 1000)), RATE)
        assert not estimates.any()
        assert len(found.remarks) == 3

    def test_one_microphone(self):
        stem = bands.band(1, 0.5)
        assert np.array_equal(unmix(stem, RATE)[0], stem)

    def test_two_samples(self):
        music = np.array([[0.1, 0.2], [0.3, -0.1]])
        assert np.isfinite(unmix(music, RATE)[0]).all()

    def test_identical_tracks_are_one_microphone(self):
        stems = bands.band(2)
        mixture = bands.matrix(2, 0.2, 0.4) @ stems
        estimates, found = unmix(mixture[[0, 1, 0]], RATE)
        assert np.allclose(estimates[0], estimates[2], rtol=0, atol=1e-12)
        assert bands.sdr(stems, estimates[:2]).min() > 30
        assert "microphone 3 is a copy of microphone 1" in found.remarks[0]
        assert np.array_equal(unmix(mixture[[0, 0]], RATE)[0], mixture[[0, 0]])

    def test_a_silent_microphone_beside_others(self):
        stems = bands.band(2)
        mixture = np.insert(bands.matrix(2, 0.2, 0.4) @ stems, 1, 0.0, axis=0)
        estimates, found = unmix(mixture, RATE)
        assert not estimates[1].any()
        assert bands.sdr(stems, estimates[[0, 2]]).min() > 30
        assert found.remarks == ("microphone 2 is silent and was left unchanged",)

    def test_a_singular_matrix_is_told(self):
        stems = bands.band(2)
        mixture = np.array([[1.0, 0.3], [0.2, 1.0], [0.5, 0.5]]) @ stems
        estimates, found = unmix(mixture, RATE)
        assert np.array_equal(estimates, mixture)
        assert "there are fewer instruments" in found.remarks[0]


def test_blocks_equal_whole(four):
    _, mixture, estimates, found = four
    blocks = np.array_split(mixture, [1, 5000, 5001, 20_000], axis=1)
    assert np.allclose(np.concatenate(list(apply_unmixing(iter(blocks), found)), axis=1), estimates, rtol=0, atol=1e-12)


def test_wrong_settings(noise):
    with pytest.raises(ValueError, match="iterations=0"):
        learn_unmixing(noise(1000), RATE, iterations=0)
