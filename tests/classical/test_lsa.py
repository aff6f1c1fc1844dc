"""The gain is the paper's, noise goes and music stays, and a stream is what the whole would have been."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import median_filter
from scipy.signal import lfilter
from scipy.special import exp1

from concertclean.classical.lsa import LSA, logmmse, lsa, lsa_gain
from concertclean.classical.noise_floor import FixedNoise, frame_powers, frame_sizes, noise_profile
from concertclean.metrics.sdr import si_sdr

RATE = 16_000  # Hz
N_FFT, HOP = frame_sizes(RATE)
REFERENCE = Path(__file__).parents[1] / "reference" / "lsa_gain.json"


def hiss(seconds, *, channels=1, seed=0, level=0.01, colour="white"):
    """Gaussian noise of an rms of `level`; "pink" falls by 3 dB an octave (Kellet's filter)."""
    noise = np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE)))
    if colour == "pink":
        b, a = [0.049922035, -0.095993537, 0.050612699, -0.004408786], [1, -2.494956002, 2.017265875, -0.522189400]
        noise = lfilter(b, a, noise)
    return level * noise / noise.std()


def notes(seconds, *, seed=0, level=0.1):
    """Struck notes with many partials, one after the other, each somewhere between left and right."""
    rng = np.random.default_rng(seed)
    n_samples, start = round(seconds * RATE), 0
    out = np.zeros((2, n_samples))
    while start < n_samples:
        time = np.arange(min(round(rng.uniform(0.3, 1.2) * RATE), n_samples - start)) / RATE
        partials = 110 * 2 ** (rng.integers(0, 30) / 12) * np.arange(1, 20)
        envelope = np.minimum(time / 0.01, 1) * np.exp(-time / 0.5) * np.minimum((len(time) / RATE - time) / 0.03, 1)
        for number, frequency in enumerate(partials[partials < 7000]):
            phase = rng.uniform(0, 2 * np.pi)
            wave = envelope / (1 + number) * np.sin(2 * np.pi * frequency * time + phase)
            out[:, start : start + len(time)] += rng.uniform(0.3, 1, (2, 1)) * wave
        start += round(rng.uniform(0.15, 0.4) * RATE)
    return level * out / out.std()


def removed(model, waveform, *, block=5_000, sample_rate=RATE):
    blocks = (waveform[:, start : start + block] for start in range(0, waveform.shape[1], block))
    return np.concatenate([np.zeros((len(waveform), 0)), *model.removed(blocks, len(waveform), sample_rate)], axis=1)


def denoised(model, waveform, **options):
    return waveform - removed(model, waveform, **options)


def known(noise, **settings):
    return LSA(noise=FixedNoise(noise_profile(noise, *frame_sizes(RATE))), **settings)


def in_db(ratio):
    return 20 * np.log10(ratio)


def differ(one, other):
    """Largest difference of any two samples."""
    return np.abs(one - other).max(initial=0)


# The gain


def test_gain_is_the_closed_form_of_the_paper():
    stored = json.loads(REFERENCE.read_text())
    prior, posterior = (10 ** (np.array(stored[name]) / 10) for name in ("prior_db", "posterior_db"))
    found = lsa_gain(*np.broadcast_arrays(prior[:, None], posterior))
    assert found == pytest.approx(np.array(stored["gain"]), rel=1e-8)  # the paper's curve is wanted to 1e-6


def test_gain_between_and_beyond_the_knots_of_the_integral():
    v = np.concatenate([np.logspace(-12, 2, 5001), np.exp(np.arange(-20, 4, 1 / 32))])
    found = lsa_gain(np.full_like(v, 1e9), v * (1 + 1e-9))
    assert found == pytest.approx(np.exp(exp1(v) / 2), rel=1e-7)


def test_gain_of_large_v_is_wieners():
    prior = np.logspace(-2, 6, 50)
    assert lsa_gain(prior, 1e5 / prior + 1e5) == pytest.approx(prior / (1 + prior), rel=1e-9)


def test_gain_of_small_v_is_one_over_its_root():
    """E1(v) tends to -log v less Euler's constant."""
    prior, posterior = np.array([1e-3, 1.0, 1e3]), np.array([1e-9, 1e-12, 1e-30])
    wiener = prior / (1 + prior)
    expected = wiener * np.exp(-np.euler_gamma / 2) / np.sqrt(wiener * posterior)
    assert lsa_gain(prior, posterior) == pytest.approx(expected, rel=1e-6)


def test_gain_is_finite_at_the_ends():
    ends = np.array([0.0, 1e-300, 1e-20, 1.0, 1e20, 1e150])
    prior, posterior = (grid.ravel() for grid in np.meshgrid(ends, ends))
    gain = lsa_gain(prior, posterior)
    assert np.isfinite(gain).all()
    assert not gain[prior == 0].any()


def test_gain_rises_with_the_prior_and_falls_with_the_posterior_ratio():
    axis = np.logspace(-2.5, 2, 40)
    gain = lsa_gain(*np.meshgrid(axis, axis, indexing="ij"))
    assert (np.diff(gain, axis=0) > 0).all()
    assert (np.diff(gain, axis=1) <= 0).all()


