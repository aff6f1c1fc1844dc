"""Synthetic bands: stems `(stem, time)` as sparse as music, and what close microphones hear of them."""

import numpy as np
from scipy.signal import fftconvolve, lfilter

SAMPLE_RATE = 22_050
Array = np.ndarray


def band(n_stems: int, seconds: float = 4.0, seed: int = 0) -> Array:
    """Melodies, drums and a bass in turn, each with its own rhythm and rests, RMS 0.1."""
    generator = np.random.default_rng(seed)
    makers = (_melody, _drums, _bass)
    stems = np.stack([makers[k % 3](round(seconds * SAMPLE_RATE), generator) for k in range(n_stems)])
    return 0.1 * stems / np.sqrt(np.square(stems).mean(axis=1, keepdims=True))


def matrix(n_stems: int, low: float, high: float, seed: int = 0) -> Array:
    """Mixing matrix of diagonal 1, the rest between `low` and `high`."""
    drawn = np.random.default_rng(seed).uniform(low, high, (n_stems, n_stems))
    np.fill_diagonal(drawn, 1.0)
    return drawn


def delayed(stems: Array, low: float, high: float, *, room_seconds: float = 0.0, seed: int = 0) -> Array:
    """What each microphone hears of each stem, `(microphone, stem, time)`.

    The bleed comes 1 to 10 ms late and, like the own instrument a little, with an exponentially decaying room.
    """
    generator = np.random.default_rng(seed)
    n_stems, n_samples = stems.shape
    images = np.zeros((n_stems, n_stems, n_samples))
    for i in range(n_stems):
        for j in range(n_stems):
            delay = 0 if i == j else generator.integers(SAMPLE_RATE // 1000, SAMPLE_RATE // 100)
            gain = 1.0 if i == j else generator.uniform(low, high)
            response = np.zeros(delay + round(1.2 * room_seconds * SAMPLE_RATE) + 1)
            response[delay] = 1.0
            if room_seconds:
                steps = np.arange(len(response) - delay - 1)
                tail = generator.standard_normal(len(steps)) * np.exp(-6.9 * steps / room_seconds / SAMPLE_RATE)
                response[delay + 1 :] = (0.15 if i == j else 0.7) * tail / np.sqrt(np.square(tail).sum())
            images[i, j] = gain * fftconvolve(stems[j], response / np.sqrt(np.square(response).sum()))[:n_samples]
    return images


def sdr(references: Array, estimates: Array) -> Array:
    """Power of each reference over that of its error, dB, at most 200."""
    power = np.square(references).sum(axis=1)
    return 10 * np.log10(power / np.maximum(np.square(references - estimates).sum(axis=1), 1e-20 * power))


def _melody(n_samples: int, generator: np.random.Generator) -> Array:
    stem = np.zeros(n_samples)
    start = 0
    while start < n_samples:
        length = min(round(generator.uniform(0.15, 0.6) * SAMPLE_RATE), n_samples - start)
        if generator.random() < 0.8:
            pitch = 220 * 2 ** (generator.integers(0, 25) / 12)
            time = np.arange(length) / SAMPLE_RATE
            orders = np.arange(1, 9)[:, None]
            partials = np.sin(2 * np.pi * pitch * orders * time + generator.uniform(0, 6.28, (8, 1)))
            stem[start : start + length] += (partials / orders).sum(axis=0) * np.exp(-4 * time)
        start += length
    return stem


def _drums(n_samples: int, generator: np.random.Generator) -> Array:
    stem = np.zeros(n_samples)
    for start in range(0, n_samples, round(generator.uniform(0.2, 0.3) * SAMPLE_RATE)):
        length = min(round(0.15 * SAMPLE_RATE), n_samples - start)
        burst = generator.standard_normal(length) * np.exp(-np.arange(length) / SAMPLE_RATE / 0.03)
        colour = generator.choice([-0.9, 0.9])
        stem[start : start + length] += lfilter([1.0], [1.0, colour], burst) * generator.uniform(0.5, 1)
    return stem


def _bass(n_samples: int, generator: np.random.Generator) -> Array:
    stem = np.zeros(n_samples)
    start = 0
    while start < n_samples:
        length = min(round(generator.uniform(0.3, 0.5) * SAMPLE_RATE), n_samples - start)
        pitch = 55 * 2 ** (generator.integers(0, 13) / 12)
        time = np.arange(length) / SAMPLE_RATE
        wave = sum(np.sin(2 * np.pi * pitch * n * time) / n**1.5 for n in range(1, 6))
        stem[start : start + length] += wave * np.exp(-2 * time)
        start += length
    return stem
