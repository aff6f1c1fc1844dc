"""The queue: one thread that does the waiting jobs in the order in which they came."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from concertclean.errors import ConcertCleanError, Stopped, foreseen
from concertclean.serve.jobs import Job
from concertclean.serve.workplace import Workplace


@dataclass(frozen=True)
class Progress:
    """How far the job at work is.

    Attributes:
        step: what is being done, in words.
        share: of the step that is done, 0 to 1; None where that is not known.
        seconds_left: in the step; None where that is not known.
    """

    step: str
    share: float | None = None
    seconds_left: float | None = None


class Monitor:
    """How a job reports where it is, and learns that it is to end."""

    def __init__(self) -> None:
        self.progress = Progress("Starting")
        self.is_cancelled = self.is_stopping = False
        self._begin = time.monotonic()

    def step(self, words: str) -> None:
        """Begins the next step.

        Raises:
            Stopped: the job is to end.
        """
        self.check()
        self._begin, self.progress = time.monotonic(), Progress(words)

    def advance(self, done: float, total: float | None) -> None:
        """Reports how much of a step is done; the unit does not matter.

        Raises:
            Stopped: the job is to end.
        """
        self.check()
        if total and done > 0:
            share = min(1.0, done / total)
            elapsed = time.monotonic() - self._begin
            self.progress = Progress(self.progress.step, share, elapsed * (1 / share - 1))

    def check(self) -> None:
        """Raises `Stopped` if the job is to end."""
        if self.is_cancelled or self.is_stopping:
            raise Stopped


Work = Callable[[Workplace, Job, Monitor], dict[str, Any]]


class Worker:
    """Does the jobs of a working folder in a thread of its own.

    Args:
        place: the working folder.
        work: does a job and returns the fields of it that change.
    """

    def __init__(self, place: Workplace, work: Work) -> None:
        self._place, self._work = place, work
        self._condition = threading.Condition()
        self._is_stopping = False
        self._current: tuple[str, Monitor] | None = None
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Begins with what waits."""
        self._thread.start()

    def wake(self) -> None:
        """Looks for jobs that wait."""
        with self._condition:
            self._condition.notify()

    def stop(self) -> None:
        """Ends; a job at work starts over when a server works here again."""
        with self._condition:
            self._is_stopping = True
            if self._current is not None:
                self._current[1].is_stopping = True
            self._condition.notify()
        self._thread.join()

    def progress(self, name: str) -> Progress | None:
        """How far a job is; None unless it is at work."""
        with self._condition:
            return self._current[1].progress if self._current is not None and self._current[0] == name else None

    def cancel(self, name: str) -> Job:
        """Cancels a job that waits or is at work; the latter ends within moments.

        Raises:
            RefusalError: there is no such job, or it has ended.
        """
        with self._condition:
            if self._current is not None and self._current[0] == name:
                self._current[1].is_cancelled = True
                return self._place.job(name)
            return self._place.change(name, {"waiting"}, state="cancelled")

    def _run(self) -> None:
        while (found := self._next()) is not None:
            job, monitor = found
            values = self._outcome(job, monitor)
            with self._condition:
                self._current = None
                if values:
                    self._place.note(job.id, **values)

    def _next(self) -> tuple[Job, Monitor] | None:
        """The next job, once there is one; None to end."""
        with self._condition:
            while not self._is_stopping:
                waiting = next((job for job in self._place.jobs() if job.state == "waiting"), None)
                if waiting is not None:
                    monitor = Monitor()
                    self._current = (waiting.id, monitor)
                    return self._place.note(waiting.id, state="running", error=None), monitor
                self._condition.wait()
        return None

    def _outcome(self, job: Job, monitor: Monitor) -> dict[str, Any]:
        """What a job becomes; nothing where it is to start over."""
        try:
            with foreseen(job.name):
                return {**self._work(self._place, job, monitor), "state": "done"}
        except Stopped:
            return {"state": "cancelled"} if monitor.is_cancelled else {}
        except ConcertCleanError as error:
            return {"state": "failed", "error": str(error)}
