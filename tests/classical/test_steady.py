"""Noise that stays is found and lowered; music of any kind comes back, held notes and beats included."""

import numpy as np
import pytest
from scipy.signal import butter, sosfilt, stft

from concertclean.classical.material import material_of
from concertclean.classical.steady import Steady, steady
from concertclean.classical.steady_floor import steady_floor
from concertclean.classical.survey import survey
from concertclean.metrics.sdr import si_sdr
from concertclean.synthesis.transfer import transfer_noise

RATE = 22_050
SECONDS = 24


def seconds(count=SECONDS):
    return np.arange(int(count * RATE)) / RATE


def hiss(count=SECONDS, *, level=0.01, seed=0, channels=1):
    return level * np.random.default_rng(seed).standard_normal((channels, int(count * RATE)))


def organ():
    """A chord held for the whole recording."""
    time = seconds()
    drawbars = ((1, 1.0), (2, 0.6), (3, 0.4), (4, 0.4), (6, 0.2), (8, 0.15))
    notes = (130.81, 164.81, 196.0, 261.63)
    return 0.05 * sum(a * np.sin(2 * np.pi * f * k * time + f * k) for f in notes for k, a in drawbars)


def pad():
    """Detuned voices that move slowly."""
    time, rng = seconds(), np.random.default_rng(1)
    total = np.zeros(len(time))
    for pitch in (110, 164.8, 220, 277.2, 329.6):
        for voice in range(3):
            detuned = pitch * 2 ** (rng.uniform(-12, 12) / 1200)
            for k in range(1, 9):
                phase = rng.uniform(0, 6) + 0.3 * np.sin(2 * np.pi * 0.2 * time + voice)
                movement = 1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.05, 0.3) * time + rng.uniform(0, 6))
                total += 0.02 * movement * np.sin(2 * np.pi * detuned * k * time + phase) / k**1.3
    return total


def melody(total, level, pitches, rng):
    """Adds notes with vibrato, one after the other, some of them rests."""
    start = 0
    while start < len(total) - RATE:
        time = seconds(rng.uniform(0.25, 0.9))
        if rng.random() < 0.85:
            pitch = rng.choice(pitches)
            envelope = np.minimum(1, np.minimum(time / 0.02, (time[-1] - time) / 0.05))
            note = sum(np.sin(2 * np.pi * pitch * k * time + 0.4 * np.sin(35 * time)) / k for k in range(1, 8))
            total[start : start + len(time)] += level * envelope * note
        start += len(time)
    return total


def drone():
    """Three notes that never stop under a melody."""
    time, rng = seconds(), np.random.default_rng(2)
    partials = [(f * k, k) for f in (73.42, 110.0, 146.83) for k in range(1, 15)]
    held = sum(np.sin(2 * np.pi * f * time + f) / k * (1 + 0.1 * np.sin(2 * time + k)) for f, k in partials)
    return melody(0.03 * held, 0.05, 293.66 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12]) / 12), rng)


