"""Calls of one person by what is known of them: how their pitch moves, and where their formants lie."""

import numpy as np
import pytest
from scipy.signal import spectrogram

from concertclean.synthesis import calls

RATE = 44_100
Rng = np.random.default_rng


def pitch(sound: np.ndarray, start_seconds: float, low_hz: float, high_hz: float) -> float:
    """By autocorrelation of 40 ms."""
    part = sound[int(start_seconds * RATE) :][: RATE // 25]
    likeness = np.correlate(part, part, "full")[len(part) - 1 :]
    shortest, longest = int(RATE / high_hz), int(RATE / low_hz)
    return RATE / (shortest + int(likeness[shortest:longest].argmax()))


@pytest.mark.parametrize("pitch_hz", [200, 500])
def test_whoop_rises_from_its_pitch_and_falls_back(pitch_hz: float) -> None:
    """Period by autocorrelation of 40 ms: its vibrato is 2 %, its rise at most 60 %."""
    sound = calls.whoop(Rng(8), RATE, pitch_hz=pitch_hz, seconds=1.2)[0]
    pitches = [pitch(sound, start, 0.9 * pitch_hz, 1.7 * pitch_hz) for start in np.arange(0.02, 1.12, 0.05)]
    assert pitches[0] == pytest.approx(pitch_hz, rel=0.08)
    assert pitch_hz * 1.1 < max(pitches) < pitch_hz * 1.65
    assert pitches[-1] < max(pitches) * 0.95
    assert len(sound) == int(1.2 * RATE)
    assert np.abs(sound).max() == 1


@pytest.mark.parametrize("seed", range(5))
def test_whistle_is_a_narrow_band_on_its_glide(seed: int) -> None:
    """In 12 ms a glide moves by 150 Hz, two bins of the window take another 170; breath is 0.5 % of the power."""
    sound = calls.whistle(Rng(seed), RATE)
    hz, _, power = spectrogram(sound[0], RATE, nperseg=512, noverlap=256)
    centre = hz[power.argmax(axis=0)]
    is_near = np.abs(hz[:, None] - centre) < 350
    is_loud = power.sum(axis=0) > 0.1 * power.sum(axis=0).max()
    assert power[is_near & is_loud].sum() / power[:, is_loud].sum() > 0.98
    assert centre[is_loud].min() > 1350
    assert centre[is_loud].max() < 4150
    assert 0.2 <= sound.shape[1] / RATE <= 1.4


@pytest.mark.parametrize("pitch_hz", [110, 240])
def test_a_boo_is_long_dark_and_sinks(pitch_hz: float) -> None:
    sound = calls.boo(Rng(4), RATE, pitch_hz=pitch_hz, seconds=2.0)
    assert sound.shape == (1, 2 * RATE)
    assert np.abs(sound).max() == 1
    pitches = [pitch(sound[0], start, 0.6 * pitch_hz, 1.1 * pitch_hz) for start in np.arange(0.05, 1.8, 0.1)]
    assert pitches[0] == pytest.approx(pitch_hz, rel=0.05)
    assert 0.68 * pitch_hz < pitches[-1] < pitches[0]
    power = np.abs(np.fft.rfft(sound[0])) ** 2
    hz = np.fft.rfftfreq(sound.shape[1], 1 / RATE)
    assert power[hz < 1100].sum() > 0.8 * power.sum()  # the first two formants of "oo"


def test_boos_differ() -> None:
    lengths = {calls.boo(Rng(seed), RATE).shape[1] for seed in range(10)}
    assert len(lengths) == 10
    assert min(lengths) >= 0.6 * RATE
    assert max(lengths) <= 3 * RATE
