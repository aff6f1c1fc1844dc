"""The likeness of PEMO-Q: each stage on paper, all of them against plain loops, and what a metric has to keep."""

import json
import time
from math import sqrt, tanh
from pathlib import Path

import numpy as np
import pytest

from concertclean.errors import MetricError
from concertclean.metrics.pemoq_like import pemoq_like
from concertclean.metrics.pemoq_like.adaptation import DELAY, THRESHOLD, Adaptation
from concertclean.metrics.pemoq_like.cochlea import (
    ENVELOPE_RATE,
    FRAME,
    ORDER,
    SAMPLE_RATE,
    Cochlea,
    bandwidth_hz,
    centre_frequencies,
    gammatone,
    gammatone_poles,
    hair_cell,
)
from concertclean.metrics.pemoq_like.modulation import CENTRES_HZ, WIDTHS_HZ, ModulationBank
from concertclean.metrics.pemoq_like.similarity import (
    assimilated,
    correlation,
    frame_sums,
    grade,
    similarity,
    weighted_percentile,
)
from tests.reference.make_pemoq_like import pairs, plucked, with_noise

STORED = json.loads((Path(__file__).parents[1] / "reference/pemoq_like.json").read_text())
AT_REST = THRESHOLD ** (1 / 32)


N_SAMPLES = 24_255  # 0.55 s, two notes


@pytest.fixture(scope="module")
def music():
    return plucked(1)[:, :N_SAMPLES]


@pytest.fixture(scope="module")
def other_music():
    return plucked(2)[:, :N_SAMPLES]


def model_units(value):
    return (value - AT_REST) / (1 - AT_REST) * 100


class TestCochlea:
    def test_bands_are_one_erb_apart(self):
        """On the scale of Glasberg and Moore, 21.4 log10(1 + 4.37 kHz), whose constants are rounded to 0.5 %."""
        centres = centre_frequencies()
        assert len(centres) == 33
        assert centres[0] == pytest.approx(235)
        assert np.diff(21.4 * np.log10(1 + 4.37e-3 * centres)) == pytest.approx(1, abs=0.005)
        assert centres[-1] < 14_500 < centres[-1] + bandwidth_hz(centres[-1])

    @pytest.mark.parametrize("band", [0, 9, 20, 32])
    def test_response_of_a_band(self, band, impulse):
        """0 dB at the centre; an ERB wide, the width of half power being 2 sqrt(2^(1/4) - 1) / 0.9817 of it.

        A pole takes its place on the circle as if the filter were not sampled, which costs 1 % where it is wide.
        """
        n_samples, centre = 44_100, centre_frequencies()[band]
        rest = np.zeros((ORDER, 1, 1), dtype=complex)
        output, _ = gammatone(
            impulse(0, n_samples, channels=1, level=1.0), gammatone_poles(centre_frequencies())[band], rest
        )
        power = np.square(np.abs(np.fft.rfft(output[0].real)))  # bins of 1 Hz
        width = 24.7 + centre / 9.265
        assert power.argmax() == pytest.approx(centre, abs=1)
        assert 10 * np.log10(power.max()) == pytest.approx(0, abs=0.02)
        assert power.sum() / power.max() == pytest.approx(width, rel=0.012)
        assert (power > power.max() / 2).sum() == pytest.approx(0.886 * width, rel=0.012, abs=1)

    def test_a_tone_leaves_its_mean(self, tone):
        """A half-wave rectified sine of amplitude 1 has the mean 1 / π."""
        centre = centre_frequencies()[12]
        envelopes = Cochlea(1).envelopes(tone(centre, 22_050, channels=1, level=1.0))
        assert envelopes.shape == (2450, 1, 33)
        assert envelopes[1000:, 0, 12].mean() == pytest.approx(1 / np.pi, rel=0.005)
        assert envelopes.min() >= 0

    def test_hair_cell_passes_one_side_and_1_khz_at_half_power(self):
        moments = np.arange(44_100) / SAMPLE_RATE
        motion = 0.5 + 0.5 * np.cos(2 * np.pi * 1000 * moments)
        envelope, _ = hair_cell(motion[None], np.zeros((1, 1)))
        swing = sqrt(2) * envelope[0, 2450:].std() / 0.5
        assert swing == pytest.approx(sqrt(0.5) * np.sinc(9 * 1000 / SAMPLE_RATE), rel=0.01)
        assert envelope[0, 2450:].mean() == pytest.approx(0.5, abs=1e-3)
        assert not hair_cell(-motion[None], np.zeros((1, 1)))[0].any()

    @pytest.mark.parametrize("ripple_hz", [4900 - 161, 4900 + 129, 9800 + 161])
    def test_little_folds_down_to_modulations(self, ripple_hz):
        """A fifth of the ripple is left by the low-pass, 4 % of that by the mean of nine."""
        motion = 1 + np.cos(2 * np.pi * ripple_hz * np.arange(44_100) / SAMPLE_RATE)
        envelope, _ = hair_cell(motion[None], np.zeros((1, 1)))
        assert sqrt(2) * envelope[0, 2450:].std() < 0.2 * 0.04


