"""Adaptation, modulation, loudness."""

import numpy as np
import pytest

from concertclean.metrics.peaq import ear
from concertclean.metrics.peaq.bands import N_BANDS
from concertclean.metrics.peaq.patterns import adapted, loudness, modulation

_RELATIVE = 5e-5  # GstPEAQ's own test


@pytest.fixture
def rising():
    """Two equal frames, energy 1 to 109."""
    return np.tile(np.arange(1.0, N_BANDS + 1), (2, 1))


@pytest.fixture
def excitation():
    return 10 ** np.random.default_rng(0).uniform(1, 6, (40, N_BANDS))


def test_adapted_patterns_are_those_of_gstpeaq(rising, stages):
    reference, estimate = adapted(rising, rising[:, ::-1])
    for frame in (0, 1):
        assert reference[frame] == pytest.approx(stages[f"adapted_reference_{frame + 1}"], rel=_RELATIVE)
        assert estimate[frame] == pytest.approx(stages[f"adapted_estimate_{frame + 1}"], rel=_RELATIVE)


def test_modulation_is_that_of_gstpeaq(rising, stages):
    strength, average = modulation(rising)
    for frame in (0, 1):
        assert strength[frame] == pytest.approx(stages[f"modulation_{frame + 1}"], rel=_RELATIVE)
        assert average[frame] == pytest.approx(stages[f"average_loudness_{frame + 1}"], rel=_RELATIVE)


def test_adaptation_forgives_a_gain(excitation):
    """Both directions end at the level of the softer one."""
    for gain in (0.01, 100.0):
        reference, estimate = adapted(excitation, gain * excitation)
        assert reference == pytest.approx(estimate, rel=1e-9)
    reference, _ = adapted(excitation, excitation)
    assert reference[-1] == pytest.approx(excitation[-1], rel=1e-3)  # what is left of the start, 0


def test_adaptation_does_not_forgive_a_sudden_sound(excitation):
    louder = excitation.copy()
    louder[30, 50] *= 1000
    reference, estimate = adapted(excitation, louder)
    assert estimate[30, 50] > 10 * reference[30, 50]
    assert estimate[29] == pytest.approx(reference[29], rel=1e-9)


def test_a_still_sound_has_no_modulation_and_a_trembling_one_has():
    still = np.full((200, N_BANDS), 1e5)
    trembling = still * np.where(np.arange(200) % 2, 2.0, 1.0)[:, None]
    assert modulation(still)[0][-1].max() < 1e-9
    level = np.array([1e5, 2e5]) ** 0.3
    # every frame the same step, over the mean level; the running mean still swings by a few percent
    expected = 48_000 / 1024 * (level[1] - level[0]) / (1 + level.mean() / 0.3)
    assert modulation(trembling)[0][-1] == pytest.approx(np.full(N_BANDS, expected), rel=0.1)


def test_loudness_of_a_soft_tone_is_the_one_all_implementations_find(tone):
    """1 kHz at 40 dB SPL; the standard promises 1 sone, its formula gives 0.58."""
    waveform = tone(1000, 48_000, sample_rate=48_000, level=10 ** ((40 - 92) / 20))[0]
    bands = ear.group(ear.weighted(ear.power_spectrum(ear.framed(waveform))))
    assert loudness(ear.excitation(ear.unsmeared(bands)))[20:-1] == pytest.approx(np.full(25, 0.584), abs=5e-4)


def test_silence_has_no_loudness_to_speak_of():
    silent = ear.excitation(ear.unsmeared(ear.group(np.zeros((1, 1025)))))
    assert 0 <= loudness(silent)[0] < 0.1
