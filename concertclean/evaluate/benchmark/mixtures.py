"""The mixtures of the benchmark: the fixed ones of a test split, with names for files and hashes.

They are built from the part of a corpus that nothing was trained on; whole recordists and artists are on one side. The
rest of the corpus does not matter to them, so a dataset built whole has the same ones.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from concertclean import __version__
from concertclean.audio_io.whole import write_waveform
from concertclean.corpora.corpora import corpus_sources, detect_corpus
from concertclean.corpora.open_corpus import Task
from concertclean.corpora.sources import assign_splits
from concertclean.dataset.build import Plan, build
from concertclean.dataset.fixed import FixedFiles, has_fixed, list_fixed, read_waveform
from concertclean.dataset.made import Progress
from concertclean.dataset.store import Store
from concertclean.dsp.arrays import Array
from concertclean.errors import ConfigError
from concertclean.files.atomic import write_text

N_ITEMS: Final = 48
"""Songs, each at every ratio and without noise."""

TASKS: Final[tuple[Task, ...]] = ("concert", "gramophone")
MANIFEST: Final = "manifest.json"
_SEED: Final = 0
_SECONDS_PER_FILE: Final = 75.0
_SINGING_MINUTES: Final = {"concert": 30.0, "gramophone": 0.0}  # of the whole dataset; a tenth of it for the test


@dataclass(frozen=True)
class Mixture:
    """A mixture to restore.

    Attributes:
        files: where it is, and what it is.
        name: of its files without the extension, as "0003_+5dB".
        sha256: of the samples of both sides, their rate and their channels.
    """

    files: FixedFiles
    name: str
    sha256: str


@dataclass(frozen=True)
class MixtureSet:
    """All mixtures of a benchmark.

    Attributes:
        task: what is to be removed.
        n_items: songs.
        seed: of the dataset.
        mixtures: song by song, without noise first.
    """

    task: Task
    n_items: int
    seed: int
    mixtures: tuple[Mixture, ...]

    @property
    def sha256(self) -> str:
        """Of the names and hashes of all mixtures: sets that have it in common are equal."""
        return hashlib.sha256("".join(f"{one.name} {one.sha256}\n" for one in self.mixtures).encode()).hexdigest()

    @property
    def facts(self) -> dict[str, object]:
        """What identifies the set, for files about it."""
        return {"task": self.task, "items": self.n_items, "seed": self.seed, "sha256": self.sha256}


def build_mixtures(
    folder: Path, task: Task, corpus: Path, n_items: int, workers: int, progress: Progress = lambda *_: None
) -> None:
    """Build a dataset of the test split of a corpus alone; an interrupted build goes on.

    Args:
        folder: of the dataset.
        task: one of `TASKS`.
        corpus: folder of a known corpus.
        n_items: songs; mixtures that exist are made anew if they are more or fewer.
        workers: processes.
        progress: receives the current step, the number done, and the total.

    Raises:
        ConfigError: the folder is not a corpus, or has nothing on the test side.
        OutputError: the dataset cannot be written.
    """
    kind = detect_corpus(corpus)
    if kind is None:
        raise ConfigError(f"{corpus}: not a known corpus; fetch the open corpus, or name its folder")
    sources = [one for one in assign_splits(corpus_sources(kind, corpus, task), seed=_SEED) if one.split == "test"]
    if not sources:
        raise ConfigError(f"{corpus}: nothing in it is for tests; fetch it again")
    plan = Plan(
        folder=folder,
        task=task,
        sources=sources,
        seconds_per_file=_SECONDS_PER_FILE,
        singing_minutes=_SINGING_MINUTES[task],
        validation_items=0,
        test_items=n_items,
        seed=_SEED,
        workers=workers,
    )
    build(plan, progress)


def n_fixed(folder: Path) -> int:
    """How many songs the test mixtures of a dataset have; 0 where there is none."""
    if not os.path.exists(folder / "dataset.json"):
        return 0
    store = Store(folder)
    return len({files.number for files in list_fixed(store, "test")}) if has_fixed(store, "test") else 0


def read_mixtures(folder: Path, task: Task, n_items: int) -> MixtureSet:
    """The mixtures of a dataset, hashed.

    Args:
        folder: of the dataset.
        task: that it must have.
        n_items: only so many songs.

    Raises:
        ConfigError: it is another task, or has fewer songs.
    """
    store = Store(folder)
    if store.header.task != task:
        raise ConfigError(f"{folder}: is a dataset for {store.header.task}, not for {task}; name one for {task}")
    found = list_fixed(store, "test", n_items)
    n_found = len({files.number for files in found})
    if n_found < n_items:
        raise ConfigError(f"{folder}: has {n_found} test mixtures of each ratio, not {n_items}; ask for {n_found}")
    mixtures = tuple(Mixture(files, file_name(files), _sha256(files)) for files in found)
    return MixtureSet(task, n_items, store.header.seed, mixtures)


def read_sides(files: FixedFiles) -> tuple[Array, Array, int]:
    """Degraded and clean waveform, `(channel, time)`, and their rate."""
    degraded, sample_rate = read_waveform(files.degraded)
    return degraded, read_waveform(files.clean)[0], sample_rate


def file_name(files: FixedFiles) -> str:
    """Name of the files of a mixture, without the extension; no shell and no file system minds it."""
    return f"{files.number:04d}_" + ("music" if files.ratio_db == np.inf else f"{files.ratio_db:+g}dB")


def export(mixtures: MixtureSet, folder: Path, progress: Progress = lambda *_: None) -> None:
    """Write `degraded/NAME.wav`, `reference/NAME.wav` and a manifest, for tools of others.

    Args:
        mixtures: to write.
        folder: made if it does not exist; files in it are replaced.
        progress: receives the current step, the number done, and the total.

    Raises:
        OutputError: the folder cannot be written.
    """
    records = []
    for number, one in enumerate(mixtures.mixtures, start=1):
        degraded, clean, sample_rate = read_sides(one.files)
        for side, waveform in (("degraded", degraded), ("reference", clean)):
            write_waveform(folder / side / f"{one.name}.wav", waveform, sample_rate, overwrite=True)
        records.append(_record(one))
        progress("mixtures", number, len(mixtures.mixtures))
    facts = {**mixtures.facts, "made_by": f"concertclean {__version__}", "mixtures": records}
    write_text(folder / MANIFEST, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def _record(one: Mixture) -> dict[str, object]:
    files = one.files
    ratio_db = None if files.ratio_db == np.inf else files.ratio_db
    facts = {"kind": files.kind, "is_sung": files.is_sung, "description": files.description}
    return {"name": one.name, "ratio_db": ratio_db, **facts, "sha256": one.sha256}


def _sha256(files: FixedFiles) -> str:
    degraded, clean, sample_rate = read_sides(files)
    return samples_sha256((degraded, clean), sample_rate)


def samples_sha256(waveforms: Sequence[Array], sample_rate: int) -> str:
    """Hash of waveforms as samples of 24 bits; whatever file format holds them, it is the same."""
    digest = hashlib.sha256(f"{sample_rate} {[one.shape for one in waveforms]}".encode())
    for waveform in waveforms:
        digest.update(np.round(waveform * 2**23).astype("<i4").tobytes())
    return digest.hexdigest()