class TestAdaptation:
    def test_a_constant_comes_to_rest_at_its_32nd_root(self):
        """0 MU at the threshold, 100 MU for 1, which stands for 100 dB SPL."""
        constants = np.array([[1e-7, 1e-5, 1e-3, 0.1, 1.0]])
        adapted = Adaptation((1, 5)).adapted(np.tile(constants, (12 * ENVELOPE_RATE, 1, 1)))
        expected = model_units(np.maximum(constants, THRESHOLD) ** (1 / 32))
        assert adapted[-1] == pytest.approx(expected, abs=0.01)
        assert np.abs(adapted[:, 0, :2]).max() < 1e-9
        assert adapted[-1, 0, -1] == pytest.approx(100, abs=0.01)

    def test_onset_shoots_over_and_the_end_falls_under(self):
        """Each loop divides the onset by its state of rest and limits it to ten times what that leaves of 1."""
        envelope = np.full((2 * ENVELOPE_RATE, 1, 1), THRESHOLD)
        envelope[500:6000] = 1.0
        adapted = Adaptation((1, 1)).adapted(envelope)[:, 0, 0]
        assert np.abs(adapted[: 500 + DELAY]).max() < 1e-9
        assert adapted.argmax() == 500 + DELAY
        onset, rest = 1.0, THRESHOLD
        for _ in range(5):
            headroom, rest = 10 * (1 - rest) - 1, sqrt(rest)
            onset = 1 + headroom * tanh((onset / rest - 1) / headroom)
        assert adapted.max() == pytest.approx(model_units(onset), rel=1e-9)
        assert adapted.max() > 10 * adapted[5900]
        assert -10_000 < adapted[6100] < -50

    def test_loops_at_once_are_loops_one_after_the_other(self):
        envelope = np.random.default_rng(0).uniform(-0.2, 0.5, 400).clip(THRESHOLD)
        expected, rest = envelope, THRESHOLD
        for seconds in (0.005, 0.05, 0.129, 0.253, 0.5):
            headroom, keep = 10 * (1 - rest) - 1, np.exp(-1 / seconds / ENVELOPE_RATE)
            charge = rest = sqrt(rest)
            out = []
            for value in expected:
                ratio = value / charge
                out.append(1 + headroom * tanh((ratio - 1) / headroom) if ratio > 1 else ratio)
                charge = keep * charge + (1 - keep) * out[-1]
            expected = np.array(out)
        padded = np.append(envelope, np.zeros(DELAY))[:, None, None]
        found = Adaptation((1, 1)).adapted(padded)[DELAY:, 0, 0]
        assert found == pytest.approx(model_units(expected), rel=1e-9, abs=1e-9)


