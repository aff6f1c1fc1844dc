"""Thumps go with their clicks, bass drums stay, and how the stream is cut does not matter."""

import numpy as np
import pytest

from concertclean.classical.declick import Declicker
from concertclean.classical.thumps import Dethumper
from concertclean.synthesis.disc import thump

RATE = 22_050


def removed(waveform, block=65_536, method=None):
    blocks = (waveform[:, start : start + block] for start in range(0, waveform.shape[1], block))
    pieces = list((method or Dethumper()).removed(blocks, len(waveform), RATE))
    return np.concatenate([np.zeros((len(waveform), 0)), *pieces], axis=1)


def music(seconds, seed=0):
    """Two low notes with twelve partials that swell and fade, and hiss at -60 dB."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    total = 1e-3 * rng.standard_normal(len(time))
    for pitch in (98.0, 196.0):
        for k in range(1, 13):
            swing = 1 + 0.3 * np.sin(2 * np.pi * (rng.uniform(0.3, 1) * time + rng.random()))
            total += 0.03 / k * swing * np.sin(2 * np.pi * (k * pitch * time + rng.random()))
    return total[None]


def scratched(clean, seed=0):
    """A click of a millisecond and a thump behind it, every second; with the thumps alone."""
    rng = np.random.default_rng(seed)
    thumps, waveform = np.zeros_like(clean), clean.copy()
    for start in range(RATE, clean.shape[1] - RATE, RATE):
        waveform[0, start : start + 22] += 0.8 * rng.standard_normal(22) * np.exp(-np.arange(22) / 8)
        pulse = 0.5 * thump(rng, RATE, frequency_hz=rng.uniform(20, 80), decay_seconds=rng.uniform(0.03, 0.1))[0]
        pulse = pulse[: clean.shape[1] - start]
        thumps[0, start : start + len(pulse)] += pulse
    return waveform + thumps, thumps


def low_energy(error):
    """Energy below 150 Hz."""
    spectrum = np.fft.rfft(error)
    return np.square(np.abs(spectrum[:, : int(150 * error.shape[1] / RATE)])).sum()


def test_thumps_go_with_their_clicks():
    """By 15 dB below 150 Hz, where the declicker alone leaves them as they are."""
    clean = music(7)
    waveform, thumps = scratched(clean)
    left = low_energy(waveform - removed(waveform) - clean)
    by_clicks = low_energy(waveform - removed(waveform, method=Declicker()) - clean)
    assert left < 10**-1.5 * low_energy(thumps)
    assert by_clicks > 0.5 * low_energy(thumps)


def test_bass_drums_without_a_click_stay_to_the_bit():
    rng = np.random.default_rng(3)
    clean = music(6)
    for start in range(RATE, 5 * RATE, RATE // 2):
        drum = 0.4 * thump(rng, RATE, frequency_hz=55.0, decay_seconds=0.1)[0][: RATE // 2]
        clean[0, start : start + len(drum)] += drum * np.minimum(np.arange(len(drum)) / (0.004 * RATE), 1)
    assert not removed(clean).any()


def test_a_click_without_a_thump_is_only_a_click():
    clean = music(5)
    waveform = clean.copy()
    waveform[0, 2 * RATE : 2 * RATE + 12] += 0.5
    assert np.array_equal(removed(waveform), removed(waveform, method=Declicker()))


def test_how_the_stream_is_cut_does_not_matter_and_channels_are_alone():
    waveform = np.concatenate([scratched(music(4))[0], music(4, seed=1)])
    whole = removed(waveform, block=waveform.shape[1])
    assert whole[0].any()
    assert not whole[1].any()
    assert np.array_equal(removed(waveform, block=9973), whole)
    assert np.array_equal(removed(waveform[:1]), whole[:1])


@pytest.mark.parametrize("n_samples", [0, 1, 5000, 3 * RATE])
def test_length_and_silence(n_samples):
    found = removed(np.zeros((2, n_samples)))
    assert found.shape == (2, n_samples)
    assert not found.any()
