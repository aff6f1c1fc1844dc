"""The noise of a gramophone disc: what groove, stylus, motor and mains add to the music.

Everything in the groove repeats with the turn of the disc, 60/78 s. Each part is a separate function at any level;
`disc_noise` mixes them. Noise has one channel, because a 78 is mono. Laws without a reference are our own, those of the
shipped weights.
"""

from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq

from concertclean.synthesis.shaping import (
    Event,
    Floats,
    Waveform,
    filtered,
    log_uniform,
    placed,
    resonant,
    unit_rms,
)

REVOLUTION_SECONDS: Final = 60 / 78
"""One turn of a 78-rpm disc: 0.769 s, 33,923 samples at 44.1 kHz."""


def hiss(
    rng: np.random.Generator,
    n_samples: int,
    sample_rate: int = 44_100,
    *,
    slope_db_per_octave: float | None = None,
    bump_db: float | None = None,
    ripple_db: float | None = None,
) -> Waveform:
    """Coloured noise that swells slightly once per turn.

    Args:
        rng: source of chance.
        n_samples: length.
        sample_rate: Hz.
        slope_db_per_octave: of the power spectrum above 100 Hz, 0 for white; None draws -4.8 to 2.4, from nearly
            red to blue.
        bump_db: height of a broad bump at 0.2 to 6 kHz, dB; None draws up to 15.6.
        ripple_db: rms of a smooth random curve on top, as horns, pickups and equalisers leave one; None draws up to 5.

    Returns:
        `(1, n_samples)` float32, rms one.
    """
    slope = rng.uniform(-4.8, 2.4) if slope_db_per_octave is None else slope_db_per_octave
    height = rng.uniform(0, 5) if bump_db is None else 10 ** (bump_db / 20) - 1
    n_fft = next_fast_len(max(n_samples, 64), real=True)
    spectrum = rfft(rng.standard_normal(n_fft, dtype=np.float32))
    octaves = np.log2((rfftfreq(n_fft, 1 / sample_rate) + 20) / 1000)  # 20 Hz more: no pole at 0
    bump = np.log2(log_uniform(rng, 200, 6000) / 1000)
    ripple = rng.uniform(0, 5) if ripple_db is None else ripple_db
    spectrum *= 10 ** ((slope * octaves + ripple * _ripple(rng, octaves)) / 20)
    spectrum *= 1 + height * np.exp(-((octaves - bump) ** 2))
    turns = np.arange(n_samples) / (sample_rate * REVOLUTION_SECONDS)
    swing = 1 + rng.uniform(0, 0.3) * np.cos(2 * np.pi * (turns + rng.random()))
    return unit_rms((irfft(spectrum, n_fft)[:n_samples] * swing)[None])


def _ripple(rng: np.random.Generator, octaves: Floats) -> Floats:
    """A smooth random curve over octaves, rms about one: four cosines of 10 to 2.5 octaves."""
    amplitudes, phases = rng.standard_normal(4) / np.sqrt(2), rng.random(4)
    return np.asarray(
        sum(
            a * np.cos(2 * np.pi * (k * octaves / 10 + p))
            for k, a, p in zip(range(1, 5), amplitudes, phases, strict=True)
        )
    )


def crackle(
    rng: np.random.Generator,
    n_samples: int,
    sample_rate: int = 44_100,
    *,
    clicks_per_second: float | None = None,
    tail: float | None = None,
) -> Waveform:
    """Many small clicks: Poisson times, heavy-tailed levels, denser at one angle of the disc.

    Args:
        rng: source of chance.
        n_samples: length.
        sample_rate: Hz.
        clicks_per_second: mean number; None draws 2.5 to 900, all octaves equally likely.
        tail: exponent of the Pareto law of the levels, small for few huge clicks; None draws 1.3 to 3.

    Returns:
        `(1, n_samples)` float32; a click has a peak near one, a rare one 60.
    """
    wanted = log_uniform(rng, 2.5, 900) if clicks_per_second is None else clicks_per_second
    exponent = rng.uniform(1.3, 3.0) if tail is None else tail
    seconds = n_samples / sample_rate
    # Thinning: 0.4 + 0.6 cos⁴ of half the angle is 0.625 in the mean over a turn.
    times = rng.uniform(0, seconds, rng.poisson(wanted / 0.625 * seconds))
    turns = times / REVOLUTION_SECONDS - rng.random()
    times = times[rng.random(len(times)) < 0.4 + 0.6 * np.cos(np.pi * turns) ** 4]
    levels = np.minimum(60, rng.pareto(exponent, len(times)) + 0.3)

    def clicks() -> Iterator[Event]:
        for time, level in zip(times, levels, strict=True):
            yield int(time * sample_rate), level * click(rng, rng.uniform(1e-4, 1.2e-3), sample_rate)

    return filtered(placed(clicks(), n_samples), "low", rng.uniform(2000, 15_000), sample_rate)


