"""The whole way from two recordings to a grade."""

import time

import numpy as np
import pytest

from concertclean.errors import MetricError
from concertclean.metrics.peaq import peaq
from concertclean.metrics.peaq.network import MOV_NAMES

_RATE = 48_000


@pytest.fixture
def with_noise(chords):
    """Chords of a second and a half, and the same under white noise."""

    def make(ratio_db, *, n_samples=72_000):
        reference = chords(n_samples)
        error = np.random.default_rng(0).uniform(-1, 1, reference.shape)
        scale = np.sqrt(np.square(reference).mean() / np.square(error).mean() / 10 ** (ratio_db / 10))
        return reference, reference + scale * error

    return make


class TestReference:
    """Against other programs."""

    @pytest.mark.parametrize("name", ["stereo", "mono"])
    def test_variables_are_those_of_plain_loops(self, name, plain_loops):
        """The same formulas written out frame by frame; only the order of additions differs."""
        reference, estimate, values = plain_loops[name]
        found = peaq(reference, estimate, _RATE).movs
        assert tuple(found) == MOV_NAMES
        assert found == pytest.approx(values, rel=1e-9, abs=1e-9)

    def test_grades_are_those_of_gstpeaq(self):
        """Its own regression test (src/runtest.sh): 440 Hz, sine beside itself 0.171, saw beside triangle -2.007.

        The waves are those of GStreamer's audiotestsrc at its default level of 0.8, 128 buffers of 1024 samples of
        32 bit. Three decimals are printed.
        """
        phase = np.mod(2 * np.pi * 440 / _RATE * np.arange(1, 128 * 1024 + 1), 2 * np.pi)
        sine = 0.8 * np.sin(phase)
        saw = 0.8 / np.pi * np.where(phase < np.pi, phase, phase - 2 * np.pi)
        rising = np.where(phase < np.pi / 2, phase, phase - 2 * np.pi)
        triangle = 1.6 / np.pi * np.where(np.abs(phase - np.pi) <= np.pi / 2, np.pi - phase, rising)
        sine, saw, triangle = (wave.astype(np.float32)[None] for wave in (sine, saw, triangle))
        assert peaq(sine, sine, _RATE).odg == pytest.approx(0.171, abs=5.1e-4)
        for channels in (1, 2):
            odg = peaq(np.tile(saw, (channels, 1)), np.tile(triangle, (channels, 1)), _RATE).odg
            assert odg == pytest.approx(-2.007, abs=5.1e-4)

    @pytest.mark.parametrize(("ratio_db", "index"), [(3, -3.94), (10, -3.59), (20, -3.53), (40, -0.41)])
    def test_white_noise_is_graded_as_gstpeaq_grades_it_on_like_music(self, ratio_db, index, with_noise):
        """GstPEAQ's values are for a recording; these are chords of like spectrum and decay, hence 0.2."""
        found = peaq(*with_noise(ratio_db, n_samples=3 * _RATE), _RATE)
        assert found.di == pytest.approx(index, abs=0.2)


class TestBehaviour:
    def test_identity_is_imperceptible(self, chords):
        waveform = chords(48_000, channels=2)
        found = peaq(waveform, waveform, _RATE)
        assert 0.2 < found.odg < 0.22
        assert found.remarks == ("reference and estimate are identical",)
        assert all(found.movs[name] == 0 for name in MOV_NAMES[3:])

    @pytest.mark.parametrize("ratios_db", [(70, 60, 50, 40, 30, 20), (10, 5, 0, -5, -10)])
    def test_more_noise_lowers_the_index(self, ratios_db, with_noise):
        """Within the range where the bandwidth can be measured, and within that where it cannot."""
        indices = [peaq(*with_noise(ratio), _RATE).di for ratio in ratios_db]
        assert indices == sorted(indices, reverse=True)

    def test_noise_that_hides_the_bandwidth_is_remarked(self, with_noise):
        """The bandwidths count as 0 then and the index may even rise: no number is NaN, and a remark tells."""
        found = peaq(*with_noise(0), _RATE)
        assert found.movs["BandwidthRefB"] == found.movs["BandwidthTestB"] == 0
        assert np.isfinite([*found.movs.values(), found.di, found.odg]).all()
        assert len(found.remarks) == 1
        assert "in 1 of 1 channels" in found.remarks[0]
        assert peaq(*with_noise(30), _RATE).remarks == ()

    def test_polarity_goes_unnoticed_and_a_sample_of_delay_nearly(self, chords):
        waveform = chords(72_000)
        assert peaq(waveform, -waveform, _RATE).odg == peaq(waveform, waveform, _RATE).odg
        delayed = peaq(waveform, np.roll(waveform, 1, axis=1), _RATE)
        assert delayed.odg > 0.15
        assert delayed.remarks == ()

    def test_level_is_absolute(self, with_noise):
        """The same pair 40 dB softer: most of its noise falls below the threshold of hearing."""
        reference, estimate = with_noise(30)
        assert peaq(0.01 * reference, 0.01 * estimate, _RATE).di > peaq(reference, estimate, _RATE).di + 1

    def test_equal_channels_are_as_one_and_may_change_places(self, with_noise):
        loud, soft = with_noise(20), with_noise(40)
        both = [np.concatenate([one, other]) for one, other in zip(loud, soft, strict=True)]
        assert peaq(both[0], both[1], _RATE).di == pytest.approx(peaq(both[0][::-1], both[1][::-1], _RATE).di, abs=1e-9)
        twice = [np.concatenate([side, side]) for side in loud]
        assert peaq(twice[0], twice[1], _RATE).movs == pytest.approx(peaq(*loud, _RATE).movs, rel=1e-12)

    def test_silence_around_the_music_changes_little(self, with_noise):
        """Two whole seconds before it; the start of the music then counts in the envelopes, which moves the grade."""
        reference, estimate = with_noise(30)
        padded = [np.pad(side, ((0, 0), (2 * _RATE, 0))) for side in (reference, estimate)]
        assert peaq(padded[0], padded[1], _RATE).odg == pytest.approx(peaq(reference, estimate, _RATE).odg, abs=0.05)

    def test_arguments_are_left_alone_and_may_be_float32(self, with_noise):
        reference, estimate = with_noise(30)
        copies = reference.copy(), estimate.copy()
        found = peaq(reference, estimate, _RATE)
        assert (reference == copies[0]).all()
        assert (estimate == copies[1]).all()
        single = peaq(reference.astype(np.float32), estimate.astype(np.float32), _RATE)
        assert single.di == pytest.approx(found.di, abs=1e-3)


