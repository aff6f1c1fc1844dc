"""Pairs of recordings given by formulas, for which make_peaq_movs.py stores what PEAQ makes of them."""

from math import pi

import numpy as np

RATE = 48_000
NAMES = ("stereo", "mono")


def noise(n_samples: int, seed: int) -> np.ndarray:
    """White, uniform in ±1, the same on every machine: a linear congruential generator in whole numbers."""
    state, values = seed, []
    for _ in range(n_samples):
        state = (6364136223846793005 * state + 1442695040888963407) % 2**64
        values.append((state >> 33) / 2**30 - 1)
    return np.array(values)


def tones(n_samples: int, base_hz: float) -> np.ndarray:
    """Struck harmonic tones up to 16 kHz with vibrato, a new one every 0.2 s."""
    time = np.arange(n_samples) / RATE
    since = np.mod(time, 0.2)
    pitch = base_hz * (1 + np.floor(time / 0.2) / 4)
    wave = np.zeros(n_samples)
    for harmonic in range(1, 40):
        audible = harmonic * pitch < 16_000
        phase = 2 * pi * harmonic * pitch * since + 0.3 * harmonic * np.sin(2 * pi * 5 * time)
        wave += audible * np.sin(phase + harmonic**2) * np.exp(-since * (4 + harmonic)) / harmonic
    return 0.2 * wave


def pair(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Reference and estimate, `(channel, time)`, full scale ±1.

    "stereo": silence around music; slight noise on the left, on the right so much that no bandwidth can be measured.
    "mono": a harmonic error, less treble, a passage that the estimate lacks, and a last frame that is not full.
    """
    if name == "stereo":
        n_samples = 75_000
        reference = np.stack([tones(n_samples, 220.0), 0.5 * tones(n_samples, 330.0)])
        reference[:, :5000] = 0.0
        reference[:, 68_000:] = 0.0
        error = np.stack([0.0003 * noise(n_samples, 1), 0.2 * noise(n_samples, 2)])
        return reference, reference + error
    n_samples = 48_700
    reference = tones(n_samples, 147.0) + 0.001 * noise(n_samples, 3)
    muffled = np.convolve(reference, [0.25, 0.5, 0.25])[1:-1]
    estimate = muffled + 0.01 * tones(n_samples, 800.0)
    estimate[30_000:36_000] = 0.0
    return reference[None], estimate[None]
