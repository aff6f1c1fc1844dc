"""Counts give the quantiles of what was counted, however the recording is cut, and hold no more for a longer one."""

import tracemalloc

import numpy as np
import pytest

from concertclean.classical.survey import Histogram, survey

RATE = 22_050


def hiss(seconds, *, channels=1, seed=0, level=0.01):
    return level * np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE)))


def levels_of(waveform, block=100_000):
    blocks = (waveform[:, start : start + block] for start in range(0, waveform.shape[1], block))
    return survey(blocks, len(waveform), RATE)[0]


def test_quantiles_are_those_of_what_was_counted():
    """Classes of half a decibel, straight lines inside: a tenth of a decibel."""
    levels = np.random.default_rng(1).normal(-50, 6, (4000, 3))
    counts = Histogram(3)
    for row in levels:
        counts.add(row)
    for share in (0.05, 0.2, 0.5):
        assert counts.quantiles([share])[0] == pytest.approx(np.quantile(levels, share, axis=0), abs=0.1)


def test_levels_outside_the_classes_count_at_their_ends():
    counts = Histogram(2)
    counts.add(np.array([-500.0, 500.0]))
    assert counts.quantiles([0.5])[0] == pytest.approx([-140, 60], abs=0.5)


def test_white_noise_lies_at_its_power():
    """The median of the mean of five overlapping frames is 0.57 dB under the mean."""
    levels = levels_of(hiss(60))
    assert np.median(levels.bins.quantiles([0.5])[0]) == pytest.approx(-40 - 0.57, abs=0.1)
    assert np.median(levels.bands.quantiles([0.5])[0][20:]) == pytest.approx(-40, abs=0.3)


def test_channels_are_counted_alone():
    waveform = hiss(20, channels=2)
    for channel, found in zip(waveform, survey(iter([waveform]), 2, RATE), strict=True):
        assert np.array_equal(found.bins.quantiles([0.3])[0], levels_of(channel[None]).bins.quantiles([0.3])[0])


@pytest.mark.parametrize("block", [1000, 77_777])
def test_cuts_do_not_count(block):
    waveform = hiss(10)
    whole, cut = levels_of(waveform, waveform.shape[1]), levels_of(waveform, block)
    assert cut.bins.n_counted == whole.bins.n_counted
    for share in (0.05, 0.5):
        assert np.array_equal(cut.bins.quantiles([share])[0], whole.bins.quantiles([share])[0])
        assert np.array_equal(cut.bands.quantiles([share])[0], whole.bands.quantiles([share])[0])


def test_digital_silence_does_not_count():
    waveform = hiss(20)
    gap = np.concatenate([waveform, np.zeros((1, 20 * RATE)), waveform], axis=1)
    expected, found = (levels_of(one).bins.quantiles([0.05])[0] for one in (waveform, gap))
    assert np.median(found - expected) == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize("n_samples", [0, 1, 8191, 8193])
def test_hardly_anything_is_a_count_of_hardly_anything(n_samples):
    assert levels_of(np.ones((2, n_samples))).bins.n_counted == 0


def test_memory_does_not_grow_with_the_recording():
    def peak(seconds):
        blocks = (hiss(1, seed=second) for second in range(seconds))
        tracemalloc.start()
        survey(blocks, 1, RATE)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(60) < 1.05 * peak(15)
