"""Progress of a batch as a whole: recordings, hours of audio, speed and time left."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from concertclean.cli import console
from concertclean.cli.bar import Bar
from concertclean.files.places import Place

if TYPE_CHECKING:
    from concertclean.restore.batch import Job, Outcome

_SPEED_FROM_SECONDS = 5.0  # before, a speed is chance


class BatchBar(Bar):
    """One bar for many recordings, several of which may be at work; a context manager.

    What is left is measured in bytes, because the lengths of thousands of files are not known before they are opened.

    Args:
        jobs: of the batch.
        shown: whether there is anything to see.
    """

    def __init__(self, jobs: "Sequence[Job]", *, shown: bool) -> None:
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

        count, facts = TextColumn("{task.fields[count]}"), TextColumn("{task.fields[facts]}")
        super().__init__(count, BarColumn(), TaskProgressColumn(), facts, TimeRemainingColumn(), shown=shown)
        self._n_jobs, self._n_done = len(jobs), 0
        self._sizes = {job.source: _size(job.source) for job in jobs} if shown else {}
        self._running: dict[Place, float] = {}
        self._bytes_done, self._seconds_done = 0, 0.0
        self._begin, self._lock = time.perf_counter(), Lock()
        self._task: Any = self._progress.add_task(
            "", total=sum(self._sizes.values()) or 1, count=f"0/{len(jobs)} recordings", facts=""
        )

    def advance(self, job: "Job", seconds: float) -> None:
        """Shows how many seconds of a recording are done."""
        console.end_if_asked()
        if self.shown:
            with self._lock:
                self._running[job.source] = seconds
                self._update()

    def advance_first_pass(self, job: "Job", seconds: float) -> None:
        """A pass before the work counts for nothing."""
        console.end_if_asked()

    def ended(self, outcome: "Outcome") -> None:
        """Takes what became of a recording."""
        if self.shown:
            with self._lock:
                self._running.pop(outcome.job.source, None)
                self._bytes_done += self._sizes.get(outcome.job.source, 0)
                self._seconds_done += 0.0 if outcome.report is None else outcome.report.seconds
                self._n_done += 1
                self._update()

    def _update(self) -> None:
        seconds = self._seconds_done + sum(self._running.values())
        elapsed = time.perf_counter() - self._begin
        rate = self._bytes_done / self._seconds_done if self._seconds_done else 0.0
        at_work = sum(min(self._sizes.get(path, 0), rate * done) for path, done in self._running.items())
        speed = f", {seconds / elapsed:.1f}x" if elapsed >= _SPEED_FROM_SECONDS else ""
        self._progress.update(
            self._task,
            completed=self._bytes_done + at_work,
            count=f"{self._n_done}/{self._n_jobs} recordings",
            facts=f"{seconds / 3600:.2f} h{speed}",
        )


def _size(place: Place) -> int:
    """Bytes; 1 for what lies in another store, where each question takes its time: there all count the same."""
    if not isinstance(place, Path):
        return 1
    with suppress(OSError):
        return os.path.getsize(place)
    return 0
