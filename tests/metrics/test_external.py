"""What the adapters give to the packages, what they refuse; the packages themselves where they are installed."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from concertclean.errors import ConfigError, MetricError
from concertclean.metrics.external import visqol, zimtohrli

RATE = 48_000
METRICS = [visqol, zimtohrli]


@pytest.fixture
def heard(monkeypatch):
    """Both packages replaced by ones that note what they get and always say 3, then 4."""
    calls = []

    def opinion(reference, estimate, *rate):
        calls.append((reference, estimate, *rate))
        return 2.0 + len(calls)

    class Api:
        def create(self, mode):
            assert mode == "audio"

        def measure_from_arrays(self, reference, estimate, sample_rate):
            return SimpleNamespace(moslqo=opinion(reference, estimate, sample_rate))

    monkeypatch.setitem(sys.modules, "visqol", SimpleNamespace(VisqolApi=Api))
    monkeypatch.setitem(sys.modules, "zimtohrli", SimpleNamespace(mos_from_signals=opinion))
    return calls


@pytest.fixture
def pair(tone, noise):
    reference = tone(440, 2 * RATE, sample_rate=RATE) * [[1.0], [0.5]]
    return reference, reference + noise(2 * RATE, level=0.01)


def test_visqol_hears_the_mean_of_the_channels(heard, pair):
    assert visqol(*pair, RATE) == 3.0
    ((reference, estimate, rate),) = heard
    assert rate == RATE
    assert np.array_equal(reference, pair[0].mean(axis=0))
    assert np.array_equal(estimate, pair[1].mean(axis=0))


def test_zimtohrli_hears_each_channel(heard, pair):
    assert zimtohrli(*pair, RATE) == 3.5
    assert [call[0].dtype for call in heard] == [np.float32] * 2
    assert np.array_equal(heard[1][0], pair[0][1].astype(np.float32))
    assert np.array_equal(heard[1][1], pair[1][1].astype(np.float32))


@pytest.mark.parametrize("metric", METRICS)
def test_other_rates_come_to_48_khz(metric, heard, pair):
    metric(*pair, 32_000)
    assert heard[0][0].shape == heard[0][1].shape == (3 * RATE,)


@pytest.mark.parametrize(("metric", "package"), [(visqol, "visqol-python"), (zimtohrli, "zimtohrli")])
def test_a_missing_package_is_named(metric, package, pair, monkeypatch):
    monkeypatch.setitem(sys.modules, metric.__name__, None)
    with pytest.raises(ConfigError, match=f"pip install {package}"):
        metric(*pair, RATE)


@pytest.mark.parametrize("metric", METRICS)
class TestEveryMetric:
    def test_bad_input_raises(self, metric, heard, pair):
        for estimate in (pair[1][:, :-1], pair[1][:1], np.full_like(pair[1], np.nan)):
            with pytest.raises(ValueError, match=r"shapes|NaN"):
                metric(pair[0], estimate, RATE)
        with pytest.raises(ValueError, match="sample_rate is 0"):
            metric(*pair, 0)
        assert heard == []

    def test_what_the_packages_cannot_do_never_reaches_them(self, metric, heard, pair):
        silent = np.zeros_like(pair[0])
        for reference, estimate in ((silent, pair[1]), (pair[0], silent)):
            with pytest.raises(MetricError, match="silent"):
                metric(reference, estimate, RATE)
        with pytest.raises(MetricError, match="shorter than a second"):
            metric(pair[0][:, : RATE - 1], pair[1][:, : RATE - 1], RATE)
        assert heard == []

    def test_the_package_itself(self, metric, pair):
        """Identity is best, noise is worse; 1 to 5."""
        pytest.importorskip(metric.__name__, reason="an optional package")
        worse = [metric(pair[0], (1 - a) * pair[0] + a * pair[1], RATE) for a in (0, 0.1, 1)]
        assert worse == sorted(worse, reverse=True)
        assert 5.0 >= worse[0] > 4.7
        assert 1.0 <= worse[-1] < 4.5


def test_a_side_without_a_middle_is_no_silence_to_visqol(heard, tone):
    one = tone(440, RATE, sample_rate=RATE)
    visqol(one * [[1], [-1]], one * [[1], [-0.5]], RATE)
    ((reference, estimate, _),) = heard
    assert reference == pytest.approx(one[0])
    assert estimate == pytest.approx(0.75 * one[0])
