"""Crowds by what is known of them: where a clap's spectrum peaks, how often people clap, when a swell begins."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import find_peaks

from concertclean.synthesis import crowd
from concertclean.synthesis.shaping import rms

RATE = 44_100
Rng = np.random.default_rng


class Beeps:
    """Clips that can be told from all else: tones of one frequency, in as many channels as a stereo recording has."""

    def __init__(self, frequency_hz: float, seconds: float = 1.0) -> None:
        self.frequency_hz, self.seconds = frequency_hz, seconds
        self.asked: set[float] = set()

    def draw(self, rng: np.random.Generator, seconds: float, speed: float = 1.0) -> np.ndarray:
        self.asked.add(seconds)
        n_samples = int(min(seconds, self.seconds) * RATE)
        tone = np.sin(2 * np.pi * self.frequency_hz * np.arange(n_samples) / RATE + rng.uniform(0, 6))
        return np.tile(0.5 * tone, (2, 1)).astype(np.float32)


def share_in_band(waveform: np.ndarray, low_hz: float, high_hz: float) -> float:
    power = (np.abs(np.fft.rfft(waveform)) ** 2).sum(axis=0)
    hz = np.fft.rfftfreq(waveform.shape[1], 1 / RATE)
    return float(power[(hz >= low_hz) & (hz <= high_hz)].sum() / power.sum())


def onset_strength(waveform: np.ndarray) -> np.ndarray:
    """Rise of the level from 5 ms to the next, dB above a floor 40 dB under the peak; 200 a second."""
    hop = RATE // 200
    n_hops = waveform.shape[1] // hop
    power = np.square(waveform[:, : n_hops * hop]).reshape(len(waveform), n_hops, hop).sum(axis=(0, 2))
    level_db = 10 * np.log10(power + 1e-4 * power.max())
    return np.maximum(0, np.diff(level_db, prepend=level_db[0]))


@pytest.mark.parametrize("centre_hz", [600, 1500, 2800])
def test_clap_peaks_at_its_centre(centre_hz: float) -> None:
    """Mean spectrum of 300 claps in bins of 86 Hz: the mean of 300 powers strays by 6 %, the top is as flat as that."""
    rng = Rng(0)
    spectra = [np.abs(np.fft.rfft(crowd.clap(rng, RATE, centre_hz=centre_hz)[0], 512)) ** 2 for _ in range(300)]
    peak_hz = np.mean(spectra, axis=0).argmax() * RATE / 512
    assert peak_hz == pytest.approx(centre_hz, abs=0.1 * centre_hz + 86)


@pytest.mark.parametrize("decay_seconds", [0.005, 0.02])
def test_clap_falls_by_20_db_in_its_decay(decay_seconds: float) -> None:
    """The resonator of at least 400 Hz smears by 0.8 ms at most."""
    rng = Rng(1)
    claps = [crowd.clap(rng, RATE, decay_seconds=decay_seconds) for _ in range(300)]
    power = np.mean([np.square(c[0]) for c in claps], axis=0)
    time = np.arange(len(power)) / RATE
    is_inside = (time > 0.002) & (time < 2.5 * decay_seconds)
    slope = np.polyfit(time[is_inside], 10 * np.log10(power[is_inside]), 1)[0]
    assert -20 / slope == pytest.approx(decay_seconds, rel=0.08)
    assert len(power) == int(3 * decay_seconds * RATE)
    assert all(np.abs(c).max() == 1 for c in claps)


def test_one_person_claps_at_the_beat() -> None:
    """Three a second for 20 s, the first and the last of them perhaps outside."""
    strength = onset_strength(crowd.applause(Rng(2), 20 * RATE, RATE, n_people=1, beat_hz=3.0))
    onsets, _ = find_peaks(strength, height=10, distance=20)
    assert 59 <= len(onsets) <= 61
    assert np.diff(onsets).mean() / 200 == pytest.approx(1 / 3, rel=0.02)


def test_one_person_alone_claps_two_to_five_times_a_second() -> None:
    paces = []
    for seed in range(6):
        strength = onset_strength(crowd.applause(Rng(seed), 10 * RATE, RATE, n_people=1))
        paces.append(len(find_peaks(strength, height=10, distance=15)[0]) / 10)
    assert 1.8 <= min(paces) < max(paces) <= 5.2
    assert max(paces) - min(paces) > 0.5


def test_a_flock_is_periodic_and_a_crowd_is_not() -> None:
    """Autocorrelation at one beat of 0.4 s: near one for common claps, chance (about 0.05) for 40 people's own."""

    def at_the_beat(beat_hz: float | None) -> float:
        strength = onset_strength(crowd.applause(Rng(3), 20 * RATE, RATE, n_people=40, beat_hz=beat_hz))
        smooth = np.convolve(strength - strength.mean(), np.hanning(15), mode="same")  # as wide as the flock strays
        smooth -= smooth.mean()
        return float((smooth[80:] @ smooth[:-80]) / (smooth @ smooth))

    assert at_the_beat(2.5) > 0.7
    assert abs(at_the_beat(None)) < 0.3


def test_people_clap_from_their_own_places() -> None:
    left, right = crowd.applause(Rng(4), 5 * RATE, RATE, n_people=1)
    ratio = (left @ right) / (left @ left)
    assert abs(ratio - 1) > 0.01
    assert np.allclose(right, ratio * left, atol=1e-4 * np.abs(right).max())  # one place
    assert np.corrcoef(crowd.applause(Rng(5), 5 * RATE, RATE, n_people=30))[0, 1] < 0.9