def pop():
    """Hats on every eighth, kick, snare, bass, distorted chords without a pause, and a melody."""
    rng = np.random.default_rng(3)
    total = melody(np.zeros(SECONDS * RATE), 0.1, 440 * 2 ** (np.array([0, 2, 4, 7, 9]) / 12), rng)
    high, middle = (butter(2, *band, fs=RATE, output="sos") for band in ((6000, "high"), ([150, 8000], "band")))
    time = seconds(0.25)
    for number in range(4 * SECONDS):
        beat = total[number * len(time) : (number + 1) * len(time)]
        time = time[: len(beat)]
        noise = rng.standard_normal(len(beat))
        beat += 0.1 * sosfilt(high, noise) * np.exp(-time / 0.05)
        beat += 0.4 * (number % 2 == 0) * np.sin(2 * np.pi * 60 * time) * np.exp(-time / 0.1)
        beat += 0.2 * (number % 4 == 2) * sosfilt(middle, noise) * np.exp(-time / 0.08)
        root = 55 * 2 ** ((0, -4, 3, -2)[number // 4 % 4] / 12)
        chord = sum(np.sin(2 * np.pi * root * (2, 2.5, 3)[k % 3] * (1 + k // 3) * time) for k in range(18))
        beat += 0.1 * np.tanh(chord) + 0.1 * np.sin(2 * np.pi * root * time)
    return total


def restored(waveform, rate=RATE, block=50_000):
    """What `steady` leaves of a `(channel, time)` waveform."""
    remover = steady(material_of(waveform, rate))
    blocks = (waveform[:, start : start + block] for start in range(0, waveform.shape[1], block))
    removed = np.concatenate([waveform[:, :0], *remover.removed(blocks, len(waveform), rate)], axis=1)
    assert removed.shape == waveform.shape
    return waveform - removed


def floor_of(waveform):
    return steady_floor(survey(iter([waveform]), 1, RATE)[0])


def snr(clean, estimate):
    return 10 * np.log10(np.square(clean).sum() / max(np.square(clean - estimate).sum(), 1e-20))


# What is true


def test_the_floor_of_noise_alone_reaches_its_power():
    """In nearly every bin; more does no harm where there is no music, and takes all of it."""
    hz = np.arange(4097) * RATE / 8192
    found = 10 * np.log10(floor_of(hiss(60))[(hz > 80) & (hz < 10_800)])
    assert np.quantile(found, 0.05) > -41
    assert np.median(found) < -25


def test_a_motor_line_in_noise_is_found_with_its_skirt():
    """Noise 20 Hz wide at 300 Hz, 15 dB above the floor."""
    rng = np.random.default_rng(4)
    line = sosfilt(butter(2, [290, 310], "band", fs=RATE, output="sos"), rng.standard_normal(60 * RATE))
    floor = floor_of(hiss(60) + 0.01 * np.sqrt(32) * line)
    hz = np.arange(len(floor)) * RATE / 8192
    ratio = floor[(hz > 297) & (hz < 303)].mean() / floor[(hz > 400) & (hz < 500)].mean()
    assert 10 * np.log10(ratio) > 12


@pytest.mark.parametrize("channels", [1, 2])
def test_noise_alone_goes_down_evenly(channels):
    """By 16 dB and more, and no lone peak is left that would sound: the powers scatter as they did before."""
    noise = hiss(channels=channels)
    left = restored(noise)
    assert snr(noise, noise - left) > 16
    powers = [np.square(np.abs(stft(one[0], RATE, nperseg=1024)[2][10:500, 8:-8])) for one in (noise, left)]
    before, after = (np.mean(power**4) / np.mean(power**2) ** 2 for power in powers)
    assert after < 2 * before


def test_music_in_noise_wins():
    rng = np.random.default_rng(5)
    music = melody(np.zeros(SECONDS * RATE), 0.1, 330 * 2 ** (np.arange(12) / 12), rng)[None]
    degraded = music + np.sqrt(np.square(music).mean() / 10**0.5) * hiss(level=1.0)  # 5 dB
    before, after = (si_sdr(music, one) for one in (degraded, restored(degraded)))
    assert after > before + 8


def test_the_noise_of_transfers_goes_down_under_music():
    """Lines that tremble, hiss and rumble by the law of measured transfers, 3 dB below a melody."""
    rng = np.random.default_rng(5)
    music = melody(np.zeros(SECONDS * RATE), 0.1, 330 * 2 ** (np.arange(12) / 12), rng)[None]
    gains = []
    for seed in range(6):
        noise = transfer_noise(np.random.default_rng(seed), music.shape[1], RATE).astype(np.float64)
        degraded = music + np.sqrt(np.square(music).mean() / 10**0.3) * noise
        gains.append(si_sdr(music, restored(degraded)) - si_sdr(music, degraded))
    assert np.mean(gains) > 10
    assert min(gains) > 6


# Music of any kind


@pytest.mark.parametrize("piece", [organ, pad, drone, pop])
def test_clean_music_comes_back(piece):
    music = piece()[None]
    assert snr(music, restored(music)) > 40


@pytest.mark.parametrize("piece", [organ, drone])
def test_held_notes_stay_where_there_is_hiss(piece):
    """40 dB below the music: the hiss may go, the notes may not."""
    music = piece()[None]
    degraded = music + 0.01 * music.std() * hiss(level=1.0, seed=7)
    assert snr(music, restored(degraded)) > 38


def test_dither_is_left_alone():
    music = organ()[None]
    stored = np.round(music * 2**15 + np.random.default_rng(6).uniform(-0.5, 0.5, music.shape)) / 2**15
    assert np.array_equal(restored(stored), stored)


def test_nothing_sounds_before_an_attack():
    """Long frames may not spread a stroke over the third of a second before it."""
    time = seconds(0.5)
    strokes = np.zeros((1, 40 * RATE))
    for start in range(4 * RATE, 40 * RATE, 4 * RATE):
        stroke = np.random.default_rng(start).standard_normal(len(time)) * np.exp(-time / 0.05)
        strokes[0, start : start + len(time)] += 0.3 * stroke
    degraded = strokes + hiss(40, level=0.003)
    left = restored(degraded)
    for start in range(4 * RATE, 40 * RATE, 4 * RATE):
        before = slice(start - round(0.3 * RATE), start - 10)
        assert np.square(left[0, before]).mean() < 1.1 * np.square(degraded[0, before]).mean()
    assert snr(degraded[:, : 3 * RATE], degraded[:, : 3 * RATE] - left[:, : 3 * RATE]) > 12


# How it works


def test_cuts_do_not_matter_and_channels_share_gains():
    one = pop()[None] + hiss(seed=8, level=0.05)
    degraded = np.concatenate([one, -0.5 * one])
    left = restored(degraded)
    assert np.array_equal(restored(degraded, block=7777), left)
    assert left[1] == pytest.approx(-0.5 * left[0], abs=1e-12)
    assert not np.array_equal(left, degraded)


def test_digital_silence_stays():
    noise = hiss()
    noise[:, 200_000:230_000] = 0
    assert not restored(noise)[:, 200_000:230_000].any()


@pytest.mark.parametrize("rate", [1, 100, 8000, 96_000])
def test_any_rate_and_hardly_any_length(rate):
    for n_samples in (0, 1, 5000):
        waveform = np.random.default_rng(0).uniform(-0.1, 0.1, (2, n_samples))
        assert np.array_equal(restored(waveform, rate), waveform)


def test_a_recording_is_needed_and_its_rate():
    with pytest.raises(ValueError, match="with the recording as material"):
        steady(None).removed(iter([]), 1, RATE)
    with pytest.raises(ValueError, match="found at 22050"):
        next(Steady(np.ones(4097), RATE).removed(iter([]), 1, 44_100))