class TestModulationBank:
    def test_centres_and_widths(self):
        """Octaves of 5/3 up to 129 Hz; 5 Hz wide, and Q of 2 from 10 Hz up."""
        assert CENTRES_HZ.round(2).tolist() == [0, 5, 10, 16.67, 27.78, 46.30, 77.16, 128.60]
        assert WIDTHS_HZ[:3].tolist() == [5, 5, 5]
        assert CENTRES_HZ[2:] / WIDTHS_HZ[2:] == pytest.approx(2)

    @pytest.mark.parametrize("k", range(1, 8))
    def test_gain_at_the_centre_and_at_the_edges(self, k):
        """1 / (1 + j x), with x in half widths from the centre, and the same of the mirror image of a real wave.

        The two add up where the phase is kept; in the mean square of an envelope their powers do. 1 % is left to the
        difference between sampled and analogue filters.
        """
        edges = CENTRES_HZ[k] + WIDTHS_HZ[k] * np.array([-0.5, 0, 0.5])
        response, image = (1 / (1 + 2j * (f - CENTRES_HZ[k]) / WIDTHS_HZ[k]) for f in (edges, -edges))
        wave, envelope = np.abs(response + image.conj()) ** 2 / 2, np.abs(response) ** 2 + np.abs(image) ** 2
        moments = np.arange(3 * ENVELOPE_RATE) / ENVELOPE_RATE
        waves = np.cos(2 * np.pi * edges * moments[:, None])[:, :, None]
        found = np.square(ModulationBank((3, 1)).filtered(waves)[k, :, 0, ENVELOPE_RATE:]).mean(axis=1)
        assert found == pytest.approx(wave if k <= 2 else envelope, rel=0.01)
        assert np.abs(response) ** 2 == pytest.approx([0.5, 1, 0.5])

    def test_low_pass(self):
        moments = np.arange(4 * ENVELOPE_RATE) / ENVELOPE_RATE
        found = ModulationBank((1, 1)).filtered(1 + np.cos(2 * np.pi * 2.5 * moments)[:, None, None])
        steady = found[0, 0, 0, 2 * ENVELOPE_RATE :]
        assert steady.mean() == pytest.approx(1, abs=1e-3)
        assert 2 * steady.var() == pytest.approx(0.5, abs=0.01)

    def test_slow_modulations_keep_their_phase_and_fast_ones_do_not(self):
        wave = np.cos(2 * np.pi * 10 * np.arange(ENVELOPE_RATE) / ENVELOPE_RATE)[:, None, None]
        found = ModulationBank((1, 1)).filtered(wave)[:, 0, 0]
        assert (found[:3].min(axis=1) < 0).all()
        assert (found[3:] >= 0).all()


class TestSimilarity:
    def test_assimilation_forgives_half_of_what_is_missing(self):
        reference = np.array([2.0, 2.0, -2.0, -2.0, 2.0])
        estimate = np.array([1.0, 3.0, -1.0, -3.0, -1.0])
        assert assimilated(reference, estimate).tolist() == [1.5, 3.0, -1.5, -3.0, 0.5]

    def test_correlation_is_that_of_numpy(self):
        x, y = np.random.default_rng(0).normal(3, 1, (2, 1, 1, 33, FRAME))
        sums = frame_sums(x, x + y)
        assert sums.shape == (6, 1, 1, 1)
        expected = np.corrcoef(x.ravel(), (x + y).ravel())[0, 1]
        assert correlation(sums, 33 * FRAME).item() == pytest.approx(expected, abs=1e-12)
        assert correlation(frame_sums(x, -2 * x), 33 * FRAME).item() == -1
        assert correlation(frame_sums(x, np.full_like(x, 0.1)), 33 * FRAME).item() == 0

    def test_modulation_filters_weigh_by_their_energy(self):
        x = np.random.default_rng(0).normal(size=(2, 1, 33, FRAME))
        y = np.stack([x[0], -3 * x[1] * np.sqrt(np.square(x[0]).sum() / np.square(x[1]).sum())])
        assert similarity(frame_sums(x, y)[:, 0], 33 * FRAME).item() == pytest.approx((1 - 9) / 10)
        assert similarity(frame_sums(x, 0 * x)[:, 0], 33 * FRAME).item() == 0

    def test_percentile(self):
        values = np.arange(100, 0, -1.0)
        assert weighted_percentile(values, np.ones(100)) == 5
        assert weighted_percentile(values, values) == 22  # 1 + ... + 22 = 253 is more than 5 % of 5050
        assert weighted_percentile(values, (values > 50).astype(float)) == 53

    def test_grade(self):
        assert grade(1.0) == 0
        assert grade(0.9) == pytest.approx(-1.64)
        assert grade(0.5) == pytest.approx(-3.6717, abs=1e-4)  # -4.13 + 0.22 / 0.48
        assert grade(0.0) == pytest.approx(-3.9055, abs=1e-4)
        assert grade(-1.0) == -4
        assert grade(np.nextafter(0.864, 0)) == pytest.approx(grade(0.864), abs=0.005)  # as near as the papers' digits
        assert all(np.diff([grade(psmt) for psmt in np.linspace(-0.7, 1, 500)]) > 0)


