"""Scores of rows, kept in a file as they come: what was scored stays, and an interrupted run goes on from there."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from concertclean.config.reading import validated
from concertclean.config.text import read_records
from concertclean.errors import ConfigError
from concertclean.evaluate.benchmark.entrants import KINDS, Entrant, Kind
from concertclean.evaluate.benchmark.mixtures import Mixture, MixtureSet
from concertclean.evaluate.methods import UNPROCESSED
from concertclean.evaluate.scoring import Scored, Values, gains_over
from concertclean.files.lines import GrowingFile

FILE: Final = "scores.jsonl"
_CURE: Final = "choose another folder, or remove this file"


class _Record(BaseModel):
    """A line: one mixture under one row; the first line has only the metrics."""

    model_config = ConfigDict(frozen=True)

    row: str
    kind: Kind
    version: str
    mixture: str
    sha256: str
    scores: Values
    remarks: list[str] = []
    music_lost_db: float | None = None
    noise_left_db: float | None = None
    elapsed_seconds: float = 0.0


class ScoreBook:
    """The scores in a folder, for one set of mixtures and one choice of metrics.

    Args:
        folder: made if it does not exist.
        mixtures: whose scores they are.
        metrics: names of `METRICS`.

    Raises:
        ConfigError: the folder holds scores of other metrics, another task or other mixtures, or is damaged.
        OutputError: it cannot be written, or another process is writing it.
    """

    def __init__(self, folder: Path, mixtures: MixtureSet, metrics: Sequence[str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._mixtures = folder / FILE, mixtures
        self._found: dict[tuple[str, str], _Record] = {}
        head = {"task": mixtures.task, "metrics": list(metrics)}
        known = read_head(folder)
        if known is not None and known != head:
            what = " and ".join(f"{name} {known.get(name)}" for name in head if known.get(name) != head[name])
            raise ConfigError(f"{self._path}: holds scores for {what}; {_CURE}")
        if known is not None:
            self._read()
        self._file = GrowingFile(self._path, cure=_CURE)
        self._file.end_last_line()
        if known is None:
            self._file.append(json.dumps(head))

    def close(self) -> None:
        """Lets others write."""
        self._file.close()

    def has(self, entrant: Entrant, mixture: Mixture) -> bool:
        """Whether a mixture was scored under this version of a row."""
        record = self._found.get((entrant.name, mixture.name))
        return record is not None and record.version == entrant.version

    def add(self, entrant: Entrant, mixture: Mixture, scored: Scored) -> None:
        """Keeps the scores of a mixture under a row; those of another version are replaced."""
        record = _Record(
            row=entrant.name,
            kind=entrant.kind,
            version=entrant.version,
            mixture=mixture.name,
            sha256=mixture.sha256,
            scores=scored.scores,
            remarks=scored.remarks,
            music_lost_db=scored.music_lost_db,
            noise_left_db=scored.noise_left_db,
            elapsed_seconds=scored.elapsed_seconds,
        )
        self._file.append(json.dumps(record.model_dump()))
        self._found[record.row, record.mixture] = record

    def rows(self) -> tuple[list[Entrant], list[str]]:
        """Rows that are complete on this set, in the order of `KINDS`, and the names of those that are not."""
        versions: dict[str, set[tuple[Kind, str]]] = {}
        names = {one.name for one in self._mixtures.mixtures}
        for record in self._found.values():
            if record.mixture in names:
                versions.setdefault(record.row, set()).add((record.kind, record.version))
        complete, partial = [], []
        for name, of_row in versions.items():
            kind, version = next(iter(of_row))
            one = Entrant(name, kind, "", version)
            if len(of_row) == 1 and all(self.has(one, mixture) for mixture in self._mixtures.mixtures):
                complete.append(one)
            else:
                partial.append(name)
        return sorted(complete, key=lambda one: KINDS.index(one.kind)), partial

    def scored(self, rows: Sequence[Entrant]) -> Iterator[Scored]:
        """Every mixture under every row, with gains over the unprocessed one."""
        for entrant in rows:
            for mixture in self._mixtures.mixtures:
                record = self._found[entrant.name, mixture.name]
                files = mixture.files
                one = Scored(
                    files.name, entrant.name, files.kind, files.ratio_db, record.scores, {}, record.remarks,
                    0.0, record.elapsed_seconds, files.is_sung, record.music_lost_db, record.noise_left_db,
                )  # fmt: skip
                before = self._found[UNPROCESSED, mixture.name].scores
                has_gains = entrant.name != UNPROCESSED and record.music_lost_db is not None
                yield replace(one, gains=gains_over(before, one.scores) if has_gains else {})

    def _read(self) -> None:
        """All lines; the last one of a row and a mixture counts."""
        known = {one.name: one.sha256 for one in self._mixtures.mixtures}
        for place, values in read_records(self._path, _CURE):
            if place == 1:
                continue
            record = validated(_Record, values, f"{self._path}: line {place}", cure=_CURE)
            if known.get(record.mixture, record.sha256) != record.sha256:
                fact = f"{record.row!r} was scored on another set of mixtures, in which {record.mixture} differs"
                raise ConfigError(f"{self._path}: {fact}; {_CURE}")
            self._found[record.row, record.mixture] = record


def read_head(folder: Path) -> dict[str, Any] | None:
    """Task and metrics of the scores in a folder; None where there are none."""
    path = folder / FILE
    if not os.path.exists(path) or not path.stat().st_size:
        return None
    return next((values for _, values in read_records(path, _CURE)), None)
