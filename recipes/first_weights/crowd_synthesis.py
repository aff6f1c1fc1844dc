"""Crowd noise made from single claps, shouts and speech: hours of it, where recordings give minutes.

Every function returns float32 `(time, 2)` at 44.1 kHz, rms near one, from a seeded generator.

    python crowd_synthesis.py BANKS [--clips 400]        # adds crowd_synth.npy/.json to the banks

References:
    Peltola, Erkut, Cook, Välimäki, Synthesis of hand clapping sounds, IEEE TASLP 15(3), 2007: a clap is a short
    noise burst through a two-pole resonator (0.5 to 3 kHz by the shape of the hand), repeated at 2 to 5 Hz with jitter.
"""

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from mixing import Bank, butter_sos
from scipy.signal import fftconvolve, lfilter, sosfilt

RATE = 44100
Array = np.ndarray


def place(out: Array, sound: Array, start: int, gain: float, pan: float) -> None:
    """Adds a mono sound at a sample, panned with constant power (pan 0 left, 1 right)."""
    stop = min(len(out), start + len(sound))
    if stop > start:
        angle = pan * np.pi / 2
        out[start:stop] += gain * sound[: stop - start, None] * np.array([np.cos(angle), np.sin(angle)])


def model_clap(rng: np.random.Generator) -> Array:
    """One clap of the physical model: decaying noise through a two-pole resonator."""
    n = 1800
    decay = rng.uniform(0.003, 0.012)
    burst = rng.standard_normal(n) * np.exp(-np.arange(n) / (decay * RATE))
    centre, radius = rng.uniform(500, 3000), rng.uniform(0.80, 0.97)
    angle = 2 * np.pi * centre / RATE
    clap = lfilter([1.0], [1, -2 * radius * np.cos(angle), radius**2], burst)
    return (clap / np.abs(clap).max()).astype(np.float32)


def applause(rng: np.random.Generator, seconds: float, claps: Bank) -> Array:
    """Asynchronous clapping of 3 to 300 people, some of them close."""
    out = np.zeros((int(seconds * RATE), 2), np.float32)
    n_people = int(np.exp(rng.uniform(np.log(3), np.log(300))))
    together = rng.random() < 0.15  # a flock that has found a common beat
    beat = rng.uniform(2.0, 4.5)
    for _ in range(n_people):
        kinds = [model_clap(rng) if rng.random() < 0.6 else claps.mono(rng, 0.1) for _ in range(2)]
        rate = beat if together else rng.uniform(2.0, 5.0)
        times = np.arange(rng.uniform(0, 1 / rate), seconds, 1 / rate)
        times = times + rng.standard_normal(len(times)) * (0.02 if together else 0.1) / rate
        near, pan = np.exp(rng.normal(0, 0.7)), rng.random()
        for time in times[times >= 0]:
            place(out, kinds[rng.integers(2)], int(time * RATE), near * rng.uniform(0.5, 1), pan)
    return out


def whoop(rng: np.random.Generator) -> Array:
    """A shouted vowel: harmonics of a rising and falling pitch through three formants, with breath."""
    n = int(rng.uniform(0.4, 2.2) * RATE)
    time = np.arange(n) / RATE
    length = n / RATE
    base = rng.uniform(180, 900)
    contour = 1 + rng.uniform(0, 0.6) * np.sin(np.pi * (time / length) ** rng.uniform(0.5, 2))
    pitch = base * contour * (1 + 0.02 * np.sin(2 * np.pi * rng.uniform(4, 7) * time) + 0.01 * rng.standard_normal())
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = np.array([rng.uniform(300, 900), rng.uniform(900, 2200), rng.uniform(2300, 3500)])
    voice = np.zeros(n)
    for k in range(1, int(min(25, 9000 / base)) + 1):
        level = sum(1 / (1 + ((k * base - f) / (90 + 0.06 * f)) ** 2) for f in formants) + 0.02
        voice += level * np.sin(k * phase + rng.uniform(0, 6)) / k**0.3
    voice += 0.15 * voice.std() * rng.standard_normal(n)
    envelope = np.minimum(1, time / 0.06) * np.minimum(1, (length - time) / 0.2)
    return (voice * envelope / (np.abs(voice).max() + 1e-9)).astype(np.float32)


def whistle(rng: np.random.Generator) -> Array:
    """A finger whistle: a narrow band gliding between 1.2 and 4.5 kHz."""
    n = int(rng.uniform(0.2, 1.4) * RATE)
    time = np.linspace(0, 1, n)
    start, end = rng.uniform(1200, 3500, 2)
    pitch = start + (end - start) * time ** rng.uniform(0.4, 2) + rng.uniform(0, 900) * np.sin(np.pi * time)
    pitch = pitch + 25 * lfilter([0.02], [1, -0.98], rng.standard_normal(n))
    tone = np.sin(2 * np.pi * np.cumsum(pitch) / RATE) + 0.05 * rng.standard_normal(n)
    return (tone * np.minimum(1, np.minimum(time, 1 - time) / 0.08)).astype(np.float32)


