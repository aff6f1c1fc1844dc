"""The noise of transfers as measured: the common properties of nine real surfaces.

Most of their energy lies at 150 to 1,000 Hz and is 20 to 35 dB lower at 6 to 12 kHz; the kurtosis of the samples is
2.6 to 8, so clicks are rare and not loud; a line of the motor, with a skirt of 20 to 40 Hz and sidebands 10 to 20 Hz
apart, stands at a multiple of 25, 50 or 60 Hz; the bearing rumbles near 8 Hz; the whole swells once a turn or every
few seconds; and the transfer ends at 3 to 8 kHz. Ranges are wider than that, since nine are few. Waveforms are
`(1, time)` float32.
"""

from typing import Final

import numpy as np

from concertclean.synthesis import disc
from concertclean.synthesis.shaping import Waveform, filtered, log_uniform, resonant, unit_rms

_MOTORS_HZ: Final = (16.7, 25.0, 33.3, 50.0, 60.0)
_TURNS_PER_MINUTE: Final = (78, 80, 76, 45, 100 / 3)
_HIGHEST_LINE_HZ: Final = 1500.0


def motor(
    rng: np.random.Generator,
    n_samples: int,
    sample_rate: int = 44_100,
    *,
    frequency_hz: float | None = None,
    harmonics: int | None = None,
) -> Waveform:
    """Lines at multiples of the motor's frequency, each with sidebands and in half of the cases a skirt of noise.

    Args:
        rng: source of chance.
        n_samples: length.
        sample_rate: Hz.
        frequency_hz: of the motor; None draws 16.7, 25, 33.3, 50 or 60 Hz, off by up to 3 %, or any of 15 to 80 Hz.
        harmonics: how many lines; None draws 1 to 6, among the first 13 multiples.

    Returns:
        `(1, n_samples)`, rms one.
    """
    base = _motor_hz(rng) if frequency_hz is None else frequency_hz
    count = int(rng.integers(1, 7)) if harmonics is None else harmonics
    possible = np.arange(1, 14)[base * np.arange(1, 14) < min(_HIGHEST_LINE_HZ, 0.4 * sample_rate)]
    numbers = rng.choice(possible, min(count, len(possible)), replace=False)
    total = np.zeros((1, n_samples), np.float32)
    for number in numbers:
        total += log_uniform(rng, 0.05, 1) * _line(rng, base * number, n_samples, sample_rate)
    return unit_rms(total)


def transfer_noise(
    rng: np.random.Generator, n_samples: int, sample_rate: int = 44_100, *, recorded: Waveform | None = None
) -> Waveform:
    """The noise of one transfer.

    Args:
        rng: draws the parts and their levels.
        n_samples: length.
        sample_rate: Hz.
        recorded: noise of a real surface, `(channel, time)` of any length; its first channel, under the rest in six of
            ten transfers.

    Returns:
        `(1, n_samples)`, rms one.
    """
    hiss = disc.hiss(rng, n_samples, sample_rate, slope_db_per_octave=rng.uniform(-9, 3))
    total = hiss * np.float32(log_uniform(rng, 0.15, 1))
    if rng.random() < 0.6:
        total += unit_rms(disc.crackle(rng, n_samples, sample_rate, tail=rng.uniform(2, 4))) * log_uniform(
            rng, 0.03, 0.4
        )
    if recorded is not None and rng.random() < 0.6:
        total += unit_rms(disc.loop_revolutions(recorded[:1], n_samples, sample_rate)) * rng.uniform(0.2, 1)
    if rng.random() < 0.5:
        total += unit_rms(disc.rumble(rng, n_samples, sample_rate)) * log_uniform(rng, 0.1, 3)
    if rng.random() < 0.25:
        total += unit_rms(disc.scratches(rng, n_samples, sample_rate)) * rng.uniform(0.05, 0.3)
    total = unit_rms(total)
    if rng.random() < 0.6:
        total = total + motor(rng, n_samples, sample_rate) * np.float32(log_uniform(rng, 0.1, 3))
    if rng.random() < 0.6:
        order = int(rng.integers(1, 7))
        total = filtered(total, "low", log_uniform(rng, 2500, 12_000), sample_rate, order=order)
    return unit_rms(total * swelling(rng, n_samples, sample_rate))


def swelling(rng: np.random.Generator, n_samples: int, sample_rate: int = 44_100) -> Waveform:
    """Gain of a surface that is worn on one side, `(1, n_samples)`: once a turn by up to 90 %, slower by up to 40 %."""
    turns = np.arange(n_samples) / sample_rate * float(rng.choice(_TURNS_PER_MINUTE)) / 60
    gain = np.ones(n_samples)
    if rng.random() < 0.6:
        gain += rng.uniform(0, 0.9) * np.sin(2 * np.pi * (turns + rng.random()))
    if rng.random() < 0.5:
        slow = rng.uniform(2, 8)  # seconds
        gain *= 1 + rng.uniform(0, 0.4) * np.sin(2 * np.pi * (np.arange(n_samples) / sample_rate / slow + rng.random()))
    return gain.astype(np.float32)[None]


def _motor_hz(rng: np.random.Generator) -> float:
    if rng.random() < 0.15:
        return float(rng.uniform(15, 80))
    return float(rng.choice(_MOTORS_HZ) * rng.uniform(0.97, 1.03))


def _line(rng: np.random.Generator, frequency_hz: float, n_samples: int, sample_rate: int) -> Waveform:
    """A tone that trembles, with sidebands 2 to 25 Hz away, and often a narrow band of noise about it; rms one."""
    time = np.arange(n_samples) / sample_rate
    turn_hz = float(rng.choice(_TURNS_PER_MINUTE)) / 60 * float(rng.choice([1, 2, 4, 13]))
    # The phase of a speed that swings by up to 0.4 %.
    swing = frequency_hz * rng.uniform(0, 0.004) / turn_hz
    phase = 2 * np.pi * frequency_hz * time + swing * np.sin(2 * np.pi * turn_hz * time + rng.uniform(0, 2 * np.pi))
    side_hz = turn_hz if rng.random() < 0.5 else rng.uniform(2, 25)
    level = 1 + rng.uniform(0, 0.8) * np.sin(2 * np.pi * side_hz * time + rng.uniform(0, 2 * np.pi))
    line = unit_rms((level * np.sin(phase + rng.uniform(0, 2 * np.pi)))[None])
    if rng.random() < 0.6:
        noise = rng.standard_normal((1, n_samples))
        skirt = unit_rms(resonant(noise, frequency_hz, log_uniform(rng, 1, 40), sample_rate))
        line = line * rng.uniform(0, 1) + skirt * rng.uniform(0.2, 1.2)
    return unit_rms(line)
