"""Variations of a recording: other timbres, clouds of its grains, delayed channels.

A network overfits a small number of recordings, unless each is never the same twice. All of these keep the length;
equalisation keeps time as well, so the same draw can be applied to two aligned waveforms. Laws are our own.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from concertclean.synthesis.shaping import Floats, Waveform

_KNOTS_HZ: Final = np.array([30, 80, 200, 450, 1000, 2200, 4500, 8500, 16_000, 22_050], np.float64)


@dataclass(frozen=True)
class Equaliser:
    """A smooth curve over frequency, zero in phase.

    Attributes:
        gains_db: at 30, 80, 200, 450 Hz, 1, 2.2, 4.5, 8.5, 16 and 22.05 kHz; between them along straight lines over
            the logarithm of frequency.
    """

    gains_db: tuple[float, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, most_db: float, tilt_db: float = 1.0) -> Self:
        """A random curve: knots of a standard deviation of up to `most_db`, plus a tilt.

        Args:
            rng: draws the standard deviation evenly from 0 to `most_db`, the knots and the tilt.
            most_db: largest standard deviation.
            tilt_db: standard deviation of the tilt, dB per octave about 1 kHz.
        """
        knots = rng.normal(0, rng.uniform(0, most_db), len(_KNOTS_HZ))
        smooth = (knots + np.roll(knots, 1)) / np.sqrt(2)  # neighbouring knots are half correlated
        return cls(tuple(float(gain) for gain in smooth + tilt_db * rng.normal() * np.log2(_KNOTS_HZ / 1000)))

    def apply(self, waveform: Floats, sample_rate: int = 44_100) -> Waveform:
        """The waveform `(channel, time)` through the curve; same shape, float32."""
        n_samples = waveform.shape[1]
        n_fft = next_fast_len(n_samples + sample_rate // 20, real=True)  # its ringing must not wrap around
        frequency = np.maximum(rfftfreq(n_fft, 1 / sample_rate), 20.0)
        curve = np.interp(np.log(frequency), np.log(_KNOTS_HZ), self.gains_db)
        gain = (10 ** (curve / 20)).astype(np.float32)
        spectrum = rfft(waveform.astype(np.float32, copy=False), n_fft, axis=1)
        return np.ascontiguousarray(irfft(spectrum * gain, n_fft, axis=1)[:, :n_samples], dtype=np.float32)


def grain_cloud(
    rng: np.random.Generator,
    waveform: Waveform,
    n_samples: int,
    sample_rate: int = 44_100,
    *,
    grain_seconds: float | None = None,
) -> Waveform:
    """A texture of any length made of shuffled, overlapping grains of a recording.

    Args:
        rng: draws where each grain is cut, and whether it is played backwards.
        waveform: `(channel, time)`.
        n_samples: length of the result.
        sample_rate: Hz.
        grain_seconds: length of a grain, at most the recording's; None draws 0.08 to 0.5.

    Returns:
        `(channel, n_samples)` float32. Grains are Hann windows that overlap by half, so the level is constant.

    References:
        Roads, Microsound, MIT Press 2001, chapter 3, for granular synthesis.
    """
    seconds = rng.uniform(0.08, 0.5) if grain_seconds is None else grain_seconds
    grain = min(max(2, int(seconds * sample_rate)), waveform.shape[1])
    hop = max(1, grain // 2)
    window = np.sqrt(np.hanning(grain + 2)[1:-1]).astype(np.float32)  # powers of unlike grains add up
    total = np.zeros((len(waveform), n_samples + 2 * grain), np.float32)
    for start in range(0, n_samples + grain, hop):
        offset = int(rng.integers(0, waveform.shape[1] - grain + 1))
        cut = waveform[:, offset : offset + grain]
        total[:, start : start + grain] += (cut[:, ::-1] if rng.random() < 0.5 else cut) * window
    return total[:, grain : grain + n_samples]


def decorrelate(
    rng: np.random.Generator, waveform: Waveform, sample_rate: int = 44_100, *, most_seconds: float = 0.2
) -> Waveform:
    """Stereo whose right channel comes up to `most_seconds` later, its end in front; mono stays as it is.

    Args:
        rng: draws the delay.
        waveform: `(channel, time)`.
        sample_rate: Hz.
        most_seconds: longest delay.
    """
    if len(waveform) != 2:
        return waveform
    delay = int(rng.integers(1, max(2, int(most_seconds * sample_rate))))
    return np.stack([waveform[0], np.roll(waveform[1], delay)])