def click(rng: np.random.Generator, seconds: float, sample_rate: int = 44_100) -> Waveform:
    """A burst of white noise that has fallen by 35 dB after `seconds`: `(1, time)` float32, level one at its start."""
    n_samples = int(seconds * sample_rate) + 2
    return (rng.standard_normal(n_samples) * np.exp(-4 * np.arange(n_samples) / n_samples)).astype(np.float32)[None]


def thump(
    rng: np.random.Generator,
    sample_rate: int = 44_100,
    *,
    frequency_hz: float | None = None,
    decay_seconds: float | None = None,
) -> Waveform:
    """The low pulse of a pickup that a scratch has thrown off the groove.

    Args:
        rng: draws values not given.
        sample_rate: Hz.
        frequency_hz: at the start; it falls linearly, to half after 0.5 s. None draws U[15, 150].
        decay_seconds: time in which the level falls by 8.7 dB (a factor e); None draws 0.025 to 0.125.

    Returns:
        `(1, time)` float32, peak below one, as long as it takes to fall by 60 dB.

    References:
        Own; compare Välimäki, González, Kimmelma, Parviainen, Digital audio antiquing, JAES 56(3), 2008.
    """
    frequency = rng.uniform(15, 150) if frequency_hz is None else frequency_hz
    decay = 1 / rng.uniform(8, 40) if decay_seconds is None else decay_seconds
    time = np.arange(int(6.9 * decay * sample_rate)) / sample_rate
    phase = 2 * np.pi * frequency * (time - 0.5 * np.minimum(time, 1.0) ** 2)
    return (np.sin(phase) * np.exp(-time / decay)).astype(np.float32)[None]


def scratches(rng: np.random.Generator, n_samples: int, sample_rate: int = 44_100) -> Waveform:
    """A scratch across the grooves: a large click and a thump, again every one to three turns.

    Args:
        rng: draws the angle, the turns between, and for each click its length of 0.1 to 4 ms and its level.
        n_samples: length.
        sample_rate: Hz.

    Returns:
        `(1, n_samples)` float32; clicks have levels of 0.5 to 2, thumps of 0.2 to 1.
    """
    period = REVOLUTION_SECONDS * int(rng.integers(1, 4))
    frequency, decay = rng.uniform(15, 150), 1 / rng.uniform(8, 40)

    def hits() -> Iterator[Event]:
        for time in np.arange(rng.uniform(0, REVOLUTION_SECONDS), n_samples / sample_rate, period):
            start = int(time * sample_rate)
            yield start, rng.uniform(0.5, 2) * click(rng, log_uniform(rng, 1e-4, 4e-3), sample_rate)
            pulse = thump(rng, sample_rate, frequency_hz=frequency * rng.uniform(0.9, 1.1), decay_seconds=decay)
            yield start, rng.uniform(0.2, 1) * pulse

    return placed(hits(), n_samples)


def rumble(rng: np.random.Generator, n_samples: int, sample_rate: int = 44_100) -> Waveform:
    """Noise of bearing and motor: one to three resonances of 4 to 80 Hz, from a blur to nearly a tone.

    Args:
        rng: source of chance.
        n_samples: length.
        sample_rate: Hz.

    Returns:
        `(1, n_samples)` float32, rms one; nothing below 2 Hz, which no pickup picks up.
    """
    settled = 2 * sample_rate
    source = rng.standard_normal((1, n_samples + settled))
    total = np.zeros((1, n_samples), np.float32)
    for _ in range(rng.integers(1, 4)):
        centre_hz = log_uniform(rng, 4, 80)
        part = resonant(source, centre_hz, centre_hz * log_uniform(rng, 0.02, 2), sample_rate)
        settled_part = filtered(part, "high", 2.0, sample_rate, order=2)[:, settled:]
        total += unit_rms(settled_part) * rng.uniform(0.2, 1)
    return unit_rms(total)


