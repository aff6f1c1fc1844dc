"""Tools for all generators of sound: levels, filters, vowels, timing, and a position for each of many sources.

Waveforms are float32 arrays `(channel, time)`, full scale ±1. Randomness comes from a generator: the same state yields
the same samples.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, lfilter, sosfilt

Waveform = NDArray[np.float32]
Floats = NDArray[np.floating[Any]]
Event = tuple[int, Waveform]
Utter = Callable[[np.random.Generator], Waveform]
_STEP = 1.03  # edges of filters are rounded to a grid of 3 %, so that few of them need to be designed


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two positive ones, with all octaves equally likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def rms(waveform: Floats) -> float:
    """Root of the mean square over all channels; 0 for a waveform of no samples."""
    return float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))) if waveform.size else 0.0


def unit_rms(waveform: Floats) -> Waveform:
    """The waveform at an rms of one; silence (below -120 dB of full scale) stays unchanged."""
    level = rms(waveform)
    return (waveform / (level if level > 1e-6 else 1.0)).astype(np.float32)


def unit_peak(waveform: Floats) -> Waveform:
    """The waveform with its largest sample at ±1; silence (below -120 dB of full scale) stays unchanged."""
    peak = float(np.abs(waveform).max(initial=0.0))
    return (waveform / (peak if peak > 1e-6 else 1.0)).astype(np.float32)


def filtered(
    waveform: Floats, kind: Literal["low", "high"], edge_hz: float, sample_rate: int = 44_100, *, order: int = 1
) -> Waveform:
    """The waveform through a causal Butterworth filter.

    Args:
        waveform: `(channel, time)`.
        kind: "low" passes frequencies below the edge, "high" those above.
        edge_hz: frequency of the -3 dB point, Hz, met to 1.5 %; at most 0.45 of `sample_rate`, beyond that taken
            as 0.45.
        sample_rate: Hz.
        order: 6 dB per octave for each.

    Returns:
        Same shape, float32.
    """
    step = round(np.log(min(edge_hz, 0.45 * sample_rate)) / np.log(_STEP))
    return np.asarray(sosfilt(_sections(order, step, kind, sample_rate), waveform, axis=1), np.float32)


@lru_cache(maxsize=4096)
def _sections(order: int, step: int, kind: Literal["low", "high"], sample_rate: int) -> NDArray[np.float64]:
    return np.asarray(butter(order, _STEP**step, kind, fs=sample_rate, output="sos"))


def resonant(waveform: Floats, centre_hz: float, bandwidth_hz: float, sample_rate: int = 44_100) -> Waveform:
    """The waveform through a two-pole resonator.

    Args:
        waveform: `(channel, time)`.
        centre_hz: where the response is largest, Hz.
        bandwidth_hz: distance of the -3 dB points, as long as it is small against `centre_hz`.
        sample_rate: Hz.

    Returns:
        Same shape, float32, at the level of `waveform` times a factor that depends on the bandwidth.
    """
    radius = float(np.exp(-np.pi * bandwidth_hz / sample_rate))
    # |H| of poles r·e^±jθ peaks where cos ω = cos θ · (1 + r²) / 2r; solved for the middle coefficient 2r·cos θ.
    middle = 4 * radius**2 / (1 + radius**2) * float(np.cos(2 * np.pi * centre_hz / sample_rate))
    return np.asarray(lfilter([1 - radius], [1, -middle, radius**2], waveform, axis=1), np.float32)


def vowel(
    rng: np.random.Generator,
    pitch_hz: NDArray[np.float64],
    sample_rate: int = 44_100,
    *,
    formants: tuple[float, ...] | None = None,
) -> Waveform:
    """Harmonics of a moving pitch through formants, with breath.

    Args:
        rng: draws formants, phases and breath.
        pitch_hz: `(time,)`.
        sample_rate: Hz.
        formants: Hz; None draws three of any vowel.

    Returns:
        `(1, time)` float32, any level.
    """
    base = float(pitch_hz[0])
    drawn = formants or (rng.uniform(300, 900), rng.uniform(900, 2200), rng.uniform(2300, 3500))
    peaks = np.array(drawn)
    k = np.arange(1, max(2, min(26, min(9000, 0.25 * sample_rate) / base)))
    levels = (1 / (1 + ((np.outer(k, base) - peaks) / (90 + 0.06 * peaks)) ** 2)).sum(axis=1) + 0.02
    amplitudes = (levels / k**0.3 * np.exp(2j * np.pi * rng.random(len(k)))).astype(np.complex64)
    first = np.exp(2j * np.pi * np.cumsum(pitch_hz) / sample_rate).astype(np.complex64)
    total, harmonic = np.zeros(len(first), np.float32), np.ones(len(first), np.complex64)
    for amplitude in amplitudes:
        harmonic *= first  # e^(jkφ) without another sine
        total += (harmonic * amplitude).real
    total += 0.15 * float(total.std()) * rng.standard_normal(len(total), dtype=np.float32)
    return total[None]


def sentence(rng: np.random.Generator, sample_rate: int = 44_100) -> Waveform:
    """Three to twelve syllables of one voice at 90 to 280 Hz, every one a vowel: `(1, time)` float32, peak one."""
    usual_hz = log_uniform(rng, 90, 280)
    parts = []
    for _ in range(rng.integers(3, 13)):
        n_samples = int(rng.uniform(0.12, 0.3) * sample_rate)
        bow = 1 + rng.uniform(-0.1, 0.2) * np.sin(np.linspace(0, np.pi, n_samples))
        voice = vowel(rng, usual_hz * log_uniform(rng, 0.85, 1.2) * bow, sample_rate)
        parts.append(unit_peak(faded(voice, n_samples // 6, n_samples // 3)) * rng.uniform(0.3, 1))
        parts.append(np.zeros((1, int(rng.uniform(0, 0.1) * sample_rate)), np.float32))
    return unit_peak(np.concatenate(parts, axis=1))


def room_response(rng: np.random.Generator, sample_rate: int = 44_100) -> Waveform:
    """Impulse response of a hall, if no recorded one is available: the direct path and decaying noise.

    Args:
        rng: draws the time of decay by 60 dB, 0.4 to 2.5 s, the treble of the walls and the distance.
        sample_rate: Hz.

    Returns:
        `(2, time)` float32; the first sample is the largest.

    References:
        Moorer, About this reverberation business, Computer Music Journal 3(2), 1979.
    """
    decay = log_uniform(rng, 0.4, 2.5)
    time = np.arange(int(decay * sample_rate)) / sample_rate
    tail = rng.standard_normal((2, len(time))) * 10 ** (-3 * time / decay)
    response = unit_peak(filtered(tail, "low", log_uniform(rng, 2000, 8000), sample_rate)) * rng.uniform(0.05, 0.5)
    response[:, 0] = 1.0
    return response.astype(np.float32)


def faded(waveform: Floats, attack: int, release: int) -> Waveform:
    """The waveform with straight fades over its first `attack` and last `release` samples, both > 0."""
    time = np.arange(waveform.shape[1], dtype=np.float32)
    return (waveform * np.minimum(1, np.minimum(time / attack, time[::-1] / release))).astype(np.float32)


@dataclass(frozen=True)
class Position:
    """Position of a person in a crowd.

    Attributes:
        level: factor, one for the usual distance.
        edge_hz: first-order low-pass; people in between absorb the treble of those behind.
        pan: 0 (left) to 1 (right); equal-power gains.
    """

    level: float
    edge_hz: float
    pan: float

    @classmethod
    def draw(cls, rng: np.random.Generator, spread: float = 0.6) -> Self:
        """A position; `spread` is the standard deviation of the logarithm of the level, and far ones are dull."""
        level = float(np.exp(rng.normal(0, spread)))
        return cls(level, 4500 * level * log_uniform(rng, 0.5, 2), rng.random())

    @classmethod
    def draw_near(cls, rng: np.random.Generator) -> Self:
        """A position beside the phone, at half to twice the usual level, with full treble."""
        return cls(log_uniform(rng, 0.5, 2), 18_000, rng.random())

    def placed(self, waveform: Waveform, sample_rate: int = 44_100) -> Waveform:
        """A waveform `(1, time)` as it arrives from here: `(2, time)`."""
        angle = self.pan * np.pi / 2
        gains = np.array([[np.cos(angle)], [np.sin(angle)]], np.float32)
        return filtered(waveform, "low", self.edge_hz, sample_rate) * (self.level * gains)


def placed(events: Iterable[Event], n_samples: int, *, channels: int = 1) -> Waveform:
    """The sum of waveforms, each starting at its own sample.

    Args:
        events: (start, waveform): the sample, which may be negative, and `(channels, any time)`.
        n_samples: length of the result; the rest is cut off.
        channels: number of channels.

    Returns:
        `(channels, n_samples)` float32.
    """
    total = np.zeros((channels, n_samples), np.float32)
    for start, waveform in events:
        first, last = max(start, 0), min(start + waveform.shape[1], n_samples)
        if last > first:
            total[:, first:last] += waveform[:, first - start : last - start]
    return total


def layered(
    rng: np.random.Generator,
    n_samples: int,
    sample_rate: int = 44_100,
    *,
    utter: Utter,
    starts: Iterable[float],
    rest_seconds: float,
    position: Callable[[np.random.Generator], Position] = Position.draw,
) -> Waveform:
    """The sound of many people, each at their own position, one waveform after the other.

    Args:
        rng: draws positions and rests.
        n_samples: length.
        sample_rate: Hz.
        utter: draws the next waveform of a person, `(1, time)`.
        starts: for each person, start of the first waveform, seconds; may be negative.
        rest_seconds: mean pause between two.
        position: draws the position of a person.

    Returns:
        `(2, n_samples)` float32.
    """

    def one(start: float) -> Iterator[Event]:
        here, time = position(rng), start
        while time * sample_rate < n_samples:
            waveform = utter(rng)
            yield int(time * sample_rate), here.placed(waveform, sample_rate)
            time += waveform.shape[1] / sample_rate + rng.exponential(rest_seconds)

    return placed(chain.from_iterable(map(one, starts)), n_samples, channels=2)
