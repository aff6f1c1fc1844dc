"""Builds a bleed dataset: stems of the training songs, fixed bands of the test songs, and a list of both.

::

    bleed.json
    train/SONG/STEM.npy                        `(time,)` int16, read by memory map
    validation/SONG/STEM.npy                   of songs that no training item comes from
    test/CONDITION/SONG/TRACK.flac             what the microphones picked up
    test/CONDITION/SONG/reference/TRACK.flac   what they would have picked up of their own instrument alone
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator, BaseModel, Field

from concertclean.audio_io.whole import write_waveform
from concertclean.config.reading import STRICT, validated
from concertclean.config.text import parse_json, read_text
from concertclean.dataset.bleed.conditions import CONDITIONS, images
from concertclean.dataset.bleed.songs import Song, find_songs, read_stems
from concertclean.dataset.store import FULL_SCALE
from concertclean.dsp.arrays import Array
from concertclean.errors import AudioFileError, ConfigError, NoInputError
from concertclean.files.atomic import write_text, written
from concertclean.files.names import inside, plain_name

Progress = Callable[[str, int, int], None]

LIST = "bleed.json"
SIDES = ("train", "validation")
_FORMAT = 2  # format 1 had the training songs as FLAC, where seeking takes longer than the network
_PEAK = 0.95


@dataclass(frozen=True)
class BandSet:
    """One band in one condition.

    Attributes:
        condition: one of `CONDITIONS`.
        song: its name.
        tracks: names of files without extension.
        matrix: Λ `(microphone, stem)`, None unless there are only gains.
    """

    condition: str
    song: str
    tracks: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...] | None

    def microphone(self, folder: Path, track: str) -> Path:
        """File of what a microphone picked up."""
        return inside(folder, f"test/{self.condition}/{self.song}/{track}.flac", folder / LIST)

    def reference(self, folder: Path, track: str) -> Path:
        """File of what it would have picked up of its own instrument alone."""
        return inside(folder, f"test/{self.condition}/{self.song}/reference/{track}.flac", folder / LIST)


@dataclass(frozen=True)
class BleedPlan:
    """Plan of a bleed dataset.

    Attributes:
        folder: where.
        stems: folders of songs.
        sample_rate: Hz.
        seconds: of each song.
        conditions: of the test sets.
        test: share of songs held back, 0 to 1; at least one, unless there are folders of such songs.
        held_back: folders of songs only for evaluation, by other artists.
        validation: share of the other songs that choose the best weights of a run, 0 to 1.
        seed: of splits, gains and rooms.
        natural_levels: stems keep their level in the song, as in the published mixtures of MUSDB18; else every one has
            the same, as close microphones are set.
        n_test: at most so many songs become test sets, the first of those held back; None: all of them.
    """

    folder: Path
    stems: Sequence[Path]
    sample_rate: int = 22_050
    seconds: float = 20.0
    conditions: Sequence[str] = ("low", "high", "delayed", "room")
    test: float = 0.2
    held_back: Sequence[Path] = ()
    validation: float = 0.0
    seed: int = 0
    natural_levels: bool = False
    n_test: int | None = None


_PlainName = Annotated[str, AfterValidator(plain_name)]


class _Set(BaseModel):
    """A `BandSet` as the list holds it."""

    model_config = STRICT

    condition: _PlainName
    song: _PlainName
    tracks: Annotated[tuple[_PlainName, ...], Field(min_length=1)]
    matrix: tuple[tuple[float, ...], ...] | None


class _List(BaseModel):
    """All of bleed.json."""

    model_config = STRICT

    format: int
    sample_rate: Annotated[int, Field(ge=1000, le=768_000)]
    train: tuple[_PlainName, ...] = ()
    validation: tuple[_PlainName, ...] = ()
    test: tuple[_Set, ...]


def build_bleed(plan: BleedPlan, progress: Progress = lambda what, done, total: None) -> list[str]:
    """Build a bleed dataset.

    Args:
        plan: of the dataset.
        progress: receives the current step, the number done, and the total.

    Returns:
        Reasons why songs were left out, one sentence each.

    Raises:
        ConfigError: a condition is unknown, or the folder contains a dataset already.
        NoInputError: there are no stems, or none that can be used.
        OutputError: the folder cannot be written.
    """
    unknown = set(plan.conditions) - set(CONDITIONS)
    if unknown:
        raise ConfigError(f"{', '.join(sorted(unknown))}: unknown condition; choose from {', '.join(CONDITIONS)}")
    if os.path.exists(plan.folder / LIST):
        raise ConfigError(f"{plan.folder / LIST}: already exists; choose another folder")
    songs = _dealt(plan)
    sets: list[BandSet] = []
    names: dict[str, list[str]] = {side: [] for side in SIDES}
    failures = []
    for number, (song, side) in enumerate(songs):
        progress("songs", number, len(songs))
        try:
            if side in SIDES:
                _write_stems(plan, song, side)
                names[side].append(song.name)
            else:
                sets += _write_test(plan, song, number)
        except (AudioFileError, ConfigError) as error:  # one that cannot be read, or whose name no dataset can hold
            failures.append(str(error))
    progress("songs", len(songs), len(songs))
    if not sets:
        raise NoInputError(f"{plan.folder}: no song is left for the test split; {'; '.join(failures)}")
    listed = {"format": _FORMAT, "sample_rate": plan.sample_rate, **names, "test": [asdict(one) for one in sets]}
    write_text(plan.folder / LIST, json.dumps(listed, indent=1))
    return failures


def list_sets(folder: Path) -> list[BandSet]:
    """The test sets of a bleed dataset.

    Raises:
        ConfigError: the folder holds none.
    """
    return _read_list(folder)[2]


def list_songs(folder: Path, side: str = "train") -> tuple[int, list[list[Path]]]:
    """Sample rate in Hz of a bleed dataset, and the stems of each song on one of its `SIDES`.

    Raises:
        ConfigError: the folder holds none.
    """
    sample_rate, names, _ = _read_list(folder)
    songs = [inside(folder, f"{side}/{name}", folder / LIST) for name in names[side]]
    return sample_rate, [sorted(song.glob("*.npy")) for song in songs]


def write_stem(path: Path, stem: Array) -> None:
    """Write a stem of a training song, `(time,)`, full scale ±1, as items are made of it."""
    with written(path, make_folder=True) as file:
        np.save(file, np.rint(FULL_SCALE * stem).astype("<i2"))


def _dealt(plan: BleedPlan) -> list[tuple[Song, str]]:
    """Every song and its split."""
    songs = [song for folder in plan.stems for song in find_songs(folder)]
    apart = [song for folder in plan.held_back for song in find_songs(folder)]
    order = np.random.default_rng(plan.seed).permutation(len(songs))
    n_test = 0 if apart else max(1, round(plan.test * len(songs)))
    n_validation = round(plan.validation * (len(songs) - n_test))
    sides = np.full(len(songs), "train", dtype=object)
    sides[order[:n_test]] = "test"
    sides[order[n_test : n_test + n_validation]] = "validation"
    dealt = [*zip(songs, sides.tolist(), strict=True), *((song, "test") for song in apart)]
    left_out = [one for one in dealt if one[1] == "test"][plan.n_test :] if plan.n_test is not None else []
    return [one for one in dealt if one not in left_out]


def _read_list(folder: Path) -> tuple[int, dict[str, list[str]], list[BandSet]]:
    """Sample rate, names of the songs for training and validation, test sets."""
    path, cure = folder / LIST, "build one: dataset build bleed"
    try:
        values = parse_json(read_text(path, cure))
    except ValueError as error:
        raise ConfigError(f"{path}: cannot be read ({error}); {cure}") from error
    if isinstance(values, dict) and values.get("format") != _FORMAT:
        raise ConfigError(f"{path}: its format is {values.get('format')}, this version reads {_FORMAT}; {cure}")
    listed = validated(_List, values, str(path), cure=cure)
    sets = [BandSet(one.condition, one.song, one.tracks, one.matrix) for one in listed.test]
    return listed.sample_rate, {"train": list(listed.train), "validation": list(listed.validation)}, sets


def _rows(matrix: list[list[float]] | None) -> tuple[tuple[float, ...], ...] | None:
    return None if matrix is None else tuple(map(tuple, matrix))


def _write_stems(plan: BleedPlan, song: Song, side: str) -> None:
    names, stems = read_stems(song, plan.sample_rate, np.inf, natural_levels=plan.natural_levels)
    peak = np.abs(stems).max()
    for name, stem in zip(names, stems * min(1.0, _PEAK / peak), strict=True):
        write_stem(inside(plan.folder, f"{side}/{song.name}/{name}.npy", song.stems[0].path), stem)


def _write_test(plan: BleedPlan, song: Song, number: int) -> list[BandSet]:
    names, stems = read_stems(song, plan.sample_rate, plan.seconds, natural_levels=plan.natural_levels)
    found = []
    for condition in plan.conditions:
        rng = np.random.default_rng([plan.seed, number, CONDITIONS.index(condition)])
        heard, matrix = images(stems, condition, plan.sample_rate, rng, names)
        microphones = heard.sum(axis=1)
        scale = min(1.0, _PEAK / np.abs(microphones).max())
        one = BandSet(condition, song.name, names, None if matrix is None else _rows(matrix.tolist()))
        for k, name in enumerate(names):
            both = (one.microphone, microphones[k]), (one.reference, heard[k, k])
            for place, waveform in both:
                write_waveform(place(plan.folder, name), scale * waveform[None], plan.sample_rate, overwrite=True)
        found.append(one)
    return found
