"""The share of tones distinguishes music from noise, however short or coloured."""

import numpy as np
import pytest

from concertclean.dsp.tonality import tonal_share

RATE = 44_100


@pytest.mark.parametrize("seconds", [0.1, 0.15, 0.5, 3.0])
@pytest.mark.parametrize("colour", ["white", "rumble", "narrow"])
def test_noise_has_no_tones(seconds: float, colour: str) -> None:
    waveform = np.random.default_rng(3).standard_normal((2, round(seconds * RATE)))
    if colour == "rumble":
        waveform = np.cumsum(waveform, axis=1)
    if colour == "narrow":  # as behind a horn
        spectrum = np.fft.rfft(waveform)
        hz = np.fft.rfftfreq(waveform.shape[1], 1 / RATE)
        waveform = np.fft.irfft(spectrum / (1 + ((hz - 1500) / 400) ** 2), waveform.shape[1])
    assert tonal_share(waveform, RATE) < 0.1


def test_a_chord_that_changes_is_tones() -> None:
    time = np.arange(RATE) / RATE
    chords = [sum(np.sin(2 * np.pi * f * time) for f in chord) for chord in ((220, 277, 330), (294, 370, 440))]
    waveform = 0.1 * np.concatenate(chords)[None]
    waveform = waveform + 0.02 * np.random.default_rng(0).standard_normal(waveform.shape)
    assert tonal_share(waveform, RATE) > 0.5


@pytest.mark.parametrize("n_samples", [0, 100, RATE])
def test_silence_and_scraps_have_none(n_samples: int) -> None:
    assert tonal_share(np.zeros((1, n_samples)), RATE) == 0.0
