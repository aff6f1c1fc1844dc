"""The speed of a model from file to file, compared with common tools, on this machine.

Every model runs as a user would run it, as a separate program, so start-up and memory are its own too. The tools run in
this process on the same recording, one after the other: only ratios from one run are meaningful.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concertclean.audio_io.whole import write_waveform
from concertclean.errors import ConcertCleanError
from concertclean.evaluate import methods

Command = Callable[[str, Path, str, str], Sequence[str]]
"""From a model, a recording, a device and a precision to words of the command line."""

SAMPLE_RATE = 44_100
CHANNELS = 2


@dataclass(frozen=True)
class Speed:
    """The cost of a run.

    Attributes:
        name: of the model or tool.
        device: or "" for a tool.
        precision: or "" for a tool.
        seconds: of the recording.
        elapsed_seconds: from opening to writing; for a tool, its call alone.
        startup_seconds: before the recording is opened, and after it is written; None for a tool.
        peak_memory_mib: of the whole program; None for a tool.
        outside_network: share of the time of all workers in which no network ran; None if there is no network.
    """

    name: str
    device: str
    precision: str
    seconds: float
    elapsed_seconds: float
    startup_seconds: float | None = None
    peak_memory_mib: float | None = None
    outside_network: float | None = None

    @property
    def times_real_time(self) -> float:
        """Seconds of recording per second."""
        return self.seconds / self.elapsed_seconds


def recording_to_time(seconds: float) -> NDArray[np.float64]:
    """Chords under a murmur of noise, `(2, time)`: the content does not change the time."""
    n_samples = round(seconds * SAMPLE_RATE)
    rng = np.random.default_rng(0)
    time_axis = np.arange(n_samples) / SAMPLE_RATE
    chord = np.zeros((CHANNELS, n_samples))
    for tone_hz in (220.0, 277.2, 329.6, 440.0):
        chord += np.sin(2 * np.pi * tone_hz * time_axis + rng.uniform(0, 2 * np.pi, (CHANNELS, 1)))
    return 0.05 * chord + 0.02 * rng.standard_normal((CHANNELS, n_samples))


def write_recording(path: Path, seconds: float) -> None:
    """The recording to time as a 16-bit WAV file."""
    write_waveform(path, recording_to_time(seconds), SAMPLE_RATE, bit_depth=16)


def model_speed(name: str, recording: Path, command: Command, *, device: str, precision: str, repeats: int) -> Speed:
    """A model from file to file; the median run of several.

    Args:
        name: of a card, or a weights file.
        recording: to be restored, written by `write_recording`.
        command: returns the words after `concertclean` that restore a recording and print its record.
        device: as the setting of `denoise`.
        precision: as the setting of `denoise`.
        repeats: runs, at least 1.

    Raises:
        ConcertCleanError: the run failed; with its error message.
    """
    runs = sorted(
        (_run(name, command(name, recording, device, precision)) for _ in range(repeats)),
        key=lambda run: run.elapsed_seconds,
    )
    return runs[(len(runs) - 1) // 2]


def _run(name: str, words: Sequence[str]) -> Speed:
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "concertclean", *words], capture_output=True, text=True, check=False, env=os.environ
    )
    wall = time.perf_counter() - begin
    if done.returncode:
        raise ConcertCleanError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    record: dict[str, Any] = json.loads(done.stdout)[0]
    elapsed = record["elapsed_seconds"]
    outside = None
    if "network_seconds" in record:
        workers = record["threads"] if record["device"] == "cpu" else 1
        outside = max(0.0, 1 - record["network_seconds"] / (workers * elapsed))
    return Speed(
        methods.short_name(name),
        record.get("device", "cpu"),  # methods without weights have nothing else
        record.get("precision", ""),
        record["duration_seconds"],
        elapsed,
        startup_seconds=wall - elapsed,
        peak_memory_mib=record["peak_memory_mib"],
        outside_network=outside,
    )


def tool_speed(name: str, seconds: float, *, repeats: int) -> Speed:
    """A common tool on the same recording, in memory; the median run of several."""
    method, recording = methods.baseline(name), recording_to_time(seconds)
    return Speed(name, "", "", seconds, statistics.median_low(_timed(lambda: method(recording, SAMPLE_RATE), repeats)))


def _timed(work: Callable[[], Any], repeats: int) -> Iterator[float]:
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        yield time.perf_counter() - begin


def speed_table(found: Sequence[Speed]) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and lines; the column of a model shows how many times as fast it is as the others."""
    models = [one for one in found if one.device]
    header = ["", "on", "x real time", "start, s", "memory, MiB", "outside network"]
    body = []
    for one in found:
        line = [one.name, f"{one.device} {one.precision}".strip(), f"{one.times_real_time:.1f}"]
        line.append("" if one.startup_seconds is None else f"{one.startup_seconds:.1f}")
        line.append("" if one.peak_memory_mib is None else f"{one.peak_memory_mib:.0f}")
        line.append("" if one.outside_network is None else f"{100 * one.outside_network:.0f} %")
        body.append([*line, *(f"{model.times_real_time / one.times_real_time:.2f}" for model in models)])
    seconds = found[0].seconds if found else 0.0
    title = f"{seconds:g} s of stereo at {SAMPLE_RATE} Hz, from file to file"
    return title, [*header, *(f"{model.name} is" for model in models)], body