@pytest.mark.parametrize("name", STORED)
def test_the_whole_is_that_of_plain_loops_at_the_full_rate(name):
    """Decimated envelopes are worth 0.003 in PSM and 0.014 in the frame that PSMt is read from."""
    found = pemoq_like(*pairs()[name], SAMPLE_RATE)
    assert found.psm == pytest.approx(STORED[name]["psm"], abs=0.005)
    assert found.psmt == pytest.approx(STORED[name]["psmt"], abs=0.02)
    assert found.odg == grade(found.psmt)


def test_blocks_do_not_matter(music, monkeypatch):
    estimate = with_noise(music, 20, 5)
    whole = pemoq_like(music, estimate, SAMPLE_RATE)
    monkeypatch.setattr("concertclean.metrics.pemoq_like._BLOCK", 7 * 441)
    pieces = pemoq_like(music, estimate, SAMPLE_RATE)
    assert pieces.psm == pytest.approx(whole.psm, abs=1e-12)
    assert pieces.psmt == pytest.approx(whole.psmt, abs=1e-12)


class TestStandardFour:
    def test_bad_input_raises(self, music):
        for estimate in (music[:, :-1], np.concatenate([music] * 2), np.full_like(music, np.nan), music[0]):
            with pytest.raises(ValueError, match=r"shapes|NaN"):
                pemoq_like(music, estimate, SAMPLE_RATE)
        with pytest.raises(ValueError, match="sample_rate is 0"):
            pemoq_like(music, music, 0)

    def test_silence_is_defined(self, music):
        for silent in (np.zeros_like(music), 1e-6 * music):
            with pytest.raises(MetricError, match="choose a passage with music"):
                pemoq_like(silent, music, SAMPLE_RATE)
        for silent in (np.zeros_like(music), 1e-310 * music):
            found = pemoq_like(music, silent, SAMPLE_RATE)
            assert (found.psm, found.psmt, found.odg) == (0, 0, grade(0))
            assert found.remarks == ("in 1 of 1 channels the estimate is inaudible: similarity 0 by definition",)

    def test_too_short_is_told(self, music):
        with pytest.raises(MetricError, match=r"got 0\.49: choose a longer excerpt"):
            pemoq_like(music[:, :21_600], music[:, :21_600], SAMPLE_RATE)
        assert pemoq_like(music[:, :22_050], music[:, :22_050], SAMPLE_RATE).psmt == 1

    @pytest.mark.parametrize("level", [1.0, 0.01])
    def test_identity_is_best(self, music, level):
        found = pemoq_like(level * music, level * music, SAMPLE_RATE)
        assert (found.psm, found.psmt, found.odg) == (1, 1, 0)
        assert found.remarks == ("reference and estimate are identical",)
        nearly = pemoq_like(level * music, level * with_noise(music, 70, 6), SAMPLE_RATE)
        assert found.psmt > nearly.psmt > 0.9

    def test_more_noise_scores_lower(self, music):
        scores = [pemoq_like(music, with_noise(music, ratio, 7), SAMPLE_RATE) for ratio in (40, 30, 20, 10)]
        _falls(scores)
        assert scores[0].psmt - scores[-1].psmt > 0.3

    def test_more_clipping_scores_lower(self, music):
        """Until the grade is at its bottom: there it stays, and PSM alone goes on falling."""

        def clipped(part):
            limit = part * np.abs(music).max()
            return pemoq_like(music, music.clip(-limit, limit), SAMPLE_RATE)

        scores = [clipped(part) for part in (0.95, 0.9, 0.8, 0.6)]
        _falls(scores)
        assert scores[0].odg > -0.5
        hopeless = clipped(0.05)
        assert hopeless.psm < scores[-1].psm - 0.05
        assert hopeless.odg == pytest.approx(scores[-1].odg, abs=0.1)
        assert hopeless.odg < -3.6


