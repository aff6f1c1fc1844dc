"""Spectral distances against torch's spectra, values known on paper, and the four every metric keeps."""

import json
from pathlib import Path

import numpy as np
import pytest

from concertclean.errors import MetricError
from concertclean.metrics.spectral import log_spectral_distance, multi_resolution_stft
from tests.reference.make_metrics import pairs

STORED = json.loads((Path(__file__).parents[1] / "reference/metrics.json").read_text())["pairs"]
METRICS = [log_spectral_distance, multi_resolution_stft]


@pytest.fixture
def pair(noise):
    return noise(16_000, seed=1), noise(16_000, seed=2)


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize("metric", METRICS)
def test_the_same_formulas_on_spectra_of_torch(metric, name):
    """Both work in double precision."""
    assert metric(*pairs()[name]) == pytest.approx(STORED[name][f"{metric.__name__} torch"], rel=1e-9)


@pytest.mark.parametrize("gain_db", [-20.0, -6.0, 12.0])
def test_a_gain_is_its_distance(pair, gain_db):
    """The logarithm of a gain is a constant; white noise lies far above the floor in all bins but a handful."""
    gain = 10 ** (gain_db / 20)
    assert log_spectral_distance(pair[0], gain * pair[0]) == pytest.approx(abs(gain_db), abs=1e-3)
    # Convergence |1 - gain|, logarithm |ln gain|.
    expected = abs(1 - gain) + abs(np.log(gain))
    assert multi_resolution_stft(pair[0], gain * pair[0]) == pytest.approx(expected, abs=1e-4)


def test_a_full_scale_sine_against_silence_fills_the_range_of_its_bins(tone):
    """The window spreads a sine over three bins, 0 and -6 dB: rms over 1025 bins of 120, 114, 114 dB."""
    sine = tone(48_000 / 2048 * 100, 8192, sample_rate=48_000, channels=1, level=1.0)
    expected = np.sqrt((120**2 + 2 * (120 - 6.0206) ** 2) / 1025)
    assert log_spectral_distance(sine, np.zeros_like(sine)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("metric", METRICS)
def test_phase_and_polarity_do_not_matter(metric, pair):
    assert metric(pair[0], -pair[0]) == 0.0


def test_long_recordings_are_measured_in_pieces(noise):
    """The mean over all frames is the mean of the halves when a frame ends between them."""
    reference, estimate = noise(2048 * 1200, channels=1, seed=3), noise(2048 * 1200, channels=1, seed=4)
    halves = [
        log_spectral_distance(*(w[:, at : at + 2048 * 600] for w in (reference, estimate)), hop_length=2048)
        for at in (0, 2048 * 600)
    ]
    assert log_spectral_distance(reference, estimate, hop_length=2048) == pytest.approx(np.mean(halves), abs=1e-9)


def test_digital_silence_and_dither_are_nearly_alike():
    """Noise of two 16-bit rectangles lies at -122 dB a bin, under the floor; its peaks reach over it."""
    rng = np.random.default_rng(5)
    dithered = np.round(rng.random((1, 44_100)) - rng.random((1, 44_100))) / 32768
    assert log_spectral_distance(np.zeros_like(dithered), dithered) < 3


def test_silent_reference_has_no_convergence(pair):
    with pytest.raises(MetricError, match="silent"):
        multi_resolution_stft(np.zeros_like(pair[0]), pair[1])


@pytest.mark.parametrize("metric", METRICS)
class TestEveryMetric:
    def test_bad_input_raises(self, metric, pair):
        for estimate in (pair[1][:, :-1], pair[1][:1], np.full_like(pair[1], np.nan)):
            with pytest.raises(ValueError, match=r"shapes|NaN"):
                metric(pair[0], estimate)

    def test_too_short_is_told(self, metric, pair):
        with pytest.raises(MetricError, match="got 2047"):
            metric(pair[0][:, :2047], pair[1][:, :2047])

    def test_silence_is_defined(self, metric, pair):
        silent = np.zeros_like(pair[0])
        assert np.isfinite(metric(pair[0], silent))
        if metric is log_spectral_distance:
            assert metric(silent, silent) == 0.0
            assert metric(silent, pair[0]) == metric(pair[0], silent)

    def test_identity_is_best(self, metric, pair):
        assert metric(pair[0], pair[0]) == 0.0

    def test_worse_is_farther(self, metric, pair):
        distances = [metric(pair[0], pair[0] + amount * pair[1]) for amount in (0.01, 0.1, 0.5, 1.0, 3.0)]
        assert distances == sorted(distances)
        assert distances[0] > 0
