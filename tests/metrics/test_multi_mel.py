"""Multi-mel-SNR against torchaudio's mel spectra, values known on paper, and what must not matter."""

import json
from pathlib import Path

import numpy as np
import pytest

from concertclean.errors import MetricError
from concertclean.metrics.multi_mel import RATE, multi_mel_snr
from tests.reference.make_metrics import pairs

STORED = json.loads((Path(__file__).parents[1] / "reference/metrics.json").read_text())["pairs"]


@pytest.mark.parametrize("name", STORED)
def test_the_same_formula_on_the_spectra_of_torchaudio(name):
    """Its filters are in single precision."""
    assert multi_mel_snr(*pairs()[name], RATE) == pytest.approx(STORED[name]["multi_mel_snr torchaudio"], abs=1e-5)


def test_an_equal_estimate_is_infinitely_good(noise):
    waveform = noise(RATE // 2)
    assert multi_mel_snr(waveform, waveform, RATE) == np.inf


@pytest.mark.parametrize("gain", [0.3, -1.7, 20.0])
def test_level_and_polarity_do_not_matter(noise, gain):
    reference, estimate = noise(RATE // 2, seed=1), noise(RATE // 2, seed=1) + noise(RATE // 2, seed=2)
    assert multi_mel_snr(reference, gain * reference, RATE) > 250
    expected = multi_mel_snr(reference, estimate, RATE)
    assert multi_mel_snr(reference, gain * estimate, RATE) == pytest.approx(expected, abs=1e-9)


def test_a_tone_in_one_channel_that_is_put_into_both(tone):
    """The factor is 1/2, so both channels hold a quarter of the power: errors of 3/4 and 1/4."""
    both = tone(1000, RATE // 2, sample_rate=RATE)
    one = both * [[1.0], [0.0]]
    assert multi_mel_snr(one, both, RATE) == pytest.approx(10 * np.log10(1 / (9 / 16 + 1 / 16)), abs=1e-9)


def test_silence_scores_zero(noise):
    reference = noise(RATE // 2)
    assert multi_mel_snr(reference, np.zeros_like(reference), RATE) == pytest.approx(0.0)


def test_the_rate_of_the_files_hardly_matters(tone):
    """Tones below 16 kHz, sampled at two rates."""
    values = []
    for rate in (44_100, RATE):
        reference, other = (tone(hz, rate, sample_rate=rate, channels=1) for hz in (3000, 5000))
        values.append(multi_mel_snr(reference, reference + 0.3 * other, rate))
    assert values[0] == pytest.approx(values[1], abs=0.05)


def test_what_has_no_value(noise):
    with pytest.raises(MetricError, match="more than 1024 samples"):
        multi_mel_snr(noise(1024), noise(1024), RATE)
    with pytest.raises(MetricError, match="silent"):
        multi_mel_snr(np.zeros((2, 4096)), noise(4096), RATE)
    with pytest.raises(ValueError, match="shapes"):
        multi_mel_snr(noise(4096), noise(4097), RATE)
