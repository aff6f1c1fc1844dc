"""Mixes recordings with steady noise and keeps their levels, for the network of `steady_floor.py`.

python recipes/steady_levels.py data/concert levels/1.npz --split train --minutes 14 --seed 1
python recipes/steady_levels.py data/concert levels/check.npz --split validation --minutes 1 --seed 9

Recordings of 4.5 to 60 s, music of the dataset, held notes or a made-up band, are mixed with the noise of transfers,
discs and tapes. Of each only the quantiles of its levels are kept, and the powers of music and noise in some frames.
"""

import argparse
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

from concertclean.classical.floor_network import BAND_QUANTILES, QUANTILES
from concertclean.classical.noise_floor import hann
from concertclean.classical.survey import OVERLAP, SMOOTHED, band_edges, interval_means, long_frame, short_frame
from concertclean.config.mixing import MixingLaw
from concertclean.dataset.music import Music
from concertclean.dataset.store import Store
from concertclean.synthesis import disc, transfer
from concertclean.synthesis.shaping import unit_rms

RATE = 44_100
N_FFT = long_frame(RATE)
SHORT = short_frame(N_FFT)
SECONDS = (4.5, 6, 9, 12, 20, 30, 40, 60)
RATIOS_DB = ((-2.0, 8.0), (8.0, 80.0), (-2.0, 15.0))
NOISE_ALONE_SHARE, HELD_SHARE, BAND_SHARE = 0.08, 0.3, 0.1
FRAMES = 24  # of a recording, on which the loss is computed
_TINY = 1e-14

Array = NDArray[Any]
Levels = dict[str, Array]


def held_notes(rng: np.random.Generator, n_samples: int) -> Array:
    """A drone, chords of an organ that change every one to twelve seconds, both, or pads of strings; `(time,)`."""
    kind = rng.random()
    if kind < 0.2:
        return _drone(rng, n_samples)
    if kind < 0.6:
        return _pads(rng, n_samples)
    chords = _chords(rng, n_samples)
    return chords + 10 ** rng.uniform(-1, 1) * _drone(rng, n_samples) if kind < 0.8 else chords


def _drone(rng: np.random.Generator, n_samples: int) -> Array:
    """Up to four notes with up to fifteen partials, each rising and falling a little, slowly or as a tremolo."""
    total, time_s, lowest = np.zeros(n_samples), np.arange(n_samples) / RATE, 40 * 2 ** rng.uniform(0, 3.5)
    n_partials, slope = int(rng.integers(1, 16)), rng.uniform(0.5, 2)
    for multiple in rng.choice([1, 1.5, 2, 3, 4, 5, 6], rng.integers(1, 5), replace=False):
        for k in range(1, n_partials + 1):
            hz, moving = lowest * multiple * k, 10 ** rng.uniform(-1.3, 0.8)
            swell = 1 + rng.uniform(0, 0.3) * np.sin(2 * np.pi * moving * time_s + rng.uniform(0, 6))
            total += (hz < RATE / 2) * rng.uniform(0.2, 1) / k**slope * swell * np.sin(2 * np.pi * hz * time_s)
    return total


def _pads(rng: np.random.Generator, n_samples: int) -> Array:
    """Chords of many voices, each a little out of tune, that overlap and ring in a hall: the spectrum has no gap."""
    total, time_s = np.zeros(n_samples), np.arange(n_samples) / RATE
    n_voices, cents, fade_s = int(rng.integers(2, 6)), rng.uniform(2, 25), 10 ** rng.uniform(-1, 0.7)
    start, seconds = 0, 10 ** rng.uniform(0.3, 1.5)
    while start < n_samples:
        held = int(RATE * rng.uniform(0.6, 1.4) * seconds)
        chord = total[start : start + held + int(RATE * fade_s)]
        inside, left, voices = time_s[: len(chord)], time_s[: len(chord)][::-1], np.zeros(len(chord))
        for pitch in 55 * 2 ** (rng.integers(0, 42, rng.integers(1, 5)) / 12):
            for detuned in pitch * 2 ** (rng.uniform(-cents, cents, n_voices) / 1200):
                turns = detuned * inside + rng.random()
                voices += turns - np.floor(turns) - 0.5
        chord += np.minimum(1, inside / fade_s) * np.minimum(1, left / fade_s) * voices
        start += held
    total = sosfilt(butter(int(rng.integers(1, 4)), 10 ** rng.uniform(2.5, 4), fs=RATE, output="sos"), total)
    hall = np.arange(int(RATE * rng.uniform(0.5, 4))) / RATE
    response = rng.standard_normal(len(hall)) * np.exp(-hall * 7 / hall[-1])
    wet = fftconvolve(total, response)[:n_samples] / np.linalg.norm(response)
    return np.asarray(total + rng.uniform(0, 1.5) * wet)