class TestOtherRates:
    def test_other_rates_are_resampled_rounded_and_remarked(self, noise):
        """What MATLAB documents of `resample(x, 160, 147)`: a low-pass of ten zero crossings under a Kaiser window."""
        reference, error = noise(30_000, channels=2, seed=1), noise(30_000, channels=2, level=0.01, seed=2)
        found = peaq(reference, reference + error, 44_100)
        assert found.remarks[0] == "resampled from 44100 to 48000 Hz (polyphase, Kaiser) and rounded to 16 bit"
        low_pass = np.sinc(np.arange(-1600, 1601) / 160) * np.kaiser(3201, 5)
        low_pass = np.pad(low_pass * 160 / low_pass.sum(), (0, 160))
        position = 147 * np.arange(-(-30_000 * 160 // 147))[:, None]  # on the grid of both rates
        nearest = -(-(position - 1600) // 160) + np.arange(21)

        def resampled(waveform):
            samples = np.pad(waveform, ((0, 0), (20, 20)))[:, nearest + 20]
            filtered = (samples * low_pass[position - 160 * nearest + 1600]).sum(axis=2)
            return np.round(filtered * 32768) / 32768

        direct = peaq(resampled(reference), resampled(reference + error), _RATE)
        assert found.movs == pytest.approx(direct.movs, rel=1e-9)

    def test_differences_under_half_a_step_of_16_bit_vanish(self, tone):
        waveform = np.round(tone(440, 44_100, level=0.5, channels=1) * 32768) / 32768
        found = peaq(waveform, waveform + 1e-9, 44_100)
        assert "reference and estimate are identical" in found.remarks

    def test_full_scale_does_not_wrap(self, tone):
        loud = peaq(*2 * [tone(440, 44_100, level=1.0, channels=1)], 44_100)
        assert loud.odg > 0.1


class TestRefusals:
    def test_bad_input_raises(self, chords):
        waveform = chords(48_000, channels=2)
        for estimate in (waveform[:, :-1], waveform[:1], np.full_like(waveform, np.nan)):
            with pytest.raises(ValueError, match=r"shapes|NaN"):
                peaq(waveform, estimate, _RATE)
        with pytest.raises(ValueError, match="sample_rate is 0"):
            peaq(waveform, waveform, 0)

    def test_more_than_two_channels_are_refused(self, chords):
        waveform = chords(48_000, channels=3)
        with pytest.raises(MetricError, match="one and two channels, not for 3: mix them down"):
            peaq(waveform, waveform, _RATE)

    def test_a_silent_reference_is_refused(self, chords):
        for n_samples in (1, 48_000):
            with pytest.raises(MetricError, match="silent for PEAQ: choose"):
                peaq(np.zeros((1, n_samples)), chords(48_000)[:, :n_samples], _RATE)

    def test_a_short_reference_is_refused(self, chords):
        """28 frames make one window of WinModDiff1B: 28672 samples, 0.597 s."""
        waveform = chords(28_672)
        assert np.isfinite(peaq(waveform, 0.9 * waveform, _RATE).di)
        ending = np.pad(chords(24_000), ((0, 0), (0, 48_000)))
        for short in (waveform[:, :-1], waveform[:, :100], ending):
            with pytest.raises(MetricError, match=r"ends within 0\.6 seconds"):
                peaq(short, short, _RATE)

    def test_a_silent_channel_is_defined(self, with_noise):
        reference, estimate = (np.pad(side, ((0, 1), (0, 0))) for side in with_noise(30))
        assert np.isfinite([*peaq(reference, estimate, _RATE).movs.values()]).all()

    def test_a_silent_estimate_is_defined(self, chords):
        waveform = chords(48_000)
        found = peaq(waveform, np.zeros_like(waveform), _RATE)
        assert np.isfinite([*found.movs.values()]).all()
        assert found.remarks == ("reference and estimate are never audible together: the grade means little",)


def test_a_second_of_mono_takes_a_tenth_of_a_second(with_noise):
    """Several times what it needs, in time of the processor, as other work may go on beside."""
    reference, estimate = with_noise(30, n_samples=5 * _RATE)
    durations = []
    for _ in range(3):
        start = time.process_time()
        peaq(reference, estimate, _RATE)
        durations.append(time.process_time() - start)
    assert min(durations) < 0.5
