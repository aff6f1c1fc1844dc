"""The contract every method of the package keeps; it runs over the rows of the catalogue."""

import numpy as np
import pytest

from concertclean.classical.catalogue import METHODS
from concertclean.classical.material import material_of

RATE = 8000


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]


def removed(method, waveform):
    """Everything that a method removes, from blocks of 1777 samples."""
    stage = method.make(material_of(waveform, RATE) if method.learns_from == "recording" else None)
    blocks = (waveform[:, start : start + 1777] for start in range(0, waveform.shape[1], 1777))
    return np.concatenate([waveform[:, :0], *stage.removed(blocks, len(waveform), RATE)], axis=1)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("n_samples", [0, 1, 2, 63, 1777, 1778, 12_345])
def test_as_long_out_as_in_and_finite(method, noise, channels, n_samples):
    found = removed(method, noise(n_samples, channels=channels))
    assert found.shape == (channels, n_samples)
    assert np.isfinite(found).all()


@pytest.mark.parametrize("n_samples", [1, 12_345])
def test_nothing_is_removed_from_silence(method, n_samples):
    assert not removed(method, np.zeros((2, n_samples))).any()


def test_the_recording_stays_as_it_is(method, noise):
    waveform = noise(12_345)
    removed(method, waveform)
    assert np.array_equal(waveform, noise(12_345))


@pytest.mark.parametrize("sample_rate", [1000, 3999, 768_000])
def test_the_lowest_and_highest_rates_of_recordings_are_no_trouble(method, noise, sample_rate):
    waveform = noise(2000)
    stage = method.make(material_of(waveform, sample_rate) if method.learns_from == "recording" else None)
    if sample_rate > RATE:
        waveform = waveform[:, :1]  # a segment of seconds is looked at whole; no more than once here
    found = np.concatenate([waveform[:, :0], *stage.removed(iter([waveform]), len(waveform), sample_rate)], axis=1)
    assert found.shape == waveform.shape
    assert np.isfinite(found).all()


def test_one_sample_stays_whatever_the_method(method):
    one = np.full((1, 1), 0.5)
    assert np.abs(removed(method, one)).max() < 0.05
