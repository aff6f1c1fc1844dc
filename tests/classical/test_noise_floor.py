"""The noise is found to within a decibel or so, given or learned, whatever plays over it."""

import numpy as np
import pytest

from concertclean.classical.noise_floor import (
    FixedNoise,
    MinimumStatistics,
    PauseNoise,
    frame_powers,
    frame_sizes,
    hann,
    noise_profile,
)
from concertclean.errors import ConfigError

RATE = 8_000  # Hz; low, so that the tests are quick
N_FFT, HOP = frame_sizes(RATE)


def white(seconds, *, channels=1, seed=0, level=0.01):
    """Gaussian noise; its power in a bin is `level² · Σ window²`."""
    return level * np.random.default_rng(seed).standard_normal((channels, round(seconds * RATE)))


def true_power(level=0.01):
    return level**2 * np.square(hann(N_FFT)).sum()


def followed(estimator, waveform):
    """Noise in every frame, as `(frame, freq)`, and the frames a second."""
    powers = frame_powers(waveform, N_FFT, HOP)
    tracker = estimator.start(powers[: round(estimator.lead_seconds * RATE / HOP)], HOP / RATE)
    found = []
    for power in powers:
        found.append(tracker.noise)
        tracker.learn(power, np.full_like(power, 0.1))
    return np.array(found), RATE / HOP


def in_db(ratio):
    return 10 * np.log10(ratio)


@pytest.mark.parametrize(
    ("sample_rate", "n_fft"), [(44_100, 2048), (48_000, 2048), (96_000, 4096), (22_050, 1024), (8_000, 512), (10, 8)]
)
def test_a_frame_is_a_power_of_two_near_46_ms(sample_rate, n_fft):
    assert frame_sizes(sample_rate) == (n_fft, n_fft // 4)


def test_squares_of_the_windows_of_a_sample_sum_to_one_and_a_half():
    assert np.square(hann(64)).reshape(4, 16).sum(axis=0) == pytest.approx(1.5, abs=1e-14)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_profile_of_white_noise_is_flat_at_its_variance(channels):
    profile = noise_profile(white(20, channels=channels), N_FFT, HOP)
    assert in_db(profile[2:-2].mean() / true_power()) == pytest.approx(0, abs=0.1)
    assert in_db(profile[2:-2] / true_power()) == pytest.approx(0, abs=1.0)  # 20 s: 0.2 dB of deviation a bin, mono


def test_silent_frames_do_not_dilute_the_profile():
    noise = white(2)
    gap = np.concatenate([np.zeros((1, 4 * N_FFT)), noise, np.zeros((1, 4 * N_FFT))], axis=1)
    found = noise_profile(gap, N_FFT, HOP).mean()
    assert in_db(found / noise_profile(noise, N_FFT, HOP).mean()) == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize(("waveform", "told"), [(white(0.06), "too few"), (np.zeros((2, RATE)), "silence")])
def test_a_profile_that_cannot_be_is_refused(waveform, told):
    with pytest.raises(ConfigError, match=told):
        noise_profile(waveform, *frame_sizes(RATE))


def test_a_profile_of_another_rate_is_refused():
    with pytest.raises(ValueError, match="another rate"):
        FixedNoise(np.ones(100)).start(np.zeros((0, N_FFT // 2 + 1)), HOP / RATE)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("window_seconds", [1.5, 3.0])
def test_minimum_statistics_finds_white_noise(channels, window_seconds):
    found, _ = followed(MinimumStatistics(window_seconds), white(10, channels=channels))
    assert in_db(found.mean() / true_power()) == pytest.approx(0, abs=1.0)
    late = in_db(found[len(found) // 2 :, 2:-2] / true_power())
    assert late.mean() == pytest.approx(0, abs=1.0)
    assert np.sqrt(np.square(late).mean()) < 1.5


def test_minimum_statistics_knows_the_noise_of_the_first_frame():
    found, _ = followed(MinimumStatistics(), white(5))
    assert in_db(found[0, 2:-2].mean() / true_power()) == pytest.approx(0, abs=1.0)


@pytest.mark.parametrize("step_db", [6, -6])
def test_minimum_statistics_follows_a_step_within_its_window(step_db):
    noise = white(12)
    noise[:, 6 * RATE :] *= 10 ** (step_db / 20)
    found, frames_a_second = followed(MinimumStatistics(2.0), noise)
    wait = 2.0 if step_db > 0 else 0.5  # a fall is a new minimum at once
    before, after = (int(seconds * frames_a_second) for seconds in (5.5, 6 + wait + 0.3))
    assert in_db(found[before].mean() / true_power()) == pytest.approx(0, abs=1.5)
    assert in_db(found[after].mean() / true_power()) == pytest.approx(step_db, abs=1.5)


def test_a_tone_without_end_is_not_taken_for_noise(tone):
    steady = white(8) + tone(1000, 8 * RATE, sample_rate=RATE, channels=1, level=0.1)
    limited, _ = followed(MinimumStatistics(), steady)
    plain, _ = followed(MinimumStatistics(limit_db=np.inf), steady)
    at_tone = round(1000 / RATE * N_FFT)
    assert in_db(plain[-1, at_tone] / true_power()) > 20
    assert in_db(limited[-1, at_tone] / true_power()) < 4  # the limit of 3 dB over the noise beside it
    assert limited[-1, 200:] == pytest.approx(plain[-1, 200:], rel=0.2)


def test_minimum_statistics_scales_with_the_recording():
    noise = white(3)
    found, _ = followed(MinimumStatistics(1.0), noise)
    louder, _ = followed(MinimumStatistics(1.0), 1000 * noise)
    assert np.allclose(louder, 1e6 * found, rtol=1e-6, atol=0)


@pytest.mark.parametrize("estimator", [MinimumStatistics(), PauseNoise()])
def test_without_a_whole_frame_nothing_is_known(estimator):
    assert not estimator.start(np.zeros((0, 9)), 0.01).noise.any()


@pytest.mark.parametrize("limit_db", [3.0, np.inf])
def test_minimum_statistics_bears_bins_without_power(limit_db):
    powers = frame_powers(white(4), N_FFT, HOP)
    powers[:, 50:] = 0
    tracker = MinimumStatistics(1.0, limit_db).start(powers, HOP / RATE)
    assert not tracker.noise[60:].any()
    assert in_db(tracker.noise[2:40].mean() / true_power()) == pytest.approx(0, abs=1.5)


def test_issue_the_first_120_ms_give_the_mean_power():
    """logmmse 1.5 squares the mean magnitude: 1.05 dB too little noise, for good."""
    seen = [PauseNoise().start(frame_powers(white(0.5, seed=n), N_FFT, HOP), HOP / RATE).noise for n in range(20)]
    assert in_db(np.mean(seen) / true_power()) == pytest.approx(0, abs=0.2)


def test_pause_noise_learns_in_pauses_and_not_under_music(tone):
    noise = white(8)
    noise[:, 4 * RATE :] *= 10 ** (1 / 20)  # a decibel louder: still a pause
    found, _ = followed(PauseNoise(), noise)
    assert in_db(found[-1].mean() / true_power()) == pytest.approx(1, abs=0.4)
    music = white(8)
    for harmonic in range(1, 20):
        music[:, RATE:] += tone(190 * harmonic, 7 * RATE, sample_rate=RATE, channels=1, level=0.1)
    found, frames_a_second = followed(PauseNoise(), music)
    assert found[-1] == pytest.approx(found[int(1.1 * frames_a_second)])