def test_recorded_claps_are_heard() -> None:
    """Tones of 9 kHz in two claps of five; the model has next to nothing there."""
    recorded = crowd.applause(Rng(6), 3 * RATE, RATE, n_people=30, claps=Beeps(9000, 0.05))
    assert share_in_band(recorded, 8900, 9100) > 0.3
    assert share_in_band(crowd.applause(Rng(6), 3 * RATE, RATE, n_people=30), 8900, 9100) < 0.01


@pytest.mark.parametrize("make", [crowd.cheer, crowd.near_voices])
def test_shouts_are_recorded_where_there_are_recordings(make: Callable[..., np.ndarray]) -> None:
    assert share_in_band(make(Rng(9), 3 * RATE, RATE, clips=[Beeps(8000)]), 7900, 8100) > 0.2
    assert share_in_band(make(Rng(9), 3 * RATE, RATE), 7900, 8100) < 0.01


def test_near_voices_are_bursts_with_rests() -> None:
    """Of ten bursts of up to three people, some begin after silence; a cheer of many never pauses for 0.1 s."""

    def quiet_share(waveform: np.ndarray) -> float:
        level = np.abs(waveform[:, : RATE // 10 * 60]).reshape(2, 60, -1).max(axis=(0, 2))
        return float((level < 0.001 * level.max()).mean())

    shares = [quiet_share(crowd.near_voices(Rng(seed), 6 * RATE, RATE)) for seed in range(10)]
    assert max(shares) > 0.2
    assert max(shares) < 1  # somebody speaks in each
    assert quiet_share(crowd.cheer(Rng(1), 6 * RATE, RATE)) == 0


def test_boos_are_dense_and_dark() -> None:
    sound = crowd.boos(Rng(12), 4 * RATE, RATE)
    assert sound.shape == (2, 4 * RATE)
    assert share_in_band(sound, 60, 1100) > 0.8
    assert share_in_band(crowd.cheer(Rng(12), 4 * RATE, RATE), 60, 1100) < 0.6


def test_babble_is_dense_and_lies_in_the_band_of_speech() -> None:
    sound = crowd.babble(Rng(10), 4 * RATE, RATE)
    levels = np.sqrt(np.square(sound[:, : RATE // 2 * 8]).reshape(2, 8, -1).mean(axis=(0, 2)))
    assert levels.max() / levels.min() < 4  # 12 dB: nobody's pauses show
    assert share_in_band(sound, 80, 5000) > 0.9


def test_babble_is_made_of_the_speech_it_gets() -> None:
    assert share_in_band(crowd.babble(Rng(11), 2 * RATE, RATE, speech=Beeps(1000)), 950, 1050) > 0.99


def test_swell_stays_in_its_range_and_wanders() -> None:
    gains = [crowd.swell(Rng(seed), 10 * RATE, RATE, depth_db=9.0) for seed in range(20)]
    lowest = np.array([20 * np.log10(gain.min()) for gain in gains])
    assert all(gain.shape == (1, 10 * RATE) and gain.max() <= 1 for gain in gains)
    assert ((lowest > -9.01) | (lowest < -30)).all()  # the depth, or a pause
    assert 0 < (lowest < -30).mean() < 0.5  # 0.3 of the crowds, where a turning point was hit
    steepest = max(np.abs(np.diff(20 * np.log10(gain[0]))).max() * RATE for gain in gains)
    assert steepest < 60 / 0.3 * 1.05  # dB a second


def test_swell_breaks_in_at_its_onset() -> None:
    """The rise takes 0.05 to 0.5 s; after it the level is that of the swell, here of 6 dB at most below one."""
    gain = crowd.swell(Rng(1), 4 * RATE, RATE, depth_db=6.0, onset_seconds=1.5)[0]
    onset = int(1.5 * RATE)
    assert not gain[: onset + 1].any()
    assert 0 < gain[onset + 5] < 0.1
    assert gain[onset + RATE // 2 :].min() >= 10 ** (-6 / 20) - 1e-6


@pytest.mark.parametrize("seed", range(3))
def test_crowd_is_stereo_at_an_rms_of_one(seed: int) -> None:
    made = crowd.crowd(Rng(seed), 2 * RATE, RATE)
    assert made.shape == (2, 2 * RATE)
    assert made.dtype == np.float32
    assert rms(made) == pytest.approx(1, abs=1e-4)
    assert rms(made[:1] - made[1:]) > 0.01  # one person beside the phone differs in level alone


def test_crowd_uses_all_that_it_is_given() -> None:
    """By how much each maker asks for: 0.1 s of a clap, 2.5 s of a shout, 4 s of speech, 1.5 s of a room."""
    clips = {"claps": Beeps(9000, 0.05), "shouts": Beeps(10_000), "speech": Beeps(11_000), "responses": Beeps(50, 0.2)}
    crowds = [crowd.crowd(Rng(seed), RATE // 2, RATE, **clips) for seed in range(8)]
    asked = {name: shelf.asked for name, shelf in clips.items()}
    assert asked == {"claps": {0.1}, "shouts": {2.5}, "speech": {2.5, 4.0}, "responses": {1.5}}
    found = {hz: max(share_in_band(made, hz - 100, hz + 100) for made in crowds) for hz in (9000, 10_000, 11_000)}
    assert min(found.values()) > 0.1, found


def test_same_generator_state_same_crowd() -> None:
    crowds = [crowd.crowd(Rng(seed), RATE // 4, RATE) for seed in (5, 5, 6)]
    assert np.array_equal(crowds[0], crowds[1])
    assert not np.array_equal(crowds[0], crowds[2])


@pytest.mark.parametrize("sample_rate", [16_000, 48_000])
def test_crowd_at_other_sample_rates(sample_rate: int) -> None:
    made = crowd.crowd(Rng(0), sample_rate, sample_rate)
    assert made.shape == (2, sample_rate)
    assert rms(made) == pytest.approx(1, abs=1e-4)
