"""Changes of level known on paper, against other programs, and the four every metric keeps."""

import json
from pathlib import Path

import numpy as np
import pytest

from concertclean.dsp.levels import LoudnessMeter
from concertclean.dsp.true_peak import TruePeakMeter
from concertclean.errors import MetricError
from concertclean.metrics.loudness import loudness_change, loudness_range_change, true_peak_change
from tests.reference.make_metrics import RATE, pairs

STORED = json.loads((Path(__file__).parents[1] / "reference/metrics.json").read_text())["levels"]


def true_peak_at(reference, estimate, sample_rate):
    assert sample_rate == RATE
    return true_peak_change(reference, estimate)


CHANGES = [loudness_change, loudness_range_change, true_peak_at]


@pytest.fixture
def music():
    return pairs()["stereo"]


@pytest.mark.parametrize("name", STORED)
def test_meters_read_what_other_programs_read(name):
    """Loudness to the rounding; true peaks to the 0.05 dB by which two interpolators differ."""
    waveform, _ = pairs()[name]
    loudness, peak = LoudnessMeter(RATE, len(waveform)), TruePeakMeter(len(waveform))
    loudness.add(waveform)
    peak.add(waveform)
    assert loudness.integrated() == pytest.approx(STORED[name]["integrated pyebur128"], abs=0.001)
    assert loudness.integrated() == pytest.approx(STORED[name]["integrated pyloudnorm"], abs=0.001)
    assert peak.peak_db == pytest.approx(STORED[name]["true_peak pyebur128"], abs=0.05)


@pytest.mark.parametrize("gain_db", [-12.0, 3.0])
def test_a_gain_changes_level_and_peak_and_not_the_range(music, gain_db):
    louder = music[0] * 10 ** (gain_db / 20)
    assert loudness_change(music[0], louder, RATE) == pytest.approx(gain_db, abs=1e-9)
    assert true_peak_change(music[0], louder) == pytest.approx(gain_db, abs=1e-9)
    assert loudness_range_change(music[0], louder, RATE) == pytest.approx(0.0, abs=1e-9)


def test_a_quieter_half_widens_the_range(noise):
    """White noise, the second half at -12 dB: the range grows by those 12 dB."""
    reference = noise(20 * RATE, channels=1)
    estimate = reference.copy()
    estimate[:, 10 * RATE :] *= 10 ** (-12 / 20)
    assert loudness_range_change(reference, estimate, RATE) == pytest.approx(12.0, abs=0.2)


def test_what_has_no_loudness(music):
    faint = 1e-5 * music[0]
    for change in (loudness_change, loudness_range_change):
        with pytest.raises(MetricError, match="-70 LUFS"):
            change(faint, music[0], RATE)
    with pytest.raises(MetricError, match="shorter than 400 ms"):
        loudness_change(music[0][:, :6000], music[1][:, :6000], RATE)
    with pytest.raises(MetricError, match="shorter than 3 s"):
        loudness_range_change(music[0][:, :47_999], music[1][:, :47_999], RATE)
    assert true_peak_change(faint[:, :1], music[0][:, :1]) > 90


@pytest.mark.parametrize("metric", CHANGES)
class TestEveryMetric:
    def test_bad_input_raises(self, metric, music):
        for estimate in (music[1][:, :-1], music[1][:1], np.full_like(music[1], np.inf)):
            with pytest.raises(ValueError, match=r"shapes|NaN"):
                metric(music[0], estimate, RATE)

    def test_silence_is_defined(self, metric, music):
        silent = np.zeros_like(music[0])
        with pytest.raises(MetricError, match=r"silent|-70 LUFS"):
            metric(silent, music[1], RATE)
        if metric is loudness_range_change:
            with pytest.raises(MetricError, match="-70 LUFS"):
                metric(music[0], silent, RATE)
        else:
            assert metric(music[0], silent, RATE) == -np.inf

    def test_identity_is_no_change(self, metric, music):
        assert metric(music[0], music[0], RATE) == 0.0
        assert metric(music[0][:1], music[0][:1].astype(np.float64), RATE) == 0.0

    def test_there_and_back_is_no_change(self, metric, music):
        assert metric(*music, RATE) == pytest.approx(-metric(*music[::-1], RATE), abs=1e-12)

    def test_more_change_is_farther(self, metric, music):
        """Ever more of the music's second half is taken away, then all of it turned up."""
        fade = np.linspace(1, 0, music[0].shape[1])
        farther = [abs(metric(music[0], 3**n * music[0] * fade**n, RATE)) for n in range(4)]
        assert farther == sorted(farther)


@pytest.mark.parametrize("metric", [loudness_change, loudness_range_change])
def test_rate_must_be_positive(metric, music):
    with pytest.raises(ValueError, match="sample_rate is 0"):
        metric(*music, 0)
