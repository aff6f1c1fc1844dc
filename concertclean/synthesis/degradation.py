"""Everything between the music and the file: a lost band, a room, and the phone that recorded it.

All of it keeps time: an impulse stays at its sample, and the length stays the same. Effects that colour music and noise
alike (microphone, gain control) can be applied identically to the degraded and the clean waveform; those that only harm
(clipping, codec) are for the degraded one. Laws without a reference are our own.
"""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.signal import iirpeak, lfilter, oaconvolve

from concertclean.audio_io.formats import Storage, supported_sample_rate
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.dsp.resample import resample
from concertclean.synthesis.shaping import Waveform, filtered, log_uniform, rms

MICROPHONE: Final = "phone"
"""Category of impulse responses that are a microphone's; all others are rooms'."""

_FLOOR_DB = -60.0  # anything quieter is silence to the gain control
# Bit rates in bit/s per channel: AAC as written by phones, the others as used for films and posts.
_BIT_RATES: Final = {"m4a": (32e3, 96e3), "mp3": (32e3, 96e3), "opus": (20e3, 64e3), "ogg": (36e3, 80e3)}


@dataclass(frozen=True)
class Band:
    """The band that an old recording kept.

    Attributes:
        low_hz: lower -3 dB point.
        high_hz: upper -3 dB point.
        order: of the Butterworth filter at each edge; 6 dB per octave for each.
    """

    low_hz: float
    high_hz: float
    order: int


def narrow_band(rng: np.random.Generator) -> Band:
    """A lost bandwidth as Li et al. drew it: Butterworth-5, U[50, 150] Hz to U[5, 10] kHz.

    References:
        Li, Gfeller, Tagliasacchi, Roblek, Learning to denoise historical music, ISMIR 2020.
    """
    return Band(rng.uniform(50, 150), rng.uniform(5000, 10_000), 5)


def wide_band(rng: np.random.Generator) -> Band:
    """A lost bandwidth with soft or steep edges of order 1 to 3, U[50, 250] Hz to U[3, 12] kHz."""
    return Band(rng.uniform(50, 250), rng.uniform(3000, 12_000), int(rng.integers(1, 4)))


def old_band(rng: np.random.Generator, wide_share: float = 0.5) -> Band:
    """A lost bandwidth, a wide one with a chance of `wide_share`, else a narrow one."""
    return narrow_band(rng) if rng.random() < 1 - wide_share else wide_band(rng)


def band_limit(
    rng: np.random.Generator, waveform: Waveform, sample_rate: int = 44_100, *, band: Band | None = None
) -> Waveform:
    """The music in the band that an old recording kept.

    Args:
        rng: draws the band, narrow or wide with an even chance, if none is given.
        waveform: `(channel, time)`.
        sample_rate: Hz.
        band: edges, met to 1.5 %.

    Returns:
        Same shape, float32; causal, so the middle of the band comes later by some tenths of a millisecond.
    """
    if band is None:
        band = old_band(rng)
    above = filtered(waveform, "high", band.low_hz, sample_rate, order=band.order)
    return filtered(above, "low", band.high_hz, sample_rate, order=band.order)


def colour(rng: np.random.Generator, waveform: Waveform, sample_rate: int = 44_100, *, share: float = 0.5) -> Waveform:
    """The waveform gently coloured, as by distance or a cheap microphone.

    Args:
        rng: draws, independently, a low-pass of first order at 2 to 16 kHz and a high-pass at 40 to 500 Hz.
        waveform: `(channel, time)`.
        sample_rate: Hz.
        share: chance of each of the two, 0 to 1.

    Returns:
        Same shape, float32.
    """
    if rng.random() < share:
        waveform = filtered(waveform, "low", rng.uniform(2000, 16_000), sample_rate)
    if rng.random() < share:
        waveform = filtered(waveform, "high", rng.uniform(40, 500), sample_rate)
    return waveform.astype(np.float32)