def hum(
    rng: np.random.Generator, n_samples: int, sample_rate: int = 44_100, *, mains_hz: float | None = None
) -> Waveform:
    """The mains: a tone and six harmonics.

    Args:
        rng: draws levels and phases.
        n_samples: length.
        sample_rate: Hz.
        mains_hz: None draws 50 or 60.

    Returns:
        `(1, n_samples)` float32; the level of harmonic k is at most 1/k.
    """
    frequency = float(rng.choice([50.0, 60.0])) if mains_hz is None else mains_hz
    time = np.arange(n_samples) / sample_rate
    total = np.zeros(n_samples)
    for k in range(1, 8):
        total += rng.random() / k * np.sin(2 * np.pi * (k * frequency * time + rng.random()))
    return total.astype(np.float32)[None]


def loop_revolutions(
    noise: Waveform, n_samples: int, sample_rate: int = 44_100, *, fade_shape: Literal["power", "hann"] = "power"
) -> Waveform:
    """Noise made longer, with everything in the groove kept at its place in the turn.

    Args:
        noise: `(channel, time)`, not empty.
        n_samples: length of the result.
        sample_rate: Hz.
        fade_shape: "hann": the halves of a Hann window, as published, whose amplitudes add up to one; "power" (own):
            their roots, whose powers do, so that the level of noise does not dip by 3 dB.

    Returns:
        `(channel, n_samples)` float32. Repetitions start after as many whole turns as fit in `noise` with their
        cross-fade of 0.5 s; noise shorter than a turn is repeated at its own length.

    Raises:
        ValueError: `noise` has no samples.

    References:
        Moliner, Välimäki, A two-stage U-Net for high-fidelity denoising of historical recordings, ICASSP 2022, code.
    """
    length = noise.shape[1]
    if length == 0:
        raise ValueError("noise has 0 samples, must have at least 1")
    if length >= n_samples:
        return noise[:, :n_samples].astype(np.float32)
    fade = round(0.5 * sample_rate)
    turns = int((length - fade) / (REVOLUTION_SECONDS * sample_rate))
    if turns < 1:
        fade = min(fade, length // 4)
    period = round(turns * REVOLUTION_SECONDS * sample_rate) if turns >= 1 else length - fade
    angle = (np.arange(fade, dtype=np.float32) + 0.5) / max(fade, 1) * (np.pi / 2)
    order = 2 if fade_shape == "hann" else 1  # sin² + cos² = 1: of amplitudes, or of the powers of unlike noises
    first = noise[:, : period + fade].astype(np.float32)
    first[:, period:] *= np.cos(angle) ** order
    later = first.copy()
    later[:, :fade] *= np.sin(angle) ** order
    starts = range(0, n_samples, period)
    return placed(((start, later if start else first) for start in starts), n_samples, channels=len(noise))


def disc_noise(
    rng: np.random.Generator,
    n_samples: int,
    sample_rate: int = 44_100,
    *,
    recorded: Waveform | None = None,
    alone_share: float = 0.5,
) -> Waveform:
    """The noise of one disc: hiss, often crackle and rumble, sometimes scratches and hum.

    Args:
        rng: draws the parts and their levels.
        n_samples: length.
        sample_rate: Hz.
        recorded: noise of a real surface, `(channel, time)` of any length; its first channel.
        alone_share: chance that it is used alone, 0 to 1: real noise is learned best without synthesis on top.

    Returns:
        `(1, n_samples)` float32, rms one.
    """
    if recorded is not None and rng.random() < alone_share:
        return unit_rms(loop_revolutions(recorded[:1], n_samples, sample_rate))
    total = unit_rms(hiss(rng, n_samples, sample_rate)) * log_uniform(rng, 0.05, 1)
    if rng.random() < 0.8:
        total += unit_rms(crackle(rng, n_samples, sample_rate)) * rng.uniform(0.1, 1)
    if rng.random() < 0.35:
        total += unit_rms(scratches(rng, n_samples, sample_rate)) * rng.uniform(0.1, 0.6)
    if recorded is not None:
        total += unit_rms(loop_revolutions(recorded[:1], n_samples, sample_rate)) * rng.uniform(0.2, 1)
    if rng.random() < 0.6:
        total += unit_rms(rumble(rng, n_samples, sample_rate)) * log_uniform(rng, 0.1, 4)
    if rng.random() < 0.25:
        total += unit_rms(hum(rng, n_samples, sample_rate)) * rng.uniform(0.05, 0.5)
    return unit_rms(total)
