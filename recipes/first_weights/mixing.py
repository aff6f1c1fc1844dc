"""Training pairs, made at training time from the banks by a seeded generator.

`concert_item` and `gramophone_item` return `(degraded, clean)`, float32 `(channel, time)`; the same seed gives
the same pair. Levels and laws are those of `recipes/README.md`.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

RATE = 44100
REVOLUTION = 60 / 78  # seconds a turn of a 78-rpm disc
Array = np.ndarray


@lru_cache(maxsize=4096)
def _butter(order: int, hz: int, kind: str) -> Array:
    return butter(order, hz, kind, fs=RATE, output="sos")


def butter_sos(order: int, hz: float, kind: str) -> Array:
    """Butterworth sections, the edge rounded to 3 % so that few designs are made."""
    return _butter(order, round(1.03 ** round(np.log(hz) / np.log(1.03))), kind)


class Bank:
    """Random access to the audio of one bank.

    Args:
        folder: where the banks lie.
        name: bank of `bank.py`.
        favourites: words joined by "|"; files whose path holds one are drawn eight times as often.
    """

    def __init__(self, folder: Path, name: str, favourites: str = "") -> None:
        self.audio = np.load(folder / f"{name}.npy", mmap_mode="r")
        self.index = json.loads((folder / f"{name}.json").read_text())
        chance = np.array([entry[2] ** 0.5 for entry in self.index])
        if favourites:
            chance *= [8.0 if any(word in e[0] for word in favourites.split("|")) else 1.0 for e in self.index]
        self.cumulative = np.cumsum(chance / chance.sum())

    def stereo(self, rng: np.random.Generator, seconds: float, speed: float = 1.0) -> Array:
        """At most `seconds` from a random place of a random file, `(time, 2)`, full scale ±1, at `speed`."""
        _, start, length = self.index[min(np.searchsorted(self.cumulative, rng.random()), len(self.index) - 1)]
        wanted = int(seconds * RATE * speed) + 2
        offset = int(rng.integers(0, max(1, length - wanted)))
        piece = self.audio[start + offset : start + min(length, offset + wanted)] / np.float32(32767)
        if speed != 1.0:
            at = np.arange(0, len(piece) - 1, speed)
            whole = at.astype(int)
            part = (at - whole).astype(np.float32)[:, None]
            piece = piece[whole] * (1 - part) + piece[np.minimum(whole + 1, len(piece) - 1)] * part
        return piece.astype(np.float32)

    def mono(self, rng: np.random.Generator, seconds: float, speed: float = 1.0) -> Array:
        """Like `stereo`, one channel `(time,)`, peak 1."""
        piece = self.stereo(rng, seconds, speed)[:, 0]
        return piece / (np.abs(piece).max(initial=0) + 1e-6)

    def filled(self, rng: np.random.Generator, n_samples: int, speed: float = 1.0) -> Array:
        """Exactly `n_samples`, short clips repeated with short cross-fades, `(time, 2)`."""
        piece = self.stereo(rng, n_samples / RATE, speed)
        fade = min(2048, len(piece) // 4)
        ramp = np.linspace(0, 1, fade, dtype=np.float32)[:, None]
        while len(piece) < n_samples:
            more = np.roll(piece, int(rng.integers(len(piece))), axis=0) if len(piece) > RATE else piece
            joint = piece[-fade:] * (1 - ramp) + more[:fade] * ramp
            piece = np.concatenate([piece[:-fade], joint, more[fade:]])[: 2 * n_samples + fade]
        return piece[:n_samples]


def envelope(rng: np.random.Generator, n_samples: int, depth_db: float) -> Array:
    """A level that wanders over 0.3 to 3 s by up to `depth_db`, sometimes starting or stopping; `(time, 1)`."""
    n_points = max(2, int(n_samples / RATE / rng.uniform(0.3, 3.0)) + 2)
    points = rng.uniform(-depth_db, 0, n_points)
    if rng.random() < 0.3:
        points[rng.random(n_points) < 0.4] = -60
    level = np.interp(np.linspace(0, n_points - 1, n_samples), np.arange(n_points), points)
    return (10 ** (level / 20)).astype(np.float32)[:, None]


def tilt(rng: np.random.Generator, sound: Array) -> Array:
    """A gentle random colour: band edges of a distant or cheap microphone."""
    if rng.random() < 0.5:
        sound = sosfilt(butter_sos(1, rng.uniform(2000, 16000), "low"), sound, axis=0)
    if rng.random() < 0.5:
        sound = sosfilt(butter_sos(1, rng.uniform(40, 500), "high"), sound, axis=0)
    return sound


def power(sound: Array) -> float:
    """Mean square."""
    return float(np.mean(np.square(sound, dtype=np.float64)))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between two positive ones, every octave as likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_snr_db(rng: np.random.Generator, low: float, high: float) -> float:
    """Signal-to-noise ratio of an item: inf for clean only, -inf for noise only."""
    kind = rng.random()
    if kind < 0.1:
        return np.inf
    if kind < 0.13:
        return -np.inf
    if kind < 0.28:
        return rng.uniform(high, 30)
    return rng.uniform(low, high)


def mix(music: Array, noise: Array, snr_db: float) -> tuple[Array, Array]:
    """Degraded and clean `(time, channel)` at a ratio measured over the excerpt."""
    if snr_db == np.inf or power(noise) < 1e-9:
        return music, music
    if snr_db == -np.inf or power(music) < 1e-8:
        return noise, np.zeros_like(music)
    noise = noise * np.sqrt(power(music) / power(noise) / 10 ** (snr_db / 10))
    return music + noise, music


def level(
    rng: np.random.Generator, degraded: Array, clean: Array, low_db: float, high_db: float
) -> tuple[Array, Array]:
    """Brings the pair to a random rms between two levels (dB of full scale), peak below 1; `(channel, time)`."""
    gain = 10 ** (rng.uniform(low_db, high_db) / 20) / (np.sqrt(power(degraded)) + 1e-6)
    gain = min(gain, 0.99 / (np.abs(degraded).max() + 1e-6))
    return (degraded.T * gain).astype(np.float32), (clean.T * gain).astype(np.float32)


class Concert:
    """Concert items: music under a crowd, stereo."""

    def __init__(self, folder: Path) -> None:
        self.music = Bank(folder, "music_train", favourites="marsshooter|On_the_run|fretsonfire|data/music")
        self.real = Bank(folder, "crowd_train")
        self.synthetic = Bank(folder, "crowd_synth")
        self.response = Bank(folder, "response")

    def crowd(self, rng: np.random.Generator, n_samples: int) -> Array:
        """One to three layers of real and synthetic crowd, each with its own level curve."""
        total = np.zeros((n_samples, 2), np.float32)
        for _ in range(rng.integers(1, 4)):
            bank = self.real if rng.random() < 0.55 else self.synthetic
            layer = bank.filled(rng, n_samples, speed=rng.uniform(0.8, 1.25))
            if rng.random() < 0.3:
                layer = np.repeat(layer.mean(axis=1, keepdims=True), 2, axis=1)
            if rng.random() < 0.5:
                layer = layer[:, ::-1]
            layer = tilt(rng, layer) * envelope(rng, n_samples, 12)
            total += layer / (np.sqrt(power(layer)) + 1e-5) * rng.uniform(0.15, 1)
        return total

    def clean(self, rng: np.random.Generator, n_samples: int) -> Array:
        """Music as a phone in the hall would get it without the crowd."""
        music = self.music.filled(rng, n_samples)
        if rng.random() < 0.15:
            music = np.repeat(music.mean(axis=1, keepdims=True), 2, axis=1)
        elif rng.random() < 0.5:
            music = music[:, ::-1]
        if rng.random() < 0.3:
            response = self.response.stereo(rng, 1.5)
            response = response / (np.sqrt((response**2).sum(0).mean()) + 1e-6)
            dry = rng.uniform(0.2, 0.9)
            music = dry * music + (1 - dry) * fftconvolve(music, response, axes=0)[:n_samples]
        return music.astype(np.float32)

    def item(self, seed: tuple[int, ...], n_samples: int, snr_db: float | None = None) -> tuple[Array, Array]:
        """`(degraded, clean)`, float32 `(2, time)`; the ratio is drawn if it is not given."""
        rng = np.random.default_rng(seed)
        music, crowd = self.clean(rng, n_samples), self.crowd(rng, n_samples)
        degraded, clean = mix(music, crowd, draw_snr_db(rng, -8, 14) if snr_db is None else snr_db)
        if rng.random() < 0.3:  # the phone's microphone colours music and crowd alike
            sections = np.concatenate(
                [butter_sos(2, rng.uniform(40, 250), "high"), butter_sos(2, rng.uniform(6000, 18000), "low")]
            )
            degraded, clean = sosfilt(sections, degraded, axis=0), sosfilt(sections, clean, axis=0)
        return level(rng, degraded, clean, -38, -12)


def crackle(rng: np.random.Generator, n_samples: int) -> Array:
    """Clicks and crackle `(time,)`: Poisson times, heavy-tailed levels, denser at one angle of the disc."""
    out = np.zeros(n_samples + 4096, np.float32)
    seconds = n_samples / RATE
    times = rng.uniform(0, seconds, rng.poisson(log_uniform(rng, 4, 1500) * seconds))
    angle = rng.uniform(0, 1)
    keep = rng.random(len(times)) < 0.4 + 0.6 * np.cos(np.pi * (times / REVOLUTION - angle)) ** 4
    tail = rng.uniform(1.3, 3.0)
    for time in times[keep]:
        n = int(rng.uniform(0.0001, 0.0012) * RATE) + 2
        pulse = rng.standard_normal(n) * np.exp(-4 * np.arange(n) / n)
        start = int(time * RATE)
        out[start : start + n] += pulse * min(60, rng.pareto(tail) + 0.3)
    return sosfilt(butter_sos(1, rng.uniform(2000, 15000), "low"), out)[:n_samples]


def scratches(rng: np.random.Generator, n_samples: int) -> Array:
    """A scratch once a turn: a large click and the low thump of the pickup `(time,)`."""
    out = np.zeros(n_samples + RATE, np.float32)
    for start in np.arange(rng.uniform(0, REVOLUTION), n_samples / RATE, REVOLUTION * rng.integers(1, 4)):
        n, at = int(RATE * rng.uniform(0.05, 0.4)), int(start * RATE)
        time = np.arange(n) / RATE
        thump = np.sin(2 * np.pi * rng.uniform(15, 120) * time * (1 - 0.5 * time)) * np.exp(-time * rng.uniform(8, 40))
        out[at : at + n] += rng.uniform(0.2, 1) * thump
        m = int(RATE * rng.uniform(0.0003, 0.004))
        out[at : at + m] += rng.uniform(0.5, 2) * rng.standard_normal(m) * np.exp(-3 * np.arange(m) / m)
    return out[:n_samples]


def hiss(rng: np.random.Generator, n_samples: int) -> Array:
    """Coloured noise `(time,)`: a random spectral slope, a random bump, slow swing once a turn."""
    noise = rng.standard_normal(n_samples + 64)
    spectrum = np.fft.rfft(noise)
    frequency = np.fft.rfftfreq(len(noise), 1 / RATE) + 20
    shape = (frequency / 1000) ** rng.uniform(-0.8, 0.4)  # from between red and pink to blue
    bump = log_uniform(rng, 200, 6000)
    shape = shape * (1 + rng.uniform(0, 5) * np.exp(-(np.log2(frequency / bump) ** 2)))
    noise = np.fft.irfft(spectrum * shape)[:n_samples]
    turn = 1 + rng.uniform(0, 0.3) * np.cos(2 * np.pi * np.arange(n_samples) / RATE / REVOLUTION + rng.uniform(0, 6))
    return noise * turn


def rumble(rng: np.random.Generator, n_samples: int) -> Array:
    """Bearing and motor noise `(time,)`: one to three resonances of 4 to 80 Hz, from a blur to nearly a tone."""
    settle = 2 * RATE
    noise = rng.standard_normal(n_samples + settle)
    total = np.zeros(n_samples)
    for _ in range(rng.integers(1, 4)):
        hz = log_uniform(rng, 4, 80)
        radius = np.exp(-np.pi * hz * log_uniform(rng, 0.02, 2) / RATE)
        part = lfilter([1], [1, -2 * radius * np.cos(2 * np.pi * hz / RATE), radius**2], noise)[settle:]
        total += part / (np.sqrt(power(part)) + 1e-9) * rng.uniform(0.2, 1)
    return total


class Gramophone:
    """Gramophone items: band-limited music under the noise of a disc, mono."""

    def __init__(self, folder: Path) -> None:
        self.music = Bank(folder, "music_train", favourites="marsshooter|On_the_run|data/music|wesnoth|naev")
        self.real = Bank(folder, "disc_train")

    def noise(self, rng: np.random.Generator, n_samples: int) -> Array:
        """Hiss, crackle, scratches, rumble, hum and real noises, each with its own level `(time,)`."""
        parts = [(hiss(rng, n_samples), rng.uniform(0.3, 1))]
        if rng.random() < 0.8:
            parts.append((crackle(rng, n_samples), rng.uniform(0.1, 1)))
        if rng.random() < 0.35:
            parts.append((scratches(rng, n_samples), rng.uniform(0.1, 0.6)))
        if rng.random() < 0.5:
            parts.append((self.real.filled(rng, n_samples, rng.uniform(0.8, 1.25))[:, 0], rng.uniform(0.2, 1)))
        if rng.random() < 0.6:
            parts.append((rumble(rng, n_samples), log_uniform(rng, 0.1, 4)))
        if rng.random() < 0.25:
            mains, time = rng.choice([50.0, 60.0]), np.arange(n_samples) / RATE
            hum = sum(rng.random() / k * np.sin(2 * np.pi * k * mains * time + rng.uniform(0, 6)) for k in range(1, 8))
            parts.append((hum, rng.uniform(0.05, 0.5)))
        return sum(part / (np.sqrt(power(part)) + 1e-6) * gain for part, gain in parts)

    def item(self, seed: tuple[int, ...], n_samples: int, snr_db: float | None = None) -> tuple[Array, Array]:
        """`(degraded, clean)`, float32 `(1, time)`; the ratio is drawn if it is not given."""
        rng = np.random.default_rng(seed)
        music = self.music.filled(rng, n_samples, speed=rng.uniform(0.9, 1.1)).mean(axis=1)
        if rng.random() < 0.7:  # what an acoustic or early electric recording kept
            order = int(rng.integers(1, 4))
            music = sosfilt(butter_sos(order, rng.uniform(50, 250), "high"), music)
            music = sosfilt(butter_sos(order, rng.uniform(3000, 12000), "low"), music)
        noise = self.noise(rng, n_samples)
        if rng.random() < 0.3:
            noise = sosfilt(butter_sos(2, rng.uniform(5000, 12000), "low"), noise)
        ratio = draw_snr_db(rng, -2, 16) if snr_db is None else snr_db
        degraded, clean = mix(music[:, None], noise[:, None], ratio)
        return level(rng, degraded, clean, -38, -12)
