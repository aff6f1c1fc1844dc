"""Values known on paper, and the four every metric keeps: bad input, silence, identity, order."""

import numpy as np
import pytest

from concertclean.metrics.sdr import si_sdr, snr


@pytest.fixture
def pair(noise):
    return noise(44_100, seed=1), noise(44_100, seed=2)


def with_ratio(reference, error, ratio_db):
    scale = np.sqrt(np.square(reference).sum() / np.square(error).sum() / 10 ** (ratio_db / 10))
    return reference + scale * error


@pytest.mark.parametrize("ratio_db", [-10.0, 0.0, 5.0, 40.0])
def test_snr_is_the_ratio_that_was_mixed(pair, ratio_db):
    assert snr(pair[0], with_ratio(*pair, ratio_db)) == pytest.approx(ratio_db, abs=1e-9)


@pytest.mark.parametrize("ratio_db", [-10.0, 0.0, 5.0, 40.0])
def test_si_sdr_is_the_ratio_of_uncorrelated_noise(pair, ratio_db):
    """White noises of a second are uncorrelated to about 1/sqrt(44100), which moves the ratio by under 0.2 dB."""
    assert si_sdr(pair[0], with_ratio(*pair, ratio_db)) == pytest.approx(ratio_db, abs=0.2)


def test_si_sdr_forgives_gain_and_offset_and_snr_does_not(pair):
    estimate = with_ratio(*pair, 10.0)
    assert si_sdr(pair[0], 0.25 * estimate + 0.1) == pytest.approx(si_sdr(pair[0], estimate), abs=1e-6)
    # The error of half the gain is half the signal: 6.02 dB.
    assert snr(pair[0], 0.5 * pair[0]) == pytest.approx(6.0206, abs=1e-3)


def test_attenuation_raises_snr_but_not_si_sdr(pair):
    """Why both are told: at -10 dB a tenth of everything looks 10 dB better to SNR."""
    degraded = with_ratio(*pair, -10.0)
    assert snr(pair[0], 0.1 * degraded) > snr(pair[0], degraded) + 9
    assert si_sdr(pair[0], 0.1 * degraded) == pytest.approx(si_sdr(pair[0], degraded), abs=1e-6)


@pytest.mark.parametrize("metric", [snr, si_sdr])
class TestEveryMetric:
    def test_bad_input_raises(self, metric, pair):
        for estimate in (pair[1][:, :-1], pair[1][:1], np.full_like(pair[1], np.nan)):
            with pytest.raises(ValueError, match=r"shapes|finite"):
                metric(pair[0], estimate)

    def test_silence_is_defined(self, metric, pair):
        silent = np.zeros_like(pair[0])
        assert metric(silent, pair[1]) == -np.inf
        assert metric(silent, silent) == -np.inf
        assert metric(pair[0], silent) == (0.0 if metric is snr else -np.inf)

    def test_identity_is_best(self, metric, pair):
        assert metric(pair[0], pair[0]) == np.inf or metric(pair[0], pair[0]) > 250

    def test_worse_scores_lower(self, metric, pair):
        scores = [metric(pair[0], with_ratio(*pair, ratio)) for ratio in (20, 10, 0, -10)]
        assert scores == sorted(scores, reverse=True)

    def test_a_silent_channel_beside_a_perfect_one_is_no_nan(self, metric, pair):
        reference = pair[0].copy()
        reference[1] = 0
        assert not np.isnan(metric(reference, reference))
