"""Changes of the stereo image known on paper, and the four every metric keeps."""

import numpy as np
import pytest

from concertclean.errors import MetricError
from concertclean.metrics.stereo import balance_change, correlation_change, mid_side_change

METRICS = [mid_side_change, balance_change, correlation_change]


@pytest.fixture
def wide(noise):
    """Two independent channels of exactly equal energy and no correlation."""
    left, right = noise(8000, seed=1)
    right = right - left * (left @ right) / (left @ left)
    return np.stack([left, right * np.sqrt((left @ left) / (right @ right))])


def with_side(waveform, gain):
    mid, side = waveform.sum(axis=0) / 2, (waveform[0] - waveform[1]) / 2
    return np.stack([mid + gain * side, mid - gain * side])


@pytest.mark.parametrize("gain", [0.1, 0.5, 2.0])
def test_gain_of_the_side(wide, gain):
    """Mid and side of the reference have equal energy: correlation (1 - g²) / (1 + g²)."""
    found = with_side(wide, gain)
    assert mid_side_change(wide, found) == pytest.approx(-20 * np.log10(gain), abs=1e-9)
    assert correlation_change(wide, found) == pytest.approx((1 - gain**2) / (1 + gain**2), abs=1e-9)
    assert balance_change(wide, found) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("gain_db", [-6.0, 20.0])
def test_gain_of_the_left(wide, gain_db):
    found = wide * [[10 ** (gain_db / 20)], [1.0]]
    assert balance_change(wide, found) == pytest.approx(gain_db, abs=1e-9)
    assert correlation_change(wide, found) == pytest.approx(0.0, abs=1e-9)


def test_ends_of_the_scales(wide):
    one_sided, pure_mid, pure_side = wide * [[1.0], [0.0]], wide[[0, 0]], wide[[0, 0]] * [[1], [-1]]
    assert balance_change(one_sided, 0.5 * one_sided) == 0.0
    assert balance_change(wide, one_sided) == np.inf
    assert balance_change(wide, one_sided[::-1]) == -np.inf
    assert balance_change(one_sided, one_sided[::-1]) == -np.inf
    assert mid_side_change(pure_mid, 0.5 * pure_mid) == 0.0
    assert mid_side_change(wide, pure_mid) == np.inf
    assert mid_side_change(pure_mid, wide) == -np.inf
    assert mid_side_change(wide, pure_side) == -np.inf
    assert correlation_change(pure_mid, pure_side) == pytest.approx(-2.0, abs=1e-12)
    with pytest.raises(MetricError, match="a channel is silent"):
        correlation_change(wide, one_sided)


@pytest.mark.parametrize("metric", METRICS)
class TestEveryMetric:
    def test_bad_input_raises(self, metric, wide):
        for estimate in (wide[:, :-1], wide[:1], np.full_like(wide, np.nan)):
            with pytest.raises(ValueError, match=r"shapes|NaN"):
                metric(wide, estimate)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_only_stereo_has_an_image(self, metric, noise, channels):
        with pytest.raises(MetricError, match=f"needs 2 channels, got {channels}"):
            metric(*[noise(100, channels=channels)] * 2)

    def test_silence_has_no_image(self, metric, wide):
        silent = np.zeros_like(wide)
        for pair in ((silent, wide), (wide, silent), (silent, silent)):
            with pytest.raises(MetricError, match="silent"):
                metric(*pair)

    def test_identity_and_gain_are_no_change(self, metric, wide):
        assert metric(wide, wide) == 0.0
        assert metric(wide, -0.3 * wide) == pytest.approx(0.0, abs=1e-12)

    def test_more_change_is_farther(self, metric, wide):
        move = with_side if metric is not balance_change else lambda w, gain: w * [[gain], [1.0]]
        changes = [abs(metric(wide, move(wide, gain))) for gain in (1.0, 0.9, 0.5, 0.1)]
        assert changes == sorted(changes)
