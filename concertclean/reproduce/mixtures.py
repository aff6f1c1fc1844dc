"""Test mixtures of a paper: excerpts of music and noise from folders, and scores of what systems make of them.

An item is determined by the seed and its number: its music, its noise, and where in each its excerpt begins. They are
read from the files each time and never stored.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from concertclean.audio_io.reader import AudioReader
from concertclean.corpora.sources import audio_files
from concertclean.dataset.excerpts import filled
from concertclean.dataset.mixing import mix
from concertclean.dsp.arrays import Array
from concertclean.dsp.downmix import downmix
from concertclean.dsp.resample import resample
from concertclean.errors import NoInputError
from concertclean.evaluate import methods
from concertclean.evaluate.methods import Method
from concertclean.evaluate.scoring import Values
from concertclean.metrics.catalogue import measure
from concertclean.reproduce.table import Request, mean
from concertclean.synthesis.shaping import Waveform, rms

_QUIETEST = 3e-3  # rms of an excerpt of music
_TRIES = 20
_NO_FLOOR_DB = 200.0  # networks of papers are not held to a largest reduction


@dataclass(frozen=True)
class Mixture:
    """A test item, waveforms `(1, time)`.

    Attributes:
        name: of the music and the noise.
        clean: the truth.
        degraded: music and noise.
        sample_rate: Hz.
    """

    name: str
    clean: Array
    degraded: Array
    sample_rate: int


def folder_of(data: Path, name: str) -> list[Path]:
    """The recordings in one folder of the user's data.

    Raises:
        NoInputError: there is no such folder, or no recording in it.
    """
    paths = audio_files(data / name) if os.path.isdir(data / name) else []
    if not paths:
        raise NoInputError(f"{data / name}: no recordings there; put those of the corpus in this folder")
    return paths


def read_mono(path: Path) -> tuple[Array, int]:
    """All of a recording, mono, `(1, time)`, and its sample rate in Hz.

    Raises:
        AudioFileError: the file cannot be read.
    """
    with AudioReader(path) as reader:
        return downmix(reader.read_all()), reader.info.sample_rate


def excerpt(paths: Sequence[Path], rng: np.random.Generator, seconds: float, sample_rate: int) -> tuple[Waveform, str]:
    """An excerpt of one of the files, mono, from anywhere; from where it sounds, if that is found in a few tries.

    Args:
        paths: at least one.
        rng: draws the file and the place.
        seconds: of the excerpt; shorter files are repeated.
        sample_rate: Hz, of the result.

    Returns:
        `(1, time)`, and the name of the file.

    Raises:
        AudioFileError: the file cannot be read.
    """
    path = paths[int(rng.integers(len(paths)))]
    whole, rate = read_mono(path)
    wanted = round(seconds * rate)
    for _ in range(_TRIES):
        start = int(rng.integers(0, max(1, whole.shape[1] - wanted + 1)))
        found = whole[:, start : start + wanted]
        if found.size and rms(found) > _QUIETEST:
            break
    n_samples = round(seconds * sample_rate)
    return filled(resample(found, rate, sample_rate).astype(np.float32), n_samples), path.stem


def mixed(name: str, music: Waveform, noise: Waveform, ratio_db: float, sample_rate: int) -> Mixture:
    """Music and noise at a ratio of their powers over the whole excerpt; it may exceed full scale."""
    degraded, clean = mix(music, noise, ratio_db)
    return Mixture(name, clean.astype(np.float64), degraded.astype(np.float64), sample_rate)


def load_systems(weights: Mapping[str, Path]) -> dict[str, Method]:
    """Systems by their rows, as their papers use them: nothing limits what they remove.

    Raises:
        ModelError: weights cannot be loaded.
    """
    return {row: methods.model(str(path), max_reduction_db=_NO_FLOOR_DB) for row, path in weights.items()}


def scored(
    request: Request,
    what: str,
    mixtures: Callable[[int], Iterator[tuple[str, Mixture]]],
    n_items: int,
    systems: Mapping[str, Method | None],
    metrics: Sequence[str],
) -> dict[str, dict[str, list[Values]]]:
    """Scores of every system, in every condition, of every item.

    Args:
        request: its progress receives the items.
        what: name of this work.
        mixtures: returns the conditions of an item and their mixtures, by number.
        n_items: how many.
        systems: by row; None leaves a mixture as it is.
        metrics: names of `metrics.catalogue`.

    Returns:
        Lists by row and condition.
    """
    found: dict[str, dict[str, list[Values]]] = {row: {} for row in systems}
    for number in range(n_items):
        request.progress(what, number, n_items)
        for condition, mixture in mixtures(number):
            for row, method in systems.items():
                estimate = mixture.degraded if method is None else method(mixture.degraded, mixture.sample_rate)
                scores, _ = measure(metrics, mixture.clean, estimate, mixture.sample_rate)
                found[row].setdefault(condition, []).append(scores)
    request.progress(what, n_items, n_items)
    return found


def means(scores: Mapping[str, Sequence[Values]], columns: Sequence[tuple[str, str]]) -> list[float | None]:
    """Means of one system, for columns of a score in a condition each."""
    return [mean(values[score] for values in scores.get(condition, [])) for score, condition in columns]