def _falls(scores):
    for name in ("psm", "psmt", "odg"):
        values = [getattr(score, name) for score in scores]
        assert values == sorted(values, reverse=True)


class TestLevelAndPolarity:
    def test_gain_of_the_estimate_does_not_matter(self, music):
        estimate = with_noise(music, 25, 8)
        expected = pemoq_like(music, estimate, SAMPLE_RATE)
        found = pemoq_like(music, 0.1 * estimate, SAMPLE_RATE)
        assert found.psm == pytest.approx(expected.psm, abs=1e-9)
        assert found.psmt == pytest.approx(expected.psmt, abs=1e-9)
        assert expected.remarks == ()
        assert found.remarks == ("the estimate was scaled to the level of the reference, by +20.0 dB",)

    def test_level_of_both_does(self, music):
        """50 dB lower, noise that was heard lies under the threshold of hearing."""
        estimate = with_noise(music, 45, 9)
        loud = pemoq_like(music, estimate, SAMPLE_RATE)
        faint = pemoq_like(0.003 * music, 0.003 * estimate, SAMPLE_RATE)
        assert faint.psmt > loud.psmt + 0.1

    def test_a_turned_polarity_is_heard_but_is_no_other_tune(self, music, other_music):
        """Hair cells answer to one side of the wave."""
        turned = pemoq_like(music, -music, SAMPLE_RATE)
        assert pemoq_like(music, other_music, SAMPLE_RATE).psmt < turned.psmt < 0.999
        assert turned.psm > 0.9

    def test_float32_is_measured_like_float64(self, music):
        narrow, narrower = music.astype(np.float32), with_noise(music, 20, 10).astype(np.float32)
        wide = pemoq_like(narrow.astype(np.float64), narrower.astype(np.float64), SAMPLE_RATE)
        assert pemoq_like(narrow, narrower, SAMPLE_RATE) == wide


class TestChannelsAndRates:
    def test_channels_are_averaged(self, music, other_music):
        noisy, noisier = with_noise(music, 40, 11), with_noise(other_music, 15, 12)
        both = pemoq_like(np.concatenate([music, other_music]), np.concatenate([noisy, noisier]), SAMPLE_RATE)
        left, right = pemoq_like(music, noisy, SAMPLE_RATE), pemoq_like(other_music, noisier, SAMPLE_RATE)
        for name in ("psm", "psmt", "odg"):
            expected = (getattr(left, name) + getattr(right, name)) / 2
            assert getattr(both, name) == pytest.approx(expected, abs=1e-9)

    def test_a_silent_channel_of_the_reference_is_left_out(self, music):
        noisy = with_noise(music, 20, 13)
        mono = pemoq_like(music, noisy, SAMPLE_RATE)
        half = pemoq_like(np.concatenate([0 * music, music]), np.concatenate([noisy, noisy]), SAMPLE_RATE)
        assert half.psmt == pytest.approx(mono.psmt, abs=1e-12)
        assert half.remarks == ("in 1 of 2 channels the reference is inaudible: left out",)

    def test_a_silent_channel_of_the_estimate_counts_as_0(self, music):
        found = pemoq_like(np.concatenate([music] * 2), np.concatenate([music, 0 * music]), SAMPLE_RATE)
        assert (found.psm, found.psmt, found.odg) == (0.5, 0.5, grade(0) / 2)

    @pytest.mark.parametrize("sample_rate", [48_000, 16_000])
    def test_other_rates_are_resampled(self, music, sample_rate):
        found = pemoq_like(music, with_noise(music, 20, 14), sample_rate)
        assert -4 <= found.odg < 0
        assert found.remarks == (f"resampled from {sample_rate} to 44100 Hz",)


def test_a_second_takes_less_than_a_second():
    """Of one CPU; a third of that on the machine this was written on, which did other things besides."""
    second = np.tile(plucked(1), (1, 2))[:, :44_100]
    durations = []
    for _ in range(2):
        start = time.process_time()
        pemoq_like(second, with_noise(second, 20, 15), SAMPLE_RATE)
        durations.append(time.process_time() - start)
    assert min(durations) < 1.5
