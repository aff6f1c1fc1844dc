"""Builds a bleed dataset: stems of the training songs, fixed bands of the test songs, and a list of both.

::

    bleed.json
    train/SONG/STEM.flac
    test/CONDITION/SONG/TRACK.flac             what the microphones heard
    test/CONDITION/SONG/reference/TRACK.flac   what they would have heard of their own instrument alone
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from concertclean.audio_io.whole import write_waveform
from concertclean.dataset.bleed.conditions import CONDITIONS, images
from concertclean.dataset.bleed.songs import Song, find_songs, read_stems
from concertclean.errors import ConfigError, NoInputError

Progress = Callable[[str, int, int], None]

LIST = "bleed.json"
_FORMAT = 1
_PEAK = 0.95


@dataclass(frozen=True)
class BandSet:
    """One band in one condition.

    Attributes:
        condition: one of `CONDITIONS`.
        song: its name.
        tracks: names of files without ending.
        matrix: Λ `(microphone, stem)`, None where gains are not all there is.
    """

    condition: str
    song: str
    tracks: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...] | None

    def microphone(self, folder: Path, track: str) -> Path:
        """What a microphone heard."""
        return folder / "test" / self.condition / self.song / f"{track}.flac"

    def reference(self, folder: Path, track: str) -> Path:
        """What it would have heard of its own instrument alone."""
        return folder / "test" / self.condition / self.song / "reference" / f"{track}.flac"


@dataclass(frozen=True)
class BleedPlan:
    """What a bleed dataset is to be.

    Attributes:
        folder: where.
        stems: folders of songs.
        sample_rate: Hz.
        seconds: of each song.
        conditions: of the test sets.
        test: share of songs that are held back, 0 to 1; at least one is.
        seed: of splits, gains and rooms.
    """

    folder: Path
    stems: Sequence[Path]
    sample_rate: int = 22_050
    seconds: float = 20.0
    conditions: Sequence[str] = ("low", "high", "delayed", "room")
    test: float = 0.2
    seed: int = 0


def build_bleed(plan: BleedPlan, progress: Progress = lambda what, done, total: None) -> list[str]:
    """Build a bleed dataset.

    Args:
        plan: what it is to be.
        progress: told what is being made, how many are done, and of how many.

    Returns:
        Why songs were left out, one sentence each.

    Raises:
        ConfigError: no such condition, or the folder holds one already.
        NoInputError: no stems, or none that can be used.
        OutputError: the folder cannot be written.
    """
    unknown = set(plan.conditions) - set(CONDITIONS)
    if unknown:
        raise ConfigError(f"{', '.join(sorted(unknown))}: no such condition; choose of {', '.join(CONDITIONS)}")
    if (plan.folder / LIST).exists():
        raise ConfigError(f"{plan.folder / LIST}: exists already; choose another folder")
    songs = [song for folder in plan.stems for song in find_songs(folder)]
    order = np.random.default_rng(plan.seed).permutation(len(songs))
    held_back = set(order[: max(1, round(plan.test * len(songs)))].tolist())
    sets: list[BandSet] = []
    train: list[str] = []
    failures = []
    for number, song in enumerate(songs):
        progress("songs", number, len(songs))
        try:
            if number in held_back:
                sets += _write_test(plan, song, number)
            else:
                _write_train(plan, song)
                train.append(song.name)
        except NoInputError as error:
            failures.append(str(error))
    progress("songs", len(songs), len(songs))
    if not sets:
        raise NoInputError(f"{plan.folder}: no song is left for the test side; {'; '.join(failures)}")
    listed = {"format": _FORMAT, "sample_rate": plan.sample_rate, "train": train, "test": [asdict(one) for one in sets]}
    (plan.folder / LIST).write_text(json.dumps(listed, indent=1), encoding="utf-8")
    return failures


def list_sets(folder: Path) -> list[BandSet]:
    """The test sets of a bleed dataset.

    Raises:
        ConfigError: the folder holds none.
    """
    return _read_list(folder)[2]


def list_training(folder: Path) -> tuple[int, list[list[Path]]]:
    """Sample rate in Hz of a bleed dataset, and the stems of each of its training songs.

    Raises:
        ConfigError: the folder holds none.
    """
    sample_rate, names, _ = _read_list(folder)
    return sample_rate, [sorted((folder / "train" / name).glob("*.flac")) for name in names]


def _read_list(folder: Path) -> tuple[int, list[str], list[BandSet]]:
    """Sample rate, names of the training songs, test sets."""
    try:
        listed = json.loads((folder / LIST).read_text(encoding="utf-8"))
        sets = [
            BandSet(one["condition"], one["song"], tuple(one["tracks"]), _rows(one["matrix"])) for one in listed["test"]
        ]
        return int(listed["sample_rate"]), listed["train"], sets
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{folder / LIST}: cannot be read ({error}); build one: dataset build bleed") from error


def _rows(matrix: list[list[float]] | None) -> tuple[tuple[float, ...], ...] | None:
    return None if matrix is None else tuple(map(tuple, matrix))


def _write_train(plan: BleedPlan, song: Song) -> None:
    names, stems = read_stems(song, plan.sample_rate, np.inf)
    peak = np.abs(stems).max()
    for name, stem in zip(names, stems * min(1.0, _PEAK / peak), strict=True):
        write_waveform(plan.folder / "train" / song.name / f"{name}.flac", stem[None], plan.sample_rate, overwrite=True)


def _write_test(plan: BleedPlan, song: Song, number: int) -> list[BandSet]:
    names, stems = read_stems(song, plan.sample_rate, plan.seconds)
    found = []
    for condition in plan.conditions:
        rng = np.random.default_rng([plan.seed, number, CONDITIONS.index(condition)])
        heard, matrix = images(stems, condition, plan.sample_rate, rng)
        microphones = heard.sum(axis=1)
        scale = min(1.0, _PEAK / np.abs(microphones).max())
        one = BandSet(condition, song.name, names, None if matrix is None else _rows(matrix.tolist()))
        for k, name in enumerate(names):
            both = (one.microphone, microphones[k]), (one.reference, heard[k, k])
            for place, waveform in both:
                write_waveform(place(plan.folder, name), scale * waveform[None], plan.sample_rate, overwrite=True)
        found.append(one)
    return found