# What is removed


@pytest.mark.parametrize("n_samples", [0, 1, 300, N_FFT, 16 * HOP, 40_001])
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_gain_one_leaves_all_and_gain_zero_nothing(noise, monkeypatch, n_samples, channels):
    waveform = noise(n_samples, channels=channels)
    model = known(hiss(1), floor_db=-np.inf, smoothing_bins=0)
    for gain in (0, 1):
        monkeypatch.setattr(
            "concertclean.classical.lsa.lsa_gain", lambda prior, _, gain=gain: np.full_like(prior, gain)
        )
        assert differ(denoised(model, waveform), gain * waveform) < 1e-12


def test_without_known_noise_nothing_is_removed(noise):
    assert not removed(LSA(noise=FixedNoise(np.zeros(N_FFT // 2 + 1))), noise(5_000)).any()
    assert not removed(lsa(), noise(N_FFT - 1)).any()  # too short to learn from


def test_known_noise_alone_goes_down_to_the_floor():
    noise = hiss(6, channels=2)
    left = denoised(known(hiss(3, channels=2, seed=1)), noise)[:, RATE:]
    assert -20 <= in_db(left.std() / noise.std()) < -18.5  # what is above the floor are peaks of the noise
    deep = denoised(known(hiss(3, channels=2, seed=1), floor_db=-10), noise)[:, RATE:]
    assert in_db(deep.std() / noise.std()) == pytest.approx(-10, abs=0.3)


def test_a_tone_over_noise_keeps_its_level(tone):
    clean = tone(1000, 4 * RATE, sample_rate=RATE, channels=1, level=0.01 * np.sqrt(2))
    for model in (known(hiss(2, seed=1, level=0.001)), lsa()):
        found = denoised(model, clean + hiss(4, level=0.001))[0, RATE:-RATE]
        level = found @ clean[0, RATE:-RATE] / (clean[0, RATE:-RATE] @ clean[0, RATE:-RATE])
        assert in_db(level) == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize(
    ("colour", "snr_db", "known_gain", "tracked_gain"),
    [("white", 5, 7, 6.5), ("white", 15, 5.5, 5), ("pink", 5, 6.5, 6), ("pink", 15, 5.5, 5)],
)
def test_music_comes_out_of_the_noise(colour, snr_db, known_gain, tracked_gain):
    """SI-SDR does not care for the level, so nothing is won by turning all down; what music is lost is below 1 dB."""
    level = 0.1 * 10 ** (-snr_db / 20)
    clean = notes(6)
    noisy = clean + hiss(6, channels=2, level=level, colour=colour)
    profile = hiss(1, channels=2, seed=1, level=level, colour=colour)
    for model, wanted in ((known(profile), known_gain), (lsa(), tracked_gain)):
        found = denoised(model, noisy)
        assert si_sdr(clean, found) - si_sdr(clean, noisy) > wanted
        assert in_db(np.vdot(clean, found) / np.vdot(clean, clean)) > -1


def test_logmmse_hears_the_noise_before_the_music():
    clean = np.concatenate([np.zeros((2, RATE // 2)), notes(5)], axis=1)
    noisy = clean + hiss(5.5, channels=2, level=0.02)
    assert si_sdr(clean, denoised(logmmse(), noisy)) - si_sdr(clean, noisy) > 6


def powers_of(waveform):
    return frame_powers(waveform, 512, 128)[4:-4]


def test_smoothing_lowers_musical_noise():
    """Uemura's measure, by how much the noise's kurtosis grows; and cells that stick out of their environment."""
    noise = hiss(8)
    profile = hiss(2, seed=1)
    before = powers_of(noise)
    growth, lone = {}, {}
    for bins in (0, 10):
        after = powers_of(denoised(known(profile, smoothing_bins=bins), noise)[:, RATE:])
        moments = [np.square(p).mean() / p.mean() ** 2 for p in (before, after)]
        growth[bins] = np.log(moments[1] / moments[0])
        lone[bins] = np.mean(after > 15 * median_filter(after, 9))
    assert growth[10] < 0.15
    assert growth[0] > 0.3
    assert lone[10] < lone[0] / 4


# Streams


@pytest.mark.parametrize("model", [lsa(), logmmse(), known(hiss(1))])
def test_the_result_does_not_depend_on_the_cut(model):
    waveform = notes(4) + hiss(4, channels=2)
    waveform[:, 20_000:30_000] = 0
    whole = removed(model, waveform, block=10**9)
    for block in (777, HOP, 16_000):
        assert np.array_equal(removed(model, waveform, block=block), whole)


@pytest.mark.parametrize("n_samples", [1, 2, HOP - 1, HOP, N_FFT - 1, N_FFT + 1, 16 * HOP + 1, 30_000])
@pytest.mark.parametrize("model", [lsa(), logmmse()])
def test_length_is_exact(noise, n_samples, model):
    assert removed(model, noise(n_samples)).shape == (2, n_samples)


@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 44_100, 96_000])
def test_any_rate(noise, sample_rate):
    waveform = noise(3 * sample_rate // 2, channels=1, level=0.01)
    found = denoised(lsa(), waveform, sample_rate=sample_rate, block=sample_rate)
    assert found.shape == waveform.shape
    assert in_db(found.std() / waveform.std()) < -12


def test_the_stream_is_read_no_further_than_the_lead():
    n_read, n_given, most = 0, 0, 0

    def blocks():
        nonlocal n_read
        for start in range(0, 10 * RATE, 1000):
            n_read += 1000
            yield hiss(1000 / RATE, seed=start)

    for piece in lsa().removed(blocks(), 1, RATE):
        most = max(most, n_read - n_given)
        n_given += piece.shape[1]
    assert most <= 3 * RATE + 16 * HOP + 2 * N_FFT + 1000


def test_scaling_the_recording_scales_the_result():
    waveform = notes(3) + hiss(3, channels=2)
    for model in (lsa(), logmmse()):
        expected = removed(model, waveform)
        for scale in (1e-5, 0.5, 1e3):
            assert differ(removed(model, scale * waveform) / scale, expected) < 1e-6 * expected.std()


def test_one_side_stays_one_side_and_a_panned_source_where_it_is():
    source = notes(2)[:1] + hiss(2)
    left, right = removed(lsa(), np.concatenate([source, np.zeros_like(source)]))
    assert left.any()
    assert not right.any()
    left, right = removed(lsa(), np.concatenate([source, -0.3 * source]))
    assert differ(right, -0.3 * left) < 1e-12


def test_equal_channels_are_treated_as_one():
    source = notes(2)[:1] + hiss(2)
    alone = removed(lsa(), source)
    for channels in (2, 5):
        assert differ(removed(lsa(), np.tile(source, (channels, 1))), alone) < 1e-9


# Digital silence


@pytest.mark.parametrize("model", [lsa(), logmmse(), known(hiss(1))])
def test_digital_silence_stays_and_teaches_nothing(model):
    noise = hiss(6, channels=2)
    gapped = noise.copy()
    gapped[:, 3 * RATE : 4 * RATE] = 0
    found = denoised(model, gapped)
    assert not found[:, 3 * RATE : 4 * RATE].any()
    beside = [found[:, start : start + RATE // 4].std() for start in (int(2.7 * RATE), int(4.1 * RATE))]
    assert in_db(beside[1] / beside[0]) == pytest.approx(0, abs=2)
    assert not denoised(model, np.zeros((2, 9_999))).any()


def test_short_runs_of_zeros_are_no_silence():
    waveform = hiss(1)
    waveform[:, 5_000 : 5_000 + HOP - 1] = 0
    assert removed(known(hiss(1, seed=1)), waveform)[:, 5_000 : 5_000 + HOP - 1].all()


# Defects of a known program (logmmse 1.5), one test each


@pytest.mark.parametrize("model", [lsa(), logmmse()])
def test_issue_a_silent_beginning_is_no_noise(model):
    """logmmse 1.5 takes the first 120 ms for noise also where they are digital silence, and raises."""
    noise = hiss(4, channels=2)
    late = np.concatenate([np.zeros((2, 4_321)), noise], axis=1)
    expected = np.concatenate([np.zeros((2, 4_321)), removed(model, noise)], axis=1)
    assert np.array_equal(removed(model, late), expected)


@pytest.mark.parametrize("model", [lsa(), logmmse()])
def test_issue_the_error_state_of_numpy_is_left_alone(model):
    """logmmse 1.5 sets it to "raise" when it is imported; here no caller's setting matters."""
    before = np.geterr()
    waveform = np.concatenate([hiss(1, level=1e-150), np.zeros((1, RATE)), hiss(1), 0 * hiss(1)], axis=1)
    expected = removed(model, waveform)
    assert np.geterr() == before
    with np.errstate(all="raise"):
        assert np.array_equal(removed(model, waveform), expected)


def test_issue_nothing_is_lost_after_a_minute():
    """logmmse 1.5 works in pieces of 60 s and loses 20 ms of each; a splice is heard there too."""
    rate = 1_000
    noise = np.random.default_rng(0).standard_normal((1, 65 * rate))
    for model in (lsa(), logmmse()):
        left = denoised(model, noise, sample_rate=rate)
        assert left.shape == noise.shape
        tenths = np.square(left).reshape(-1, rate // 10).mean(axis=1)
        assert tenths[590:610].max() < 3 * tenths[100:550].max()


def test_issue_any_floating_type_will_do():
    """logmmse 1.5 raises on float64."""
    noise = hiss(1, channels=2)
    found = removed(logmmse(), noise)
    assert found.dtype == np.float64
    assert differ(removed(logmmse(), noise.astype(np.float32)), found) < 1e-6


@pytest.mark.parametrize(
    "setting", [{"floor_db": 1}, {"prior_smoothing": 1}, {"smoothing_bins": -1}, {"smoothing_threshold": 0}]
)
def test_a_setting_outside_its_range_is_refused(setting):
    with pytest.raises(ValueError, match=next(iter(setting))):
        known(hiss(1), **setting)
