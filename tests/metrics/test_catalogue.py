"""Every name gives what it announces, once computed, defined or with a reason."""

import math

import numpy as np
import pytest

from concertclean.errors import ConfigError, MetricError
from concertclean.metrics import bss_eval, catalogue, sdr
from concertclean.metrics.catalogue import METRICS, Metric, Score, measure, scores_of
from concertclean.metrics.peaq import peaq

RATE = 48_000
OWN = [name for name in METRICS if name not in ("visqol", "zimtohrli")]  # those two are packages of others


@pytest.fixture(scope="module")
def sounds():
    """Music of three seconds, noise, and an estimate that holds a third of the noise."""
    rng = np.random.default_rng(5)
    time_axis = np.arange(3 * RATE) / RATE
    tones = np.array([np.sin(2 * np.pi * f * time_axis) * (0.6 + 0.4 * np.sin(5 * time_axis)) for f in (440.0, 662.0)])
    noise = 0.05 * rng.standard_normal(tones.shape)
    return 0.3 * tones, 0.3 * tones + 0.3 * noise, noise


def test_every_metric_gives_the_scores_it_announces(sounds):
    reference, estimate, noise = sounds
    scores, remarks = measure(OWN, reference, estimate, RATE, noise)
    assert list(scores) == [score.name for score in scores_of(OWN)]
    # The noise hides where the band of the music ends, and 48 kHz is not the rate of every ear.
    assert all(remark.startswith(("peaq: ", "pemoq_like: ")) for remark in remarks)
    assert all(isinstance(value, float) and not math.isnan(value) for value in scores.values())


def loss(score, value):
    """How far a score is from the best end of its scale; less is better."""
    return {"higher": -value, "lower": value, "zero": abs(value)}[score.better]


BANDWIDTHS = {"BandwidthRefB", "BandwidthTestB"}  # which noise makes wider


@pytest.mark.parametrize("name", OWN)
def test_nothing_scores_better_than_the_reference_itself(sounds, name):
    reference, noisy, noise = sounds
    same, _ = measure([name], reference, reference.copy(), RATE, noise)
    swell = np.linspace(0.2, 1.0, reference.shape[1])
    worse = [measure([name], reference, other, RATE, noise)[0] for other in (noisy, swell * noisy[::-1])]
    for score in METRICS[name].scores:
        if score.name in BANDWIDTHS:
            continue
        best, others = loss(score, same[score.name]), [loss(score, found[score.name]) for found in worse]
        assert best <= min(others), score.name
        if score.better != "higher" and score.name != "TotalNMRB":  # a level, which goes below 0 dB
            assert best == pytest.approx(0, abs=1e-9), score.name
        if score.name != "lra":  # three seconds have one loudness, so a range of zero
            assert best < max(others), score.name


def test_values_are_those_of_the_metrics_themselves(sounds):
    reference, estimate, noise = sounds
    scores, _ = measure(["snr", "sdr", "peaq", "sir"], reference, estimate, RATE, noise)
    assert scores["snr"] == sdr.snr(reference, estimate)
    assert scores["sdr"] == bss_eval.sdr(reference, estimate)
    found = peaq(reference, estimate, RATE)
    assert (scores["odg"], scores["di"]) == (found.odg, found.di)
    # All that is wrong is a third of the noise: interference, no artifacts.
    assert scores["sir"] == pytest.approx(scores["snr"], abs=0.3)


def test_what_shares_a_computation_is_computed_once(sounds, monkeypatch):
    calls = []

    def family(given):
        calls.append(given)
        return {"one": 1.0, "two": 2.0}, ["told"]

    for name in ("one", "two"):
        monkeypatch.setitem(METRICS, name, Metric(name, (Score(name),), family))
    assert measure(["two", "one"], *sounds[:2], RATE) == ({"two": 2.0, "one": 1.0}, ["two: told"])
    assert len(calls) == 1


def test_what_is_not_defined_is_none_with_a_reason(sounds):
    silent = np.zeros_like(sounds[0])
    scores, remarks = measure(["peaq", "snr"], silent, sounds[1], RATE)
    assert (scores["odg"], scores["di"], scores["snr"]) == (None, None, -math.inf)
    (remark,) = remarks
    assert remark.startswith("peaq: ")
    scores, remarks = measure(["sir"], *sounds[:2], RATE)
    assert scores == {"sir": None}
    assert "noisy recording" in remarks[0]


def test_an_unknown_name_lists_the_known(sounds):
    with pytest.raises(ConfigError, match="sdrr: unknown metric; choose from snr, segsnr"):
        measure(["sdrr"], *sounds[:2], RATE)


def test_a_metric_error_stops_only_its_own_family(sounds, monkeypatch):
    def broken(given):
        raise MetricError("too loud")

    monkeypatch.setitem(METRICS, "loud", Metric("loud", (Score("loud"),), broken))
    assert measure(["loud", "snr"], *sounds[:2], RATE)[0] == {"loud": None, "snr": sdr.snr(*sounds[:2])}
    assert catalogue.scores_of(["loud"]) == [Score("loud")]
