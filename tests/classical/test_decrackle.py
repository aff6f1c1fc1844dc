"""Crackle goes down, what lies between the ticks stays, and how the stream is cut does not matter."""

import numpy as np
import pytest

from concertclean.classical.declick import Declicker
from concertclean.classical.decrackle import decrackler
from concertclean.metrics.sdr import snr
from concertclean.synthesis.disc import crackle

RATE = 44_100


def removed(waveform, sample_rate=RATE, block=65_536, method=None):
    blocks = (waveform[:, start : start + block] for start in range(0, waveform.shape[1], block))
    pieces = list((method or decrackler()).removed(blocks, len(waveform), sample_rate))
    return np.concatenate([np.zeros((len(waveform), 0)), *pieces], axis=1)


def chord(seconds, sample_rate=RATE):
    """Three notes with ten partials, which tremble slowly, and hiss at -66 dB."""
    rng = np.random.default_rng(1)
    time = np.arange(int(seconds * sample_rate)) / sample_rate
    total = 5e-4 * rng.standard_normal(len(time))
    for pitch in (146.8, 220.0, 329.6):
        for k in range(1, 11):
            swing = 1 + 0.3 * np.sin(2 * np.pi * (rng.uniform(1, 4) * time + rng.random()))
            total += 0.08 / k * swing * np.sin(2 * np.pi * (k * pitch * time + rng.random()))
    return total[None]


def crackled(clean, per_second, below_db, sample_rate=RATE):
    noise = crackle(np.random.default_rng(2), clean.shape[1], sample_rate, clicks_per_second=per_second, tail=3.0)
    return clean + noise * (10 ** (-below_db / 20) * clean.std() / noise.std())


@pytest.mark.parametrize("per_second", [100, 400])
def test_crackle_goes_down_further_than_by_the_declicker(per_second):
    """Ticks whose rms is 20 dB below the music's: 8 dB better for a hundred a second, 4 dB for four hundred."""
    clean = chord(3)
    degraded = crackled(clean, per_second, 20)
    gained, by_clicks = (
        snr(clean, degraded - removed(degraded, method=method)) - snr(clean, degraded)
        for method in (decrackler(), Declicker())
    )
    assert gained > {100: 8, 400: 4}[per_second]
    assert gained > by_clicks + 1


def test_between_ticks_every_bit_stays():
    degraded = crackled(chord(3), 50, 20)
    share = (removed(degraded) != 0).mean()
    assert 0 < share < 0.1


def test_music_without_crackle_loses_little():
    """Hiss has peaks that look like ticks: 40 dB below the music at most."""
    clean = chord(3)
    assert snr(clean, clean - removed(clean)) > 40


def test_how_the_stream_is_cut_does_not_matter():
    degraded = crackled(chord(5, 11_025), 100, 20, 11_025)
    whole = removed(degraded, 11_025, block=degraded.shape[1])
    assert whole.any()
    assert np.array_equal(removed(degraded, 11_025, block=7001), whole)


@pytest.mark.parametrize("n_samples", [0, 1, 5000])
def test_length_and_silence(n_samples):
    found = removed(np.zeros((3, n_samples)))
    assert found.shape == (3, n_samples)
    assert not found.any()
