"""Restores many recordings: several at once, reported in order, going on after a bad one.

What does the work is one callable, from a job to what became of it; an executor decides where it is called. Threads
suffice on one machine: networks, decoders and encoders run outside Python, and all recordings share one network.
"""

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import KW_ONLY, dataclass, fields, replace
from functools import partial
from typing import BinaryIO, Protocol

from concertclean.errors import ConcertCleanError, Stopped, foreseen
from concertclean.files import storage
from concertclean.files.places import Place
from concertclean.restore.batch import Job, Outcome
from concertclean.restore.results import Report

Progress = Callable[[Job, float], None]
Outcomes = Generator[tuple[int, Outcome]]


def _nothing(*_: object) -> None:
    """What nobody asked for; it travels, as a lambda does not."""


class Restores(Protocol):
    """What restores one recording from file to file."""

    def run(
        self,
        source: Place | BinaryIO,
        target: Place | BinaryIO,
        *,
        removed_target: Place | None = None,
        overwrite: bool = False,
        progress: Callable[[float], None] = ...,
        first_pass: Callable[[float], None] = ...,
    ) -> Report:
        """See `Denoiser.run`."""


@dataclass
class Work:
    """Restores one recording after the other, from any number of threads.

    Pickled, it is what it was made of: where it arrives, it makes what does the work again.

    Args:
        make: returns what does one recording; called once, when the first recording is known to be readable and its
            outputs to be free. What it raises ends the batch.
        overwrite: replace existing outputs; never the recording itself.
        skip_existing: leave recordings alone whose output exists. Where only what was removed exists, as after a run
            that was killed, it stays and the output is written.
        check: raises what is wrong with a recording; called until one is right, before `make`.
        progress: receives the job and how many seconds of it are done.
        first_pass: the same for the pass before, where a method needs one.
        is_hashed: add the hashes of recording and result to what became of a job.
    """

    make: Callable[[], Restores]
    _: KW_ONLY
    overwrite: bool
    skip_existing: bool
    check: Callable[[Place], object] = _nothing
    progress: Progress = _nothing
    first_pass: Progress = _nothing
    is_hashed: bool = False

    def __post_init__(self) -> None:
        self._made: Restores | None = None
        self._making = threading.Lock()
        self._is_stopping = False

    def __reduce__(self) -> tuple[object, ...]:
        return partial(Work, **{field.name: getattr(self, field.name) for field in fields(self)}), ()

    def __call__(self, job: Job) -> Outcome:
        """What became of a job.

        Raises:
            Stopped: it was asked to stop.
            ConcertCleanError: nothing can be made that does the work.
        """
        if self.skip_existing and not job.replaces and storage.exists(job.target):
            return Outcome(job, "skipped")
        removed = None if self.skip_existing and _exists(job.removed) else job.removed
        overwrite = self.overwrite or job.replaces
        with self._making:
            look = self.check if self._made is None and job.source_stream is None else None
            refused = _attempted(job, partial(_prepare, job, removed, look, overwrite=overwrite))
            if refused.error is not None:
                return refused
            self._made = made = self._made or self.make()
        hashes: list[str] = []

        def work() -> Report:
            report = made.run(
                job.source_stream or job.source,
                job.target_stream or job.target,
                removed_target=removed,
                overwrite=overwrite,
                progress=partial(self._advance, self.progress, job),
                first_pass=partial(self._advance, self.first_pass, job),
            )
            hashes.extend(map(storage.sha256_of, (job.source, job.target) if self.is_hashed else ()))
            return report

        outcome = _attempted(job, work)
        return replace(outcome, sha256=hashes[0], output_sha256=hashes[1]) if hashes else outcome

    def stop(self) -> None:
        """Lets recordings end that are at work, without a result."""
        self._is_stopping = True

    def _advance(self, progress: Progress, job: Job, seconds: float) -> None:
        if self._is_stopping:
            raise Stopped
        progress(job, seconds)


class Executor(Protocol):
    """Where the work is done."""

    def outcomes(self, work: Work, jobs: Iterable[Job]) -> Outcomes:
        """What became of each job, with its number, as soon as that is known; closed, it stops what is at work."""


class Serial:
    """One recording after the other, in this thread."""

    def outcomes(self, work: Work, jobs: Iterable[Job]) -> Outcomes:
        """See `Executor.outcomes`."""
        yield from enumerate(map(work, jobs))


class Threads:
    """Several recordings at once, in threads of this process.

    Args:
        count: recordings at once.
    """

    def __init__(self, count: int) -> None:
        self._count = count

    def outcomes(self, work: Work, jobs: Iterable[Job]) -> Outcomes:
        """See `Executor.outcomes`."""
        running: dict[Future[Outcome], int] = {}
        pool = ThreadPoolExecutor(self._count, "recording")
        try:
            for number, job in enumerate(jobs):
                running[pool.submit(work, job)] = number
                if len(running) > self._count:  # one more waits, so that no thread does
                    yield from _ended(running)
            while running:
                yield from _ended(running)
        finally:
            if running:
                work.stop()
            pool.shutdown(cancel_futures=True)


def run(
    jobs: Iterable[Job],
    work: Work,
    executor: Executor,
    *,
    begun: Callable[[Job], None] = lambda job: None,
    arrived: Callable[[Outcome], None] = lambda outcome: None,
) -> Iterator[Outcome]:
    """Restores the recordings; after a bad one the rest go on.

    Args:
        jobs: from `batch.plan`.
        work: does one.
        executor: where.
        begun: receives each job before anybody works on it.
        arrived: receives each outcome at once, in the order in which the recordings are done.

    Yields:
        One outcome a job, in the order of the jobs.
    """
    waiting: dict[int, Outcome] = {}
    n_given = 0

    def beginning() -> Iterator[Job]:
        for job in jobs:
            begun(job)
            yield job

    outcomes = executor.outcomes(work, beginning())
    try:
        for number, outcome in outcomes:
            arrived(outcome)
            waiting[number] = outcome
            while n_given in waiting:
                yield waiting.pop(n_given)
                n_given += 1
    finally:
        outcomes.close()  # what is at work has ended before the caller goes on


def _ended(running: dict[Future[Outcome], int]) -> Outcomes:
    """Takes what has ended out of what is running; waits for it."""
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        number = running.pop(future)
        yield number, future.result()


def _attempted(job: Job, work: Callable[[], Report | None]) -> Outcome:
    """What became of a job; whatever goes wrong stays with it."""
    try:
        with foreseen(job.source):
            report = work()
    except ConcertCleanError as error:
        return Outcome(job, "failed", error=error)
    return Outcome(job, "done", report)


def _exists(place: Place | None) -> bool:
    return place is not None and storage.exists(place)


def _prepare(job: Job, removed: Place | None, check: Callable[[Place], object] | None, *, overwrite: bool) -> None:
    """Refuse what cannot end well before seconds go into a network; make the folder of the output."""
    if job.target_stream is None:
        for path in (job.target, removed):
            if path is not None and not overwrite:
                storage.refuse_existing(path)
    if check is not None:
        check(job.source)
    if job.target_stream is None:
        storage.make_folder_of(job.target)
