"""Values known on paper and from others, and the four every metric keeps: bad input, silence, identity, order."""

import json
from pathlib import Path

import numpy as np
import pytest

from concertclean.errors import MetricError
from concertclean.metrics.sdr import segmental_snr, si_sdr, snr
from tests.reference.make_metrics import pairs

STORED = json.loads((Path(__file__).parents[1] / "reference/metrics.json").read_text())["pairs"]


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


@pytest.mark.parametrize("name", STORED)
@pytest.mark.parametrize(
    ("metric", "program"), [(snr, "torchmetrics"), (si_sdr, "torchmetrics"), (segmental_snr, "museval")]
)
def test_other_programs_agree(metric, program, name):
    """To 0.01 dB, the finest digit that tables print."""
    assert metric(*pairs()[name]) == pytest.approx(STORED[name][f"{metric.__name__} {program}"], abs=0.01)


def test_segmental_snr_counts_every_frame_alike(pair):
    """Two frames at 10 dB and one at 30: SNR hears the loud error, the segmental SNR the mean."""
    reference = pair[0][:, : 3 * 1024]
    parts = [with_ratio(r, e, db) for r, e, db in zip(*_thirds(pair), (10, 10, 30), strict=True)]
    assert segmental_snr(reference, np.concatenate(parts, axis=1)) == pytest.approx(50 / 3, abs=0.2)


def _thirds(pair):
    return ([wave[:, 1024 * i : 1024 * (i + 1)] for i in range(3)] for wave in pair)


def test_segmental_snr_stays_in_its_range(pair):
    assert segmental_snr(pair[0], pair[0]) == 35.0
    assert segmental_snr(pair[0], with_ratio(*pair, -60.0)) == -10.0


def test_segmental_snr_leaves_out_silent_frames_and_the_rest_at_the_end(pair):
    reference, estimate = pair[0].copy(), with_ratio(*pair, 10.0)
    reference[:, 1024:2048] = 0
    expected = segmental_snr(
        np.delete(reference[:, : 43 * 1024], slice(1024, 2048), axis=1),
        np.delete(estimate[:, : 43 * 1024], slice(1024, 2048), axis=1),
    )
    assert segmental_snr(reference, estimate) == pytest.approx(expected, abs=1e-12)
    reference[1] = 0
    assert segmental_snr(reference, estimate) == pytest.approx(segmental_snr(reference[:1], estimate[:1]), abs=1e-12)


def test_segmental_snr_needs_a_frame_that_sounds(pair):
    with pytest.raises(MetricError, match="needs 1024 samples"):
        segmental_snr(pair[0][:, :1023], pair[1][:, :1023])
    with pytest.raises(MetricError, match="silent"):
        segmental_snr(np.zeros_like(pair[0]), pair[1])


@pytest.mark.parametrize("metric", [snr, si_sdr, segmental_snr])
class TestEveryMetric:
    def test_bad_input_raises(self, metric, pair):
        for estimate in (pair[1][:, :-1], pair[1][:1], np.full_like(pair[1], np.nan)):
            with pytest.raises(ValueError, match=r"shapes|NaN"):
                metric(pair[0], estimate)

    def test_silence_is_defined(self, metric, pair):
        silent = np.zeros_like(pair[0])
        if metric is segmental_snr:
            assert metric(pair[0], silent) == pytest.approx(0.0, abs=1e-12)
            return
        assert metric(silent, pair[1]) == -np.inf
        assert metric(silent, silent) == -np.inf
        assert metric(pair[0], silent) == (0.0 if metric is snr else -np.inf)

    def test_identity_is_best(self, metric, pair):
        best = metric(pair[0], pair[0])
        assert best == 35.0 if metric is segmental_snr else best == np.inf or best > 250

    def test_worse_scores_lower(self, metric, pair):
        scores = [metric(pair[0], with_ratio(*pair, ratio)) for ratio in (20, 10, 0, -10)]
        assert scores == sorted(scores, reverse=True)

    def test_a_silent_channel_beside_a_perfect_one_is_no_nan(self, metric, pair):
        reference = pair[0].copy()
        reference[1] = 0
        assert not np.isnan(metric(reference, reference))


@pytest.mark.parametrize("gain", [1.0, 0.3, -2.0])
def test_the_same_at_any_gain_is_perfect_to_si_sdr_whatever_the_arithmetic_leaves(gain: float) -> None:
    reference = np.random.default_rng(8).standard_normal((2, 441_000))
    assert si_sdr(reference, gain * reference) == np.inf
    nearly = gain * reference + 1e-12 * np.random.default_rng(9).standard_normal((2, 441_000))
    assert si_sdr(reference, nearly) == pytest.approx(240 + 20 * np.log10(abs(gain)), abs=0.1)
