"""The synthetic part of a dataset: crowds from single claps and shouts, singing from speech."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import numpy as np

from concertclean.corpora.sources import Role, Split
from concertclean.dataset.prepare import with_channels
from concertclean.dataset.shelf import Shelf
from concertclean.dataset.store import FULL_SCALE, Store, StoreWriter
from concertclean.runtime.parallel import in_order
from concertclean.synthesis import crowd, singing
from concertclean.synthesis.shaping import Waveform

_CROWD_SECONDS: Final = 12.0
_PHRASE_SECONDS: Final = 8.0
_LEAST_HELD_BACK: Final = 2.0  # minutes of singing for validation and test
_PEAK: Final = 0.89  # -1 dBFS
_CROWD_ROLES: Final[tuple[Role, ...]] = ("clap", "shout", "speech")
_SIDES: Final[tuple[Split, ...]] = ("train", "validation", "test")

Progress = Callable[[str, int, int], None]
Make = Callable[[int], Waveform]


@dataclass(frozen=True)
class Making:
    """Stores synthetic sounds; those of an earlier run are kept.

    Attributes:
        folder: of the dataset.
        writer: into it.
        seed: of everything that is made.
        workers: processes.
        progress: receives the current step, the number done, and the total.
    """

    folder: Path
    writer: StoreWriter
    seed: int
    workers: int
    progress: Progress

    def store_crowds(self, minutes: float) -> int:
        """Stores crowds from the claps, shouts and speech of the training split; returns how many."""
        names = [f"synthetic crowd {number:05d}" for number in range(round(minutes * 60 / _CROWD_SECONDS))]
        make = partial(_make_crowd, folder=self.folder, seed=self.seed)
        facts = {"role": "noise", "split": "train", "group": "synthesis", "category": "synthetic crowd"}
        return self._store("synthetic crowds", names, make, facts)

    def store_singing(self, minutes: float) -> int:
        """Stores singing from the speech of each split that has some; returns how many."""
        n_stored = 0
        for side in _SIDES:
            if not any((entry.role, entry.split) == ("speech", side) for entry in self.writer.entries):
                continue
            wanted = minutes if side == "train" else max(_LEAST_HELD_BACK, minutes / 10)
            names = [f"singing {side} {number:05d}" for number in range(round(wanted * 60 / _PHRASE_SECONDS))]
            make = partial(_make_phrase, folder=self.folder, seed=self.seed, side=side)
            facts = {"role": "voice", "split": side, "group": f"singing from speech, {side}", "category": "sung"}
            n_stored += self._store(f"singing for {side}", names, make, facts)
        return n_stored

    def _store(self, what: str, names: Sequence[str], make: Make, facts: dict[str, str]) -> int:
        """Makes in parallel, and stores in order, what is not stored yet."""
        role: Role = facts["role"]  # type: ignore[assignment]
        done = {entry.name for entry in self.writer.entries if entry.role == role and not entry.sha256}
        wanted = [number for number, name in enumerate(names) if name not in done]
        self.progress(what, 0, len(wanted))
        for count, (number, waveform) in enumerate(in_order(make, wanted, self.workers), start=1):
            stored = with_channels(waveform, self.writer.header.channels).T
            samples = np.round(stored * (FULL_SCALE * _PEAK / np.abs(stored).max())).astype(np.int16)
            self.writer.append(
                samples,
                name=names[number],
                licence="of what it is made from",
                title="",
                sha256="",
                pieces=(len(samples),),
                gain_db=0.0,
                silent_seconds=0.0,
                clipped_seconds=0.0,
                **facts,
            )
            self.progress(what, count, len(wanted))
        return len(wanted)


def _make_crowd(number: int, folder: Path, seed: int) -> Waveform:
    """One clip of synthetic crowd, `(2, time)`."""
    store = _store(folder)
    clap, shout, speech = (_shelf(folder, role, "train") or None for role in _CROWD_ROLES)
    rng = np.random.default_rng((seed, 1, number))
    n_samples = round(_CROWD_SECONDS * store.header.sample_rate)
    return crowd.crowd(rng, n_samples, store.header.sample_rate, claps=clap, shouts=shout, speech=speech)


def _make_phrase(number: int, folder: Path, seed: int, side: Split) -> Waveform:
    """One sung phrase, `(1, time)`."""
    rng = np.random.default_rng((seed, 2 + _SIDES.index(side), number))
    return singing.sing(rng, _shelf(folder, "speech", side), _PHRASE_SECONDS, _store(folder).header.sample_rate)


@lru_cache(maxsize=1)
def _store(folder: Path) -> Store:
    """The dataset when a process first needs it; the raw material is stored by then."""
    return Store(folder)


@lru_cache(maxsize=4)
def _shelf(folder: Path, role: Role, side: Split) -> Shelf:
    return Shelf(_store(folder), role, side)
