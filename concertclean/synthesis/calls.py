"""What one person of a crowd calls out: whoops, whistles and boos, made from nothing.

The ranges are our own. All are `(1, time)` float32, peak one.
"""

from typing import Final

import numpy as np
from scipy.signal import lfilter

from concertclean.synthesis.shaping import Waveform, faded, filtered, log_uniform, unit_peak, vowel

_OO: Final = ((270.0, 400.0), (600.0, 1000.0), (2100.0, 2600.0))  # Hz; the formants of the vowel of "boo"
_OO_EDGE_HZ: Final = 900.0


def whoop(
    rng: np.random.Generator, sample_rate: int = 44_100, *, pitch_hz: float | None = None, seconds: float | None = None
) -> Waveform:
    """A shouted vowel: a rising and falling pitch through three formants, with breath; `(1, time)`, peak one.

    Args:
        rng: source of chance.
        sample_rate: Hz.
        pitch_hz: at start and end, higher by up to 60 % between, with a vibrato of 2 %; None draws 180 to 900.
        seconds: length; None draws 0.4 to 2.2.
    """
    base = rng.uniform(180, 900) if pitch_hz is None else pitch_hz
    length = rng.uniform(0.4, 2.2) if seconds is None else seconds
    time = np.arange(int(length * sample_rate)) / sample_rate
    bow = rng.uniform(0, 0.6) * np.sin(np.pi * (time / length) ** rng.uniform(0.5, 2))
    pitch = base * (1 + bow) * (1 + 0.02 * np.sin(2 * np.pi * rng.uniform(4, 7) * time))
    voice = vowel(rng, pitch, sample_rate)
    return unit_peak(faded(voice, round(0.06 * sample_rate), round(min(0.2, length / 2) * sample_rate)))


def whistle(rng: np.random.Generator, sample_rate: int = 44_100) -> Waveform:
    """A finger whistle of 0.2 to 1.4 s: a narrow band gliding between 1.5 and 4 kHz; `(1, time)`, peak one."""
    start, end = rng.uniform(1500, 3200, 2)
    n_samples = int(rng.uniform(0.2, 1.4) * sample_rate)
    at = np.linspace(0, 1, n_samples)
    pitch = start + (end - start) * at ** rng.uniform(0.6, 2) + rng.uniform(0, 800) * np.sin(np.pi * at)
    unrest = np.exp(-220 / sample_rate)  # the pitch wanders by 25 Hz at up to 35 Hz
    pitch += lfilter([25 * np.sqrt(1 - unrest**2)], [1, -unrest], rng.standard_normal(n_samples))
    tone = np.sin(2 * np.pi * np.cumsum(pitch) / sample_rate) + 0.05 * rng.standard_normal(n_samples)
    return unit_peak(faded(tone[None], n_samples // 12, n_samples // 12))


def boo(
    rng: np.random.Generator, sample_rate: int = 44_100, *, pitch_hz: float | None = None, seconds: float | None = None
) -> Waveform:
    """A boo: a long dark vowel whose pitch sinks.

    Args:
        rng: source of chance.
        sample_rate: Hz.
        pitch_hz: at the start, lower by up to 30 % at the end, with a drift of 1 %; None draws 90 to 280.
        seconds: length; None draws 0.6 to 3.
    """
    base = log_uniform(rng, 90, 280) if pitch_hz is None else pitch_hz
    length = rng.uniform(0.6, 3.0) if seconds is None else seconds
    time = np.arange(int(length * sample_rate)) / sample_rate
    fall = 1 - rng.uniform(0, 0.3) * (time / length) ** rng.uniform(0.7, 2.5)
    drift = 1 + 0.01 * np.sin(2 * np.pi * rng.uniform(1, 5) * time + rng.uniform(0, 2 * np.pi))
    formants = tuple(float(rng.uniform(low, high)) for low, high in _OO)
    voice = vowel(rng, base * fall * drift, sample_rate, formants=formants)
    voice = filtered(voice, "low", _OO_EDGE_HZ, sample_rate, order=2)  # lips nearly closed
    return unit_peak(faded(voice, round(0.04 * sample_rate), round(min(0.4, length / 2) * sample_rate)))
