"""BSS Eval against mir_eval, museval, torchmetrics and fast_bss_eval; filters it forgives; degenerate music."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from concertclean.errors import MetricError
from concertclean.metrics.bss_eval import ImageScores, images, sdr, sources
from concertclean.metrics.sdr import snr
from tests.reference.make_metrics import RATE, pairs, separations

STORED = json.loads((Path(__file__).parents[1] / "reference/metrics.json").read_text())
RATIOS = ("sdr", "isr", "sir", "sar")


@pytest.fixture
def mono(noise):
    return noise(22_050, channels=1, seed=1), noise(22_050, channels=1, seed=2)


def with_ratio(reference, error, ratio_db):
    scale = np.sqrt(np.square(reference).sum() / np.square(error).sum() / 10 ** (ratio_db / 10))
    return reference + scale * error


@pytest.mark.parametrize("name", STORED["pairs"])
def test_sdr_is_that_of_other_programs(name):
    """0.01 dB is the finest digit that tables print."""
    expected = {who: value for who, value in STORED["pairs"][name].items() if who.startswith("sdr ")}
    found = sdr(*pairs()[name])
    assert len(expected) >= 1
    assert all(value == pytest.approx(found, abs=0.01) for value in expected.values())


@pytest.mark.parametrize("name", STORED["separations"])
def test_sources_are_those_of_mir_eval(name):
    references, estimates = separations()[name]
    scores = sources(references[:, 0], estimates[:, 0])
    for found, expected in zip((scores.sdr, scores.sir, scores.sar), _floats(STORED, name, "sources"), strict=True):
        assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("name", STORED["separations"])
def test_images_are_those_of_museval(name):
    references, estimates = separations()[name]
    scores = images(references, estimates, RATE)
    expected = _floats(STORED, name, "images")
    silent = np.isinf(expected[0]).any(axis=0)  # no SDR of these signals is perfect
    assert np.array_equal(scores.is_silent, silent)
    for ratio, values in zip(RATIOS, expected, strict=True):
        assert getattr(scores, ratio) == pytest.approx(values[:, ~silent], abs=0.01)
        assert scores.median()[ratio] == pytest.approx(np.median(values[:, ~silent], axis=1), abs=0.01)


def _floats(stored, name, kind):
    """Stored ratios; what is no number there is inf (one source has no interference) or a silent window."""
    (values,) = (value for who, value in stored["separations"][name].items() if who.startswith(kind))
    return [np.array(ratio, dtype=object).astype(float).copy() for ratio in _inf_for_none(values)]


def _inf_for_none(values):
    return [_inf_for_none(v) if isinstance(v, list) else np.inf if v is None else v for v in values]


def test_a_short_filter_is_forgiven_and_a_longer_delay_is_not(mono):
    reference = mono[0].copy()
    reference[:, -700:] = 0  # nothing runs out of the recording
    filtered = lfilter(np.random.default_rng(3).normal(size=512), 1, reference)
    assert sdr(reference, filtered) > 150
    assert sdr(reference, np.roll(reference, 511)) > 150
    assert sdr(reference, np.roll(reference, 512)) < 0


def test_an_equaliser_is_forgiven_where_the_reference_is_quiet(mono):
    """Noise through 1 / A is red; A, four taps, makes it white again, so the SDR is infinite on paper.

    A = (1 - 0.95 z⁻¹)³ lies between 0.05³ and 1.95³, 95.5 dB apart, so the power densities of the reference span
    10^9.55. Double precision solves such a system to about 10^9.55 · 2.2e-16 of the amplitude, -122 dB. Without the
    refinement, the load on the diagonal attenuates the filter in the highs and leaves 75 dB.
    """
    excitation = mono[0].copy()
    excitation[:, -1500:] = 0
    whitening = np.poly([0.95] * 3)
    reference = lfilter([1], whitening, excitation)
    reference[:, -700:] = 0  # nothing runs out of the recording; 0.95^800 is nothing
    assert sdr(reference, lfilter(whitening, 1, reference)) > 122


def test_gain_and_level_do_not_matter(mono):
    """Also where squares of samples are too small for a float."""
    reference, error = mono
    estimate = with_ratio(reference, error, 10.0)
    expected = sdr(reference, estimate)
    assert sdr(reference, -0.01 * estimate) == pytest.approx(expected, abs=1e-9)
    assert sdr(1e-200 * reference, estimate) == pytest.approx(expected, abs=1e-9)
    quiet = images(1e-170 * reference[None], 1e-170 * estimate[None], 22_050)
    assert quiet.sdr[0, 0] == pytest.approx(snr(reference, estimate), abs=1e-6)


def test_float32_is_measured_like_float64(mono):
    reference, estimate = mono[0].astype(np.float32), with_ratio(*mono, 20.0).astype(np.float32)
    wide = reference.astype(np.float64), estimate.astype(np.float64)
    assert sdr(reference, estimate) == sdr(*wide)
    narrow, exact = images(reference[None], estimate[None], 8000), images(wide[0][None], wide[1][None], 8000)
    assert np.array_equal(narrow.isr, exact.isr)


def test_a_channel_counts_as_much_as_the_other(mono):
    left, right = with_ratio(*mono, 30.0), with_ratio(*mono, 10.0)
    both = sdr(np.concatenate([mono[0]] * 2), np.concatenate([left, right]))
    assert both == pytest.approx((sdr(mono[0], left) + sdr(mono[0], right)) / 2, abs=1e-9)


def test_interference_and_artifacts_go_their_own_ways(mono):
    """Uncorrelated and half a second: what 512 taps explain of white noise is 512 / 22050 of it."""
    reference, other = mono
    artifact = np.random.default_rng(4).uniform(-0.1, 0.1, reference.shape)
    references = np.concatenate([reference, other])
    estimates = np.concatenate([reference + 0.1 * other, other + 0.01 * artifact])
    scores = sources(references, estimates)
    assert scores.sir[0] == pytest.approx(20.0, abs=0.2)
    assert scores.sar[0] > 60
    assert scores.sar[1] == pytest.approx(40.0, abs=0.4)
    assert scores.sdr[1] == pytest.approx(40.0, abs=0.4)


def test_one_source_has_no_interference(mono):
    estimate = with_ratio(*mono, 10.0)
    scores = sources(mono[0], estimate)
    assert scores.sir[0] == np.inf
    assert scores.sar[0] == scores.sdr[0]
    assert (images(mono[0][None], estimate[None], 8000).sir == np.inf).all()


def test_version_4_sdr_is_the_snr_of_the_window(mono):
    """No filter enters it, which surprises many readers of tables."""
    reference, estimate = mono[0], with_ratio(*mono, 3.0)
    scores = images(reference[None], estimate[None], 8000)
    assert scores.sdr.shape == (1, 2)  # 22050 samples: two seconds, the rest is dropped
    for k in range(2):
        window = slice(8000 * k, 8000 * (k + 1))
        assert scores.sdr[0, k] == pytest.approx(snr(reference[:, window], estimate[:, window]), abs=1e-9)


def test_shorter_than_a_second_is_one_window(mono):
    scores = images(mono[0][None], with_ratio(*mono, 3.0)[None], 44_100)
    assert scores.sdr[0, 0] == pytest.approx(3.0, abs=1e-9)


def test_silent_windows_are_left_out_and_counted(mono):
    reference, estimate = mono[0].copy(), with_ratio(*mono, 5.0)
    reference[:, 4000:8000] = 0
    estimate[:, 16_000:20_000] = 0
    scores = images(reference[None], estimate[None], 4000)
    assert scores.is_silent.tolist() == [False, True, False, False, True]
    assert scores.n_silent == 2
    assert scores.sar.shape == (1, 3)


def test_median_stands_between_perfect_and_lost():
    """The mean of inf and -inf would be NaN."""
    row = np.array([[np.inf, -np.inf, 3.0, 3.0], [np.inf, np.inf, -np.inf, -np.inf], [1.0, np.inf, np.inf, 2.0]])
    scores = ImageScores(row, row, row, row, np.zeros(4, bool))
    assert scores.median()["sar"].tolist() == [3.0, -np.inf, np.inf]


class TestOpenFilters:
    """Music that does not say what the filters are; values of the paper all the same, and no crash."""

    @pytest.mark.parametrize("music", ["tone", "constant", "band"])
    def test_a_reference_with_empty_bands(self, music, mono, tone):
        empty = {
            "tone": tone(440, 22_050, channels=1),
            "constant": np.full((1, 22_050), 0.1),
            "band": lfilter(np.sinc(np.arange(-200, 201) / 8) * np.kaiser(401, 14) / 8, 1, mono[0]),
        }[music]
        # Up to 512 of 22050 dimensions of the error are explained, 0.1 dB.
        assert sdr(empty, with_ratio(empty, mono[1], 20.0)) == pytest.approx(20.0, abs=0.15)

    def test_two_equal_channels(self, mono):
        reference = np.concatenate([mono[0]] * 2)[None]
        estimate = with_ratio(reference, np.concatenate([mono[1]] * 2)[None], 20.0)
        scores = images(reference, estimate, 22_050)
        single = images(mono[0][None], estimate[:, :1], 22_050)
        for ratio in RATIOS:
            assert getattr(scores, ratio) == pytest.approx(getattr(single, ratio), abs=0.01)

    def test_a_silent_channel_beside_another(self, mono):
        reference = np.concatenate([mono[0], np.zeros_like(mono[0])])[None]
        scores = images(reference, reference + 0.01 * mono[1], 22_050)
        assert np.isfinite([scores.sdr, scores.isr, scores.sar]).all()

    def test_two_equal_sources(self, mono):
        scores = sources(np.concatenate([mono[0]] * 2), np.concatenate([with_ratio(*mono, 20.0)] * 2))
        assert scores.sdr == pytest.approx([20.0, 20.0], abs=0.2)
        assert (scores.sir > 60).all()


def whole(reference, estimate):
    return float(sources(reference, estimate).sdr.mean())


def framed(reference, estimate):
    return float(images(reference[None], estimate[None], 8000).median()["sdr"][0])


@pytest.mark.parametrize("metric", [sdr, whole, framed])
class TestEveryMetric:
    def test_bad_input_raises(self, metric, mono):
        for estimate in (mono[1][:, :-1], np.concatenate([mono[1]] * 2), np.full_like(mono[1], np.nan), mono[1][0]):
            with pytest.raises(ValueError, match=r"shapes|NaN"):
                metric(mono[0], estimate)

    def test_silence_is_defined(self, metric, mono):
        silent = np.zeros_like(mono[0])
        with pytest.raises(MetricError, match=r"reference 1 is silent|channel of the reference"):
            metric(silent, mono[1])
        if metric is sdr:
            assert sdr(mono[0], silent) == -np.inf
        else:
            with pytest.raises(MetricError, match="estimate 1 is silent"):
                metric(mono[0], silent)

    def test_too_short_is_told(self, metric, mono):
        with pytest.raises(MetricError, match="needs 512 samples"):
            metric(mono[0][:, :511], mono[1][:, :511])

    def test_identity_is_best(self, metric, mono):
        assert metric(mono[0], mono[0].copy()) == np.inf
        assert 150 < metric(mono[0], with_ratio(*mono, 160.0)) < np.inf

    def test_worse_scores_lower(self, metric, mono):
        scores = [metric(mono[0], with_ratio(*mono, ratio)) for ratio in (60, 20, 10, 0, -10)]
        assert scores == sorted(scores, reverse=True)


def test_wrong_calls(mono):
    with pytest.raises(ValueError, match="n_taps is 0"):
        sdr(*mono, n_taps=0)
    for references, rate in ((mono[0], 8000), (mono[0][None], 0), (mono[0][None][:, :, :0], 8000)):
        with pytest.raises(ValueError, match="sample_rate is"):
            images(references, references, rate)


def test_no_window_with_both(mono):
    reference, estimate = mono[0].copy(), mono[1].copy()
    reference[:, :12_000] = 0
    estimate[:, 12_000:] = 0
    with pytest.raises(MetricError, match="in every window"):
        images(reference[None], estimate[None], 12_000)
