"""Hum goes, wherever the comb lies and however it drifts; music without hum keeps every bit, bass notes included."""

import numpy as np
import pytest

from concertclean.classical.dehum import Dehummer
from concertclean.synthesis.disc import hum

RATE = 8000  # the search itself works at 4 kHz


def removed(waveform, sample_rate=RATE, block=10_000, **settings):
    blocks = (waveform[:, start : start + block] for start in range(0, waveform.shape[1], block))
    pieces = list(Dehummer(**settings).removed(blocks, len(waveform), sample_rate))
    return np.concatenate([np.zeros((len(waveform), 0)), *pieces], axis=1)


def bass(seconds, pitch_hz=49.0, sample_rate=RATE):
    """Notes of 0.8 s every 1.2 s, with ten partials, each an octave, a fifth or nothing above the pitch."""
    total = np.zeros((1, int(seconds * sample_rate)))
    time = np.arange(int(0.8 * sample_rate)) / sample_rate
    envelope = np.minimum(time / 0.01, 1) * np.exp(-2 * time)
    for number, start in enumerate(range(0, total.shape[1] - len(time), int(1.2 * sample_rate))):
        pitch = pitch_hz * (1, 1.5, 2, 1)[number % 4]
        for k in range(1, 11):
            total[0, start : start + len(time)] += 0.1 / k * envelope * np.sin(2 * np.pi * k * pitch * time)
    return total


def noise(seconds, level, sample_rate=RATE):
    return level * np.random.default_rng(3).standard_normal((1, int(seconds * sample_rate)))


def left_db(truth, found):
    """Energy of what stays of the hum, dB relative to it, the first and last two seconds apart."""
    inner = slice(2 * RATE, -2 * RATE)
    return 10 * np.log10(np.square(truth - found)[:, inner].sum() / np.square(truth)[:, inner].sum())


def mains(seconds, pitch_hz, sample_rate=RATE):
    rng = np.random.default_rng(4)
    return 0.02 * hum(rng, int(seconds * sample_rate), sample_rate, mains_hz=pitch_hz).astype(np.float64)


@pytest.mark.parametrize("pitch_hz", [50.0, 60.0, 49.95, 48.7, 61.5])
def test_hum_goes_from_noise(pitch_hz):
    """By 30 dB, from noise at -46 dB of full scale: the frequency is found to a few thousandths of a hertz."""
    truth = mains(20, pitch_hz)
    assert left_db(truth, removed(truth + noise(20, 0.005))) < -30


def test_hum_goes_from_under_bass_notes():
    """By 7 dB, where notes cover it two thirds of the time and no window of two seconds is free of them."""
    truth = mains(24, 50.02)
    found = removed(truth + bass(24) + noise(24, 0.001))
    assert left_db(truth, found) < -7


def test_drift_is_followed():
    """Pitch that wanders by 0.1 % and level that doubles in 30 s: 15 dB less."""
    time = np.arange(30 * RATE) / RATE
    phase = 2 * np.pi * np.cumsum(50 + 0.05 * np.sin(2 * np.pi * time / 60)) / RATE
    truth = (0.01 * (1 + time / 30) * (np.sin(phase) + 0.5 * np.sin(3 * phase + 1)))[None]
    assert left_db(truth, removed(truth + noise(30, 0.001))) < -15


@pytest.mark.parametrize("pitch_hz", [49.0, 50.0, 60.0, 98.0])
def test_bass_notes_that_come_and_go_stay_to_the_bit(pitch_hz):
    assert not removed(bass(20, pitch_hz)).any()
    assert not removed(bass(20, pitch_hz) + noise(20, 0.001)).any()


def test_noise_has_no_hum():
    assert not removed(noise(30, 0.1)).any()


def test_a_single_tone_is_no_comb_unless_one_partial_is_enough(tone):
    waveform = tone(50.0, 12 * RATE, sample_rate=RATE, channels=1) + noise(12, 0.001)
    assert not removed(waveform).any()
    assert removed(waveform, needed=1).any()


def test_only_the_named_mains_are_searched():
    waveform = mains(12, 60.0) + noise(12, 0.001)
    assert not removed(waveform, mains_hz=(50.0,)).any()
    assert removed(waveform, mains_hz=(60.0,), speed=0.001).any()


def test_any_rate():
    """At 44.1 kHz, where the search works at a twelfth of the rate, the hum goes as well."""
    rng = np.random.default_rng(4)
    truth = 0.02 * hum(rng, 9 * 44_100, 44_100, mains_hz=50.0).astype(np.float64)
    found = removed(truth + noise(9, 0.003, 44_100), 44_100)
    inner = slice(2 * 44_100, -2 * 44_100)
    assert np.square(truth - found)[:, inner].sum() < 1e-3 * np.square(truth)[:, inner].sum()


def test_how_the_stream_is_cut_does_not_matter_and_channels_are_alone():
    waveform = np.concatenate([mains(15, 50.0) + noise(15, 0.002), bass(15), mains(15, 60.0) + noise(15, 0.002)])
    whole = removed(waveform, block=waveform.shape[1])
    assert np.array_equal(removed(waveform, block=777), whole)
    assert not whole[1].any()
    for channel in (0, 2):
        assert np.array_equal(removed(waveform[channel : channel + 1]), whole[channel : channel + 1])


def test_digital_silence_gets_no_hum():
    waveform = mains(20, 50.0) + noise(20, 0.001)
    waveform[:, 9 * RATE : 11 * RATE] = 0
    found = removed(waveform)
    assert not found[:, 9 * RATE : 11 * RATE].any()
    assert found[:, 5 * RATE : 8 * RATE].all()


@pytest.mark.parametrize("n_samples", [0, 1, 1000, 3 * RATE, 5 * RATE + 1])
def test_length_and_silence(n_samples):
    """Too short to tell hum from a note: nothing."""
    for waveform in (np.zeros((2, n_samples)), np.full((2, n_samples), 0.3)):
        found = removed(waveform)
        assert found.shape == (2, n_samples)
        assert not found.any()
    assert not removed(mains(1, 50.0)).any()
