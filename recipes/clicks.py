"""What declick and FFmpeg's adeclick make of recordings that hold nothing wrong but clicks, and how long they take.

python recipes/clicks.py corpus/freecol corpus/hedgewars-data

From the middle of each recording some seconds are taken. Clicks come five times a second, bursts of 0.02 to 0.9 ms (1
to 40 samples at 44.1 kHz), every octave as likely, whose peak is 0 to 20 dB above the rms of the music around. The
first and last 0.2 s, which adeclick fades, do not count. Found is a click of which a sample was changed, false a
change of the music itself, as it is, 2 ms and more from the last one.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from concertclean.audio_io.formats import AUDIO_EXTENSIONS
from concertclean.audio_io.reader import AudioReader
from concertclean.classical.declick import Declicker
from concertclean.classical.gaps import runs
from concertclean.evaluate.methods import baseline
from concertclean.metrics.sdr import si_sdr, snr
from concertclean.synthesis.disc import click

Array = np.ndarray
Method = Callable[[Array, int], Array]


def excerpt(path: Path, seconds: float) -> tuple[Array, int]:
    """The middle of a recording, `(channel, time)`, and its rate in Hz."""
    with AudioReader(path) as reader:
        rate = reader.info.sample_rate
        reader.skip(max(0, round(((reader.info.duration_seconds or 0) - seconds) / 2 * rate)))
        return reader.read(round(seconds * rate)), rate


def clicked(clean: Array, rate: int, rng: np.random.Generator) -> tuple[Array, list[tuple[int, int, int]]]:
    """Music with clicks, each in one channel, and channel, first and last sample but one of each."""
    waveform, places = clean.copy(), []
    start = rate // 4
    while start < clean.shape[1] - rate // 4:
        channel = int(rng.integers(len(clean)))
        around = clean[channel, start - rate // 40 : start + rate // 40]
        pulse = click(rng, np.exp(rng.uniform(np.log(2e-5), np.log(9e-4))), rate)[0]
        level = max(1e-3, float(np.sqrt(np.square(around).mean()))) * 10 ** rng.uniform(0, 1)
        waveform[channel, start : start + len(pulse)] += level * pulse / np.abs(pulse).max()
        places.append((channel, start, start + len(pulse)))
        start += int(rng.uniform(0.1, 0.3) * rate)
    return waveform, places


def declick(degraded: Array, sample_rate: int) -> Array:
    """What `--model declick` leaves."""
    removed = Declicker().removed(iter([degraded]), len(degraded), sample_rate)
    return degraded - np.concatenate(list(removed), axis=1)


def measured(name: str, method: Method, path: Path, seconds: float) -> dict[str, float]:
    """Numbers of a method on a recording."""
    clean, rate = excerpt(path, seconds)
    waveform, places = clicked(clean, rate, np.random.default_rng(0))
    inner = np.s_[:, rate // 5 : -rate // 5]
    alone = method(clean, rate)  # first: the delay of a filter is found once, and counts for nobody
    begin = time.process_time()
    estimate = method(waveform, rate)
    elapsed = time.process_time() - begin
    # adeclick computes in single precision
    changed, wrong = (np.abs(after - before) > 1e-6 for after, before in ((estimate, waveform), (alone, clean)))
    return {
        "SI-SDR gain, dB": si_sdr(clean[inner], estimate[inner]) - si_sdr(clean[inner], waveform[inner]),
        "clean SNR, dB": min(120.0, snr(clean[inner], alone[inner])),
        "found, %": 100 * float(np.mean([changed[c, max(0, a - 2) : b + 2].any() for c, a, b in places])),
        "false /s": sum(len(runs(one, rate // 500)[0]) for one in wrong[inner]) / seconds,
        "x real time": clean.shape[1] / rate / elapsed,
    }


def main() -> None:
    """Prints a line for each recording and method, then means."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("paths", type=Path, nargs="+", help="clean recordings, or folders of them")
    ask.add_argument("--seconds", type=float, default=10)
    ask.add_argument("--most", type=int, default=4, help="recordings of a folder")
    wanted = ask.parse_args()
    methods: dict[str, Method] = {"adeclick": baseline("adeclick"), "declick": declick}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in methods}
    for place in wanted.paths:
        files = (
            [f for f in sorted(place.glob("*")) if f.suffix.lower() in AUDIO_EXTENSIONS] if place.is_dir() else [place]
        )
        for path in files[:: max(1, len(files) // wanted.most)][: wanted.most]:
            for name, method in methods.items():
                found[name].append(measured(name, method, path, wanted.seconds))
                told = ", ".join(f"{key} {value:.2f}" for key, value in found[name][-1].items())
                print(f"{path.name[:40]:<40} {name:<9} {told}", flush=True)
    for name, rows in found.items():
        for key in rows[0]:
            values = [row[key] for row in rows]
            # The mean speed is that of all recordings together: harmonic.
            mean = statistics.harmonic_mean(values) if key == "x real time" else statistics.mean(values)
            print(f"{name:<9} {key:<16} mean {mean:7.2f}  median {statistics.median(values):7.2f}")


if __name__ == "__main__":
    main()
