"""Builds a dataset from sources: each decoded once, in parallel, stored in a fixed order, continued if interrupted."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from concertclean import __version__
from concertclean.corpora.open_corpus import Task
from concertclean.corpora.sources import Source, Split
from concertclean.dataset import fixed
from concertclean.dataset.made import Making, Progress
from concertclean.dataset.prepare import Prepared, prepare
from concertclean.dataset.store import Header, Store, StoreWriter
from concertclean.errors import ConcertCleanError, ConfigError
from concertclean.files.atomic import write_text
from concertclean.runtime.parallel import in_order

LEFT_OUT = "left-out.jsonl"
CHANNELS = {"concert": 2, "gramophone": 1, "reverb": 1}


@dataclass(frozen=True)
class Plan:
    """Plan of a dataset.

    Attributes:
        folder: where.
        task: "concert", "gramophone" or "reverb".
        sources: with their splits.
        sample_rate: Hz.
        channels: stored; None: as the task needs, two for concerts.
        seconds_per_file: at most this much from the middle of each; None: all.
        synthetic_minutes: of synthetic crowd, for task "concert".
        singing_minutes: of voices made from the speech of the training split; a tenth of that for each other split, at
            least two minutes.
        validation_items: fixed mixtures of each ratio for validation; 0: none.
        test_items: the same for test.
        seed: of synthesis and fixed mixtures.
        workers: processes.
    """

    folder: Path
    task: Task
    sources: Sequence[Source]
    sample_rate: int = 44_100
    channels: int | None = None
    seconds_per_file: float | None = None
    synthetic_minutes: float = 0.0
    singing_minutes: float = 0.0
    validation_items: int = 12
    test_items: int = 24
    seed: int = 0
    workers: int = 2


@dataclass
class BuildReport:
    """The result for the sources.

    Attributes:
        n_stored: stored now.
        n_kept: stored by an earlier run.
        failures: name of a source and the reason why it is not stored.
        remarks: about the fixed mixtures.
    """

    n_stored: int = 0
    n_kept: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def counts(self) -> list[tuple[str, list[str]]]:
        """Reasons without the names and numbers in them, the most frequent first, each with its sources."""
        found: dict[str, list[str]] = {}
        for name, reason in self.failures:
            found.setdefault(_kind_of(reason), []).append(name)
        return sorted(found.items(), key=lambda one: -len(one[1]))


def build(plan: Plan, progress: Progress = lambda what, done, total: None) -> BuildReport:
    """Build a dataset, or continue one.

    Args:
        plan: of the dataset.
        progress: receives the current step, the number done, and the total.

    Returns:
        What was stored and what could not be.

    Raises:
        OutputError: the folder cannot be written, or contains something else.
        ConfigError: there is no music, or nothing at all could be stored.
    """
    if not any(source.role == "clean" for source in plan.sources):
        raise ConfigError("there is no clean music among the sources; add a folder of it")
    header = Header(
        task=plan.task,
        sample_rate=plan.sample_rate,
        channels=plan.channels or CHANNELS[plan.task],
        seed=plan.seed,
        made_by=f"concertclean {__version__}",
    )
    report = BuildReport()
    with StoreWriter(plan.folder, header) as writer:
        _store_sources(plan, writer, report, progress)
        made = Making(plan.folder, writer, plan.seed, plan.workers, progress)
        if plan.task == "concert" and plan.synthetic_minutes:
            report.n_stored += made.store_crowds(plan.synthetic_minutes)
        if plan.singing_minutes:
            report.n_stored += made.store_singing(plan.singing_minutes)
        if not any(entry.role == "clean" for entry in writer.entries):
            raise ConfigError(f"{plan.folder}: none of the clean music could be read: {report.failures[0][1]}")
    n_items: dict[Split, int] = {"validation": plan.validation_items, "test": plan.test_items}
    report.remarks += fixed.write_fixed(Store(plan.folder), n_items, partial(progress, "fixed mixtures"))
    _list_failures(plan.folder / LEFT_OUT, report.failures)
    return report


def _list_failures(path: Path, failures: Sequence[tuple[str, str]]) -> None:
    """All sources that are left out, a JSON record a line; no file if there are none."""
    if failures:
        lines = [json.dumps({"name": name, "reason": reason}) + "\n" for name, reason in failures]
        write_text(path, "".join(lines))
    else:
        path.unlink(missing_ok=True)


def _kind_of(reason: str) -> str:
    """A reason without the file it begins with, and without the names and numbers that differ from file to file."""
    fact = reason.partition(": ")[2] or reason
    return re.sub(r"\d+(\.\d+)?", "…", re.sub(r"the same file as .*; ", "the same file as another; ", fact))


def _store_sources(plan: Plan, writer: StoreWriter, report: BuildReport, progress: Progress) -> None:
    """Decodes in parallel and stores in order; a duplicate source is left out and reported."""
    done = {(entry.role, entry.name) for entry in writer.entries}
    wanted = [source for source in plan.sources if (source.role, source.name) not in done]
    report.n_kept = len(plan.sources) - len(wanted)
    hashes = {(entry.role, entry.sha256): entry.name for entry in writer.entries}
    work = partial(_try_prepare, plan=_DecodePlan(plan.sample_rate, writer.header.channels, plan.seconds_per_file))
    progress("sources", 0, len(wanted))
    for number, (source, result) in enumerate(in_order(work, wanted, plan.workers), start=1):
        if isinstance(result, str):
            report.failures.append((source.name, result))
        elif (twin := hashes.get((source.role, result.sha256))) is not None:
            report.failures.append((source.name, f"{source.path}: the same file as {twin}; stored once"))
        else:
            hashes[source.role, result.sha256] = source.name
            writer.append(
                result.samples,
                name=source.name,
                role=source.role,
                split=source.split or "train",
                group=source.group,
                licence=source.licence,
                title=source.title,
                category=source.category,
                sha256=result.sha256,
                pieces=result.pieces,
                gain_db=result.gain_db,
                silent_seconds=result.silent_seconds,
                clipped_seconds=result.clipped_seconds,
            )
            report.n_stored += 1
        progress("sources", number, len(wanted))


@dataclass(frozen=True)
class _DecodePlan:
    sample_rate: int
    channels: int
    seconds: float | None


def _try_prepare(source: Source, plan: _DecodePlan) -> Prepared | str:
    """The part of a source to store, or the reason why nothing is stored."""
    try:
        return prepare(source, plan.sample_rate, plan.channels, plan.seconds)
    except ConcertCleanError as error:
        return str(error)