def _chords(rng: np.random.Generator, n_samples: int) -> Array:
    total, time_s = np.zeros(n_samples), np.arange(n_samples) / RATE
    start, seconds = 0, rng.uniform(1, 12)
    while start < n_samples:
        chord = total[start : start + int(RATE * rng.uniform(0.6, 1.4) * seconds)]
        inside, left = time_s[: len(chord)], time_s[: len(chord)][::-1]
        envelope = np.minimum(1, inside / rng.uniform(0.01, 0.5)) * np.minimum(1, left / rng.uniform(0.05, 0.5))
        for _ in range(rng.integers(1, 6)):
            pitch = 55 * 2 ** (rng.integers(0, 48) / 12)
            for k in range(1, rng.integers(2, 12)):
                partial = np.sin(2 * np.pi * pitch * k * inside + rng.uniform(0, 6)) / k ** rng.uniform(0.7, 2)
                chord += envelope * partial
        start += max(len(chord), 1)
    return total


def band(rng: np.random.Generator, n_samples: int) -> Array:
    """Music that never pauses: strokes of noise and a bass on every beat, held chords, a melody; `(time,)`."""
    total = np.zeros(n_samples)
    beat_s, root, voices = rng.uniform(0.15, 0.4), 40 * 2 ** rng.uniform(0, 1), int(rng.integers(3, 20))
    distortion, steps = rng.uniform(0, 4), rng.integers(-5, 8, 8)
    levels = 10 ** (rng.uniform(-20, 0, 5) / 20)  # hats, kick, snare, chords, melody
    decays, corners = rng.uniform(0.02, 0.12, 3), rng.uniform(0.1, 0.9, 2)
    hats, snare = (butter(2, corner, kind, output="sos") for corner, kind in zip(corners, ("high", "low"), strict=True))
    beat_samples = int(beat_s * RATE)
    for number, start in enumerate(range(0, n_samples, beat_samples)):
        beat = total[start : start + beat_samples]
        inside = np.arange(len(beat)) / RATE
        noise = rng.standard_normal(len(beat))
        beat += levels[0] * sosfilt(hats, noise) * np.exp(-inside / decays[0])
        if number % 2 == 0:
            beat += 4 * levels[1] * np.sin(2 * np.pi * 60 * inside) * np.exp(-inside / decays[1])
        if number % 4 == 2:
            beat += 2 * levels[2] * sosfilt(snare, noise) * np.exp(-inside / decays[2])
        pitch = root * 2 ** (steps[number // 4 % 8] / 12)
        partials = [np.sin(2 * np.pi * pitch * (2, 2.5, 3)[k % 3] * (1 + k // 3) * inside) for k in range(voices)]
        chord = np.sum(partials, axis=0) / math.sqrt(voices)
        beat += levels[3] * (np.tanh(distortion * chord) if distortion > 1 else chord)
        beat += levels[3] * np.sin(2 * np.pi * pitch * inside)
        note = root * 8 * 2 ** (rng.integers(0, 13) / 12) * inside
        sung = sum(np.sin(2 * np.pi * k * note + 0.4 * np.sin(35 * inside)) / k for k in range(1, 8))
        beat += levels[4] * (rng.random() < 0.85) * np.minimum(1, inside / 0.02) * sung
    return total


def steady_noise(rng: np.random.Generator, n_samples: int) -> Array:
    """Noise of a transfer, of a disc, or hiss of any slope with or without a motor, `(time,)`."""
    kind = rng.random()
    if kind < 0.75:
        return transfer.transfer_noise(rng, n_samples, RATE)[0]
    if kind < 0.85:
        return disc.disc_noise(rng, n_samples, RATE)[0]
    noise = disc.hiss(rng, n_samples, RATE, slope_db_per_octave=rng.uniform(-9, 6))[0]
    if rng.random() < 0.4:
        noise = noise + rng.uniform(0.1, 2) * noise.std() * transfer.motor(rng, n_samples, RATE)[0]
    return noise


class _Part:
    """Music or noise of any level, at an rms of 0.1: spectra in long and in short frames.

    Args:
        waveform: `(time,)`.
    """

    def __init__(self, waveform: Array) -> None:
        scaled = 0.1 * unit_rms(waveform) if waveform.any() else waveform
        self.long = _spectra(scaled, N_FFT, N_FFT // OVERLAP)
        self.short = _spectra(scaled, SHORT, SHORT // 2)


def _spectra(waveform: Array, n_fft: int, hop: int) -> Array:
    """`(frame, freq)`, scaled so that squares are power densities."""
    window = hann(n_fft)
    frames = sliding_window_view(waveform, n_fft)[::hop]
    return np.asarray(np.fft.rfft(frames * window) / np.sqrt(np.square(window).sum()), np.complex64)


def _levels(rng: np.random.Generator, music: _Part, noise: _Part, gain: float) -> Levels:
    """What is kept of music and so much of a noise: quantiles of their levels, and powers of the frames drawn, dB."""
    power = np.square(np.abs(music.long + gain * noise.long)) + _TINY
    smooth = np.stack([power[k : len(power) - SMOOTHED + 1 + k] for k in range(SMOOTHED)]).mean(axis=0)
    drawn = rng.choice(np.arange(1, len(power) - 1), FRAMES, replace=len(power) - 2 < FRAMES)
    around = np.stack([power[k - 1 : k + 2].mean(axis=0) for k in drawn])
    short = np.square(np.abs(music.short + gain * noise.short))
    kept = {
        "quantiles": np.quantile(smooth, QUANTILES, axis=0),
        "bands": np.quantile(interval_means(short, band_edges(SHORT, RATE)), BAND_QUANTILES, axis=0),
        "around": around,
        "music": np.square(np.abs(music.long[drawn])),
        "noise": np.square(np.abs(gain * noise.long[drawn])),
    }
    in_db = {name: (10 * np.log10(value + _TINY)).astype(np.float16) for name, value in kept.items()}
    return {**in_db, "n_frames": np.float32(len(smooth)), "is_clean": np.bool_(gain == 0)}


def make_levels(store: Store, split: Any, minutes: float, seed: int) -> Levels:
    """Levels of as many recordings as can be mixed in so many minutes, each name with a first axis of recordings."""
    law = MixingLaw(snr_db=(0.0, 10.0), task="gramophone", dense_share=0.1, sung_share=0.3, music_equaliser_share=0.4)
    shelf, rng, found = Music(store, law, split), np.random.default_rng(seed), []
    until = time.monotonic() + 60 * minutes
    while time.monotonic() < until:
        n_samples = int(RATE * rng.choice(SECONDS))
        noises = [_Part(steady_noise(rng, n_samples)) for _ in range(2)]
        if rng.random() < NOISE_ALONE_SHARE:
            found += [_levels(rng, _Part(np.zeros(n_samples)), noise, 1.0) for noise in noises]
            continue
        kind = rng.random()
        if kind < BAND_SHARE:
            drawn = band(rng, n_samples)
        elif kind < BAND_SHARE + HELD_SHARE:
            drawn = held_notes(rng, n_samples)
        else:
            drawn = shelf.draw(rng, n_samples)[0].mean(axis=0)
        if drawn.std() < 1e-4:
            continue
        music = _Part(drawn)
        for noise, ratios in zip((noises[0], noises[0], noises[1]), RATIOS_DB, strict=True):
            found.append(_levels(rng, music, noise, 10 ** (-rng.uniform(*ratios) / 20)))
        found.append(_levels(rng, music, noises[0], 0.0))
        print(f"\r{len(found)} recordings", end="", flush=True)
    print()
    return {name: np.stack([one[name] for one in found]) for name in found[0]}


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--split", choices=("train", "validation", "test"), default="train")
    parser.add_argument("--minutes", type=float, default=14)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    a.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(a.out, **make_levels(Store(a.dataset), a.split, a.minutes, a.seed))


if __name__ == "__main__":
    main()
