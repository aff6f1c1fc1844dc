"""K-weighting against the coefficients of the standard, and against independent programs."""

import time

import numpy as np
import pyloudnorm
import pytest
from scipy.signal import lfilter

from concertclean.dsp.k_weighting import KWeighting, biquads
from concertclean.runtime.parallel import usable_cores


def test_coefficients_at_48_khz_are_those_of_the_standard() -> None:
    """ITU-R BS.1770-4, tables 1 and 2; printed to 14 digits, met to 1e-9 by the prototypes of De Man."""
    shelf, high_pass = biquads(48_000)
    assert shelf[0] == pytest.approx([1.53512485958697, -2.69169618940638, 1.19839281085285], abs=1e-9)
    assert shelf[1] == pytest.approx([1, -1.69065929318241, 0.73248077421585], abs=1e-9)
    assert high_pass[0].tolist() == [1, -2, 1]
    assert high_pass[1] == pytest.approx([1, -1.99004745483398, 0.99007225036621], abs=1e-9)


@pytest.mark.parametrize("sample_rate", [8000, 22_050, 44_100, 96_000, 192_000])
def test_coefficients_are_those_of_pyloudnorm(sample_rate: int) -> None:
    meter = pyloudnorm.Meter(sample_rate, filter_class="DeMan")
    for (b, a), stage in zip(biquads(sample_rate), meter._filters.values(), strict=True):
        assert b == pytest.approx(stage.b, abs=1e-12)
        assert a == pytest.approx(stage.a, abs=1e-12)


@pytest.mark.parametrize("block", [1, 31, 32, 33, 1000, 4096, 44_100])
@pytest.mark.parametrize("sample_rate", [8000, 44_100, 192_000])
def test_blocks_of_any_length_are_filtered_as_lfilter_does(sample_rate: int, block: int) -> None:
    """1e-9 of full scale: at 192 kHz a rounding error near 38 Hz is amplified some millionfold by either program."""
    waveform = np.random.default_rng(0).uniform(-1, 1, (2, 44_100 if block > 100 else 3000))
    weighting = KWeighting(sample_rate, 2)
    edges = range(0, waveform.shape[1], block)
    found = np.concatenate([weighting(waveform[:, edge : edge + block]) for edge in edges], axis=1)
    expected = waveform
    for b, a in biquads(sample_rate):
        expected = lfilter(b, a, expected, axis=1)
    assert found.shape == waveform.shape
    assert np.abs(found - expected).max() < 1e-9


def test_an_empty_block_changes_nothing() -> None:
    weighting = KWeighting(44_100, 2)
    assert weighting(np.zeros((2, 0))).shape == (2, 0)


@pytest.mark.skipif(usable_cores() < 2, reason="needs two cores")
def test_nothing_spins_on_other_cores() -> None:
    """A second of audio in a row, as a recording comes: a product spread over threads keeps them spinning after it."""
    weigh, block = KWeighting(44_100, 2), np.ones((2, 44_100))
    time.sleep(0.2)  # what ran before has ended
    whole, own = time.process_time(), time.thread_time()
    for _ in range(20):
        weigh(block)
        time.sleep(0.02)
    whole, own = time.process_time() - whole, time.thread_time() - own
    assert whole < 2 * own
