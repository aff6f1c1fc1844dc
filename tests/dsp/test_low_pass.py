"""Low-passed waveforms against scipy's filters, which are made by the same formula."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import firwin, resample_poly

from concertclean.dsp.low_pass import decimated, low_passed

Synth = Callable[..., np.ndarray]


@pytest.mark.parametrize("step", [1, 2, 11, 27])
@pytest.mark.parametrize("n_samples", [1, 100, 20_001])
def test_decimated_is_what_resample_poly_gives(noise: Synth, step: int, n_samples: int) -> None:
    waveform = noise(n_samples, channels=1)[0]
    expected = resample_poly(waveform, 1, step, window=("kaiser", 8.0)) if step > 1 else waveform
    assert decimated(waveform, step, 8.0) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("step", [2, 27])
@pytest.mark.parametrize("n_samples", [1, 100, 20_001])
def test_low_passed_is_a_convolution_with_firwin(noise: Synth, step: int, n_samples: int) -> None:
    waveform = noise(n_samples, channels=1)[0]
    taps = firwin(20 * step + 1, 1 / step, window=("kaiser", 5.0))
    expected = np.convolve(waveform, taps)[10 * step :][:n_samples]
    assert low_passed(waveform, step, 5.0) == pytest.approx(expected, abs=1e-14)


def test_a_step_of_one_passes_everything(noise: Synth) -> None:
    waveform = noise(100, channels=1)[0]
    found = low_passed(waveform, 1, 5.0)
    assert (found == waveform).all()
    assert found is not waveform