def voices(rng: np.random.Generator, seconds: float, banks: list[Bank], n_people: int, busy: float) -> Array:
    """Layered voices: each person utters, rests and utters again; far ones are duller and quieter."""
    out = np.zeros((int(seconds * RATE), 2), np.float32)
    for _ in range(n_people):
        near, pan = np.exp(rng.normal(0, 0.6)), rng.random()
        sos = butter_sos(1, rng.uniform(1500, 9000), "low")
        time = rng.uniform(-1, 2)
        while time < seconds:
            draw = rng.random()
            if draw < 0.25:
                sound = whoop(rng)
            elif draw < 0.30:
                sound = 0.4 * whistle(rng)
            else:
                sound = banks[rng.integers(len(banks))].mono(rng, 2.5, speed=rng.uniform(0.75, 1.5))
            if near < 1.5:
                sound = sosfilt(sos, sound).astype(np.float32)
            place(out, sound, max(0, int(time * RATE)), near, pan)
            time += len(sound) / RATE + rng.exponential(1 / busy)
    return out


def murmur(rng: np.random.Generator, seconds: float, speech: Bank) -> Array:
    """The babble of 10 to 80 talking people."""
    out = np.zeros((int(seconds * RATE), 2), np.float32)
    for _ in range(rng.integers(10, 80)):
        near, pan, time = np.exp(rng.normal(0, 0.6)), rng.random(), rng.uniform(-2, 1)
        while time < seconds:
            sound = speech.mono(rng, 4.0, speed=rng.uniform(0.85, 1.2))
            place(out, sound, max(0, int(time * RATE)), near, pan)
            time += len(sound) / RATE + rng.exponential(0.6)
    return out


def clip(job: tuple[int, str, float]) -> tuple[str, Array]:
    """One clip of a seed: its kind and int16 `(time, 2)`."""
    seed, folder, seconds = job
    rng = np.random.default_rng([seed, 77])
    banks = {name: Bank(Path(folder), name) for name in ("clap", "shout", "speech", "response")}
    kind = str(rng.choice(["applause", "cheer", "murmur", "near", "mixed"], p=[0.22, 0.32, 0.16, 0.15, 0.15]))
    human = [banks["shout"], banks["speech"]]
    if kind == "applause":
        sound = applause(rng, seconds, banks["clap"])
    elif kind == "cheer":
        sound = voices(rng, seconds, human, int(np.exp(rng.uniform(np.log(6), np.log(90)))), 1.0)
    elif kind == "murmur":
        sound = murmur(rng, seconds, banks["speech"])
    elif kind == "near":
        sound = voices(rng, seconds, human, int(rng.integers(1, 4)), 0.5)
    else:
        parts = [
            applause(rng, seconds, banks["clap"]),
            voices(rng, seconds, human, int(rng.integers(5, 40)), 0.8),
        ]
        sound = sum(part / (part.std() + 1e-6) * rng.uniform(0.2, 1) for part in parts)
    if kind != "near" and rng.random() < 0.6:
        response = banks["response"].stereo(rng, 1.5)
        response = response / (np.sqrt((response**2).sum(0).mean()) + 1e-6)
        wet = fftconvolve(sound, response, axes=0)[: len(sound)]
        mix = rng.uniform(0.2, 0.9)
        sound = (1 - mix) * sound + mix * wet
    return kind, np.round(sound / (np.abs(sound).max() + 1e-9) * 0.9 * 32767).astype(np.int16)


def main() -> None:
    """Writes the bank of synthetic crowds."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("banks", type=Path)
    ask.add_argument("--clips", type=int, default=400)
    ask.add_argument("--seconds", type=float, default=12.0)
    a = ask.parse_args()
    jobs = [(seed, str(a.banks), a.seconds) for seed in range(a.clips)]
    with ProcessPoolExecutor(2) as pool:
        clips = list(pool.map(clip, jobs, chunksize=4))
    index, start = [], 0
    for kind, sound in clips:
        index.append([kind, start, len(sound)])
        start += len(sound)
    np.save(a.banks / "crowd_synth.npy", np.concatenate([sound for _, sound in clips]))
    (a.banks / "crowd_synth.json").write_text(json.dumps(index))
    print(f"crowd_synth: {len(index)} clips, {start / RATE / 60:.1f} min")


if __name__ == "__main__":
    main()
