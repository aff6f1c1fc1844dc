"""Scores of the rows of the benchmark that are not scored yet."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

from concertclean.dataset.fixed import read_waveform
from concertclean.dataset.made import Progress
from concertclean.evaluate import methods
from concertclean.evaluate.benchmark.entrants import Entrant, estimate_files
from concertclean.evaluate.benchmark.mixtures import Mixture, read_sides
from concertclean.evaluate.benchmark.scores import ScoreBook
from concertclean.evaluate.methods import Method
from concertclean.evaluate.scoring import Scored, estimated, score_estimate
from concertclean.runtime.parallel import in_order


@dataclass(frozen=True)
class Running:
    """How rows are scored.

    Attributes:
        metrics: names of `METRICS`.
        device: for the models.
        threads: CPU cores a model may use; 0: all.
        offline: never use the network.
        workers: processes.
    """

    metrics: tuple[str, ...]
    device: str = "auto"
    threads: int = 0
    offline: bool = False
    workers: int = 1


@dataclass(frozen=True)
class _Task:
    entrant: Entrant
    mixture: Mixture
    estimate: Path | None


def score_rows(
    book: ScoreBook,
    rows: Sequence[Entrant],
    mixtures: Sequence[Mixture],
    running: Running,
    progress: Progress = lambda *_: None,
) -> None:
    """Score what is missing in a book, row by row, and keep every score at once.

    Args:
        book: receives the scores.
        rows: to score.
        mixtures: under each of them.
        running: how.
        progress: receives the current step, the number done, and the total.
    """
    tasks = []
    for entrant in rows:
        found = estimate_files(Path(entrant.source), mixtures) if entrant.kind == "estimates" else {}
        tasks += [_Task(entrant, one, found.get(one.name)) for one in mixtures if not book.has(entrant, one)]
    total = len(rows) * len(mixtures)
    done = total - len(tasks)
    progress("scores", done, total)
    for number, (task, scored) in enumerate(
        in_order(partial(_score, running=running), tasks, running.workers), start=done + 1
    ):
        book.add(task.entrant, task.mixture, scored)
        progress("scores", number, total)


def _score(task: _Task, running: Running) -> Scored:
    degraded, clean, sample_rate = read_sides(task.mixture.files)
    method, begin = None, time.perf_counter()
    if task.estimate is not None:
        estimate, _ = read_waveform(task.estimate)
    else:
        method = _method(task.entrant, running)
        begin = time.perf_counter()
        estimate = estimated(task.entrant.name, method, degraded, clean, sample_rate)
    elapsed = time.perf_counter() - begin
    scored = score_estimate(
        task.mixture.files, task.entrant.name, estimate, (degraded, clean), sample_rate, running.metrics, method
    )
    return replace(scored, elapsed_seconds=elapsed)


@lru_cache(maxsize=1)
def _method(entrant: Entrant, running: Running) -> Method | None:
    """Rows come one after the other, so the last one is kept."""
    if entrant.kind == "yardstick":
        return None
    if entrant.kind == "tool":
        return methods.baseline(entrant.name)
    return methods.model(entrant.source, device=running.device, threads=running.threads, offline=running.offline)