def reverberate(waveform: Waveform, response: Waveform, *, dry: float = 0.0) -> Waveform:
    """The waveform as it sounds in a room, with unchanged time and level.

    Args:
        waveform: `(channel, time)`.
        response: impulse response `(1 or channel, time)`, any level; its largest sample is taken for the direct path
            and comes at time 0.
        dry: share of the untouched waveform, 0 to 1.

    Returns:
        `(channel, time)` float32 of the length and the energy of `waveform`; with one channel and a response of two,
        two channels.
    """
    wet = dry * waveform + (1 - dry) * microphone(waveform, response)
    return (wet * (rms(waveform) / max(rms(wet), 1e-12))).astype(np.float32)


def microphone_response(rng: np.random.Generator, sample_rate: int = 44_100) -> Waveform:
    """An impulse response of a phone's microphone: no bass, perhaps no treble, and a bump between.

    Args:
        rng: draws edges of second order at U[40, 250] Hz and U[6, 18] kHz, a bump of U[-6, 6] dB at 1 to 8 kHz.
        sample_rate: Hz.

    Returns:
        `(1, time)` float32, 0.1 s.
    """
    impulse = np.zeros((1, sample_rate // 10), np.float32)
    impulse[0, 0] = 1.0
    band = Band(rng.uniform(40, 250), rng.uniform(6000, 18_000), 2)
    response = band_limit(rng, impulse, sample_rate, band=band)
    bump_hz = min(log_uniform(rng, 1000, 8000), 0.45 * sample_rate)
    b, a = iirpeak(bump_hz, rng.uniform(0.7, 3), fs=sample_rate)
    factor = 10 ** (rng.uniform(-6, 6) / 20)
    return np.asarray(response + (factor - 1) * lfilter(b, a, response), np.float32)


def microphone(waveform: Waveform, response: Waveform) -> Waveform:
    """The waveform as picked up by a microphone; linear, so the same for the degraded and the clean waveform.

    Args:
        waveform: `(channel, time)`.
        response: impulse response `(1 or channel, time)`; taken at an energy of one, so that white noise keeps its
            level, and with its largest sample at time 0.

    Returns:
        `(channel, time)` float32.

    Raises:
        ValueError: `response` is silent.
    """
    energy = float(np.square(response, dtype=np.float64).sum(axis=1).mean())
    if energy == 0:
        raise ValueError("response is silent, must have a sample other than 0")
    direct = int(np.abs(response).max(axis=0).argmax())
    whole = oaconvolve(waveform, response / np.sqrt(energy), axes=1)
    return np.asarray(whole[:, direct : direct + waveform.shape[1]], np.float32)


def gain_control(
    waveform: Waveform,
    sample_rate: int = 44_100,
    *,
    target_db: float = -20.0,
    attack_seconds: float = 0.1,
    release_seconds: float = 2.0,
    strength: float = 1.0,
) -> Waveform:
    """The gain of a phone's automatic level control.

    Args:
        waveform: `(channel, time)`, the degraded one: the phone picks up music and crowd together.
        sample_rate: Hz.
        target_db: target rms, dB of full scale.
        attack_seconds: time constant of getting quieter.
        release_seconds: time constant of getting louder.
        strength: 0 (none) to 1 (every lasting level ends at the target).

    Returns:
        Gain `(1, time)` float32, -30 to 30 dB, to be multiplied with the degraded and the clean waveform alike.
    """
    n_samples = waveform.shape[1]
    hop = max(1, sample_rate // 100)
    starts = np.arange(0, n_samples, hop)
    if not len(starts):
        return np.ones((1, 0), np.float32)
    sums = np.add.reduceat(np.square(waveform, dtype=np.float64).mean(axis=0), starts)
    input_db = 10 * np.log10(sums / np.diff(starts, append=n_samples) + 10 ** (_FLOOR_DB / 10))
    seconds = hop / sample_rate
    up, down = 1 - np.exp(-seconds / attack_seconds), 1 - np.exp(-seconds / release_seconds)
    level_db, levels_db = input_db[0], np.empty(len(starts))
    for i, current in enumerate(input_db):
        level_db += (up if current > level_db else down) * (current - level_db)
        levels_db[i] = level_db
    gain_db = np.clip(strength * (target_db - levels_db), -30, 30)
    smooth = np.interp(np.arange(n_samples), starts + hop / 2, gain_db)
    return np.asarray(10 ** (smooth / 20), np.float32)[None]


def hard_clip(waveform: Waveform, level: float) -> Waveform:
    """The waveform cut off at ±`level` (full scale 1), as by an overloaded converter."""
    return np.clip(waveform, -level, level).astype(np.float32)


def soft_clip(waveform: Waveform, level: float) -> Waveform:
    """The waveform bent below ±`level` (full scale 1) by `level·tanh(x / level)`, as by an overloaded amplifier."""
    return np.asarray(level * np.tanh(waveform / level), np.float32)


def codec(waveform: Waveform, sample_rate: int = 44_100, *, format: str = "m4a", bit_rate: int = 128_000) -> Waveform:
    """The waveform after a lossy codec.

    Args:
        waveform: `(channel, time)`, full scale ±1.
        sample_rate: Hz; if the codec does not support it (Opus), the waveform is converted to one that it supports and
            back.
        format: a lossy name of `audio_io.formats.FORMATS`: "m4a" (AAC), "mp3", "opus" or "ogg" (Vorbis).
        bit_rate: bit/s of all channels together.

    Returns:
        Same shape, float32, aligned with `waveform`.

    Raises:
        OutputError: the codec does not support this number of channels.
    """
    n_samples = waveform.shape[1]
    if not n_samples:
        return waveform.astype(np.float32)
    stored_rate = supported_sample_rate(format, sample_rate)
    stored = resample(waveform, sample_rate, stored_rate)
    stream = io.BytesIO()
    with AudioWriter(stream, Storage(format, stored_rate, len(waveform), bit_rate=bit_rate)) as writer:
        writer.write(stored)
    stream.seek(0)
    with AudioReader(stream) as reader:
        decoded = reader.read(stored.shape[1])
    back = resample(decoded, stored_rate, sample_rate)[:, :n_samples]
    return np.pad(back, ((0, 0), (0, n_samples - back.shape[1]))).astype(np.float32)


def phone(
    rng: np.random.Generator,
    degraded: Waveform,
    clean: Waveform,
    sample_rate: int = 44_100,
    response: Waveform | None = None,
    *,
    codec_share: float = 0.7,
) -> tuple[Waveform, Waveform]:
    """A pair as recorded by a phone in the hall; the clean one keeps the colour and level from the phone.

    Args:
        rng: draws a gain control in half of the pairs, clipping in 0.3, a codec in `codec_share`.
        degraded: music and crowd, `(channel, time)`, full scale ±1.
        clean: the music alone, same shape.
        sample_rate: Hz.
        response: impulse response of the microphone `(1 or channel, time)`; None draws one.
        codec_share: share of the pairs that pass through a codec, 0 to 1.

    Returns:
        Degraded and clean, same shapes, float32. Microphone and gain act on both, clipping and codec on the degraded.
    """
    response = microphone_response(rng, sample_rate) if response is None else response
    degraded, clean = microphone(degraded, response), microphone(clean, response)
    if rng.random() < 0.5:
        gain = gain_control(
            degraded,
            sample_rate,
            target_db=rng.uniform(-26, -14),
            attack_seconds=log_uniform(rng, 0.03, 0.3),
            release_seconds=log_uniform(rng, 0.5, 5),
            strength=rng.uniform(0.3, 1),
        )
        degraded, clean = degraded * gain, clean * gain
    if rng.random() < 0.3:
        level = rng.uniform(0.3, 0.9) * float(np.abs(degraded).max(initial=1e-6))
        degraded = (hard_clip if rng.random() < 0.5 else soft_clip)(degraded, level)
    degraded = hard_clip(degraded, 1.0)
    if rng.random() < codec_share:
        name = str(rng.choice(list(_BIT_RATES), p=[0.55, 0.15, 0.15, 0.15]))
        bit_rate = round(len(degraded) * log_uniform(rng, *_BIT_RATES[name]))
        degraded = codec(degraded, sample_rate, format=name, bit_rate=bit_rate)
    return degraded, clean
