"""Restores recordings on the machines of a Ray cluster: workers with their networks loaded once, one a core or a GPU.

This process hands out recordings and receives what became of them; bad ones come back like all others. A recording
whose worker died goes to whichever is free next, and a new worker takes the place of the dead one. Ray's own retries
are not used: they would keep a recording waiting until a lost machine returned, and hide which attempt may find, and
replace, the result of the one before. So every recording is done at least once, and appears once, under its name.
"""

import os
import secrets
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from concertclean import __version__
from concertclean.errors import ConcertCleanError, ConfigError, Stopped, UnexpectedError, WorkerError
from concertclean.files.parts import sweep_now
from concertclean.restore.batch import Job, Outcome
from concertclean.restore.execution import Outcomes, Work

_ATTEMPTS: Final = 3
_PATIENCE_SECONDS: Final = 10.0  # for what is at work to end without a result
_STORE_BYTES: Final = 100 << 20  # what travels is small
_QUIET: Final = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # deaths of workers, which Ray would print to standard output
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a warning about workers without a GPU
}
# Linux, too, then listens on the loopback address only.
_LOOPBACK: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


class Ray:
    """Recordings on a Ray cluster, which sees them and their results under the same paths.

    Args:
        address: of a cluster, "auto" for the one that runs on this machine; None: one is started for this run, which
            only this machine, and only this user, can reach.
        most: workers.
        cores: of each worker.
        gpus: whether workers take a GPU each, if the cluster has any.
        must_have_gpus: refuse a cluster without.
    """

    def __init__(
        self, address: str | None, *, most: int, cores: int = 1, gpus: bool = False, must_have_gpus: bool = False
    ) -> None:
        self._address, self._most, self._cores = address, most, cores
        self._gpus, self._must_have_gpus = gpus or must_have_gpus, must_have_gpus

    def outcomes(self, work: Work, jobs: Iterable[Job]) -> Outcomes:
        """See `Executor.outcomes`.

        Raises:
            ConfigError: Ray is not installed, no cluster answers, or it cannot run the work.
        """
        with connected(self._address) as ray:
            count, options = self._workers(ray.cluster_resources())
            yield from _Crew(ray, work, count, options).outcomes(jobs)

    def _workers(self, there_are: dict[str, float]) -> tuple[int, dict[str, Any]]:
        """How many workers, and what Ray reserves for each."""
        cluster = self._address or "this machine"
        n_gpus = int(there_are.get("GPU", 0)) if self._gpus else 0
        if self._must_have_gpus and not n_gpus:
            raise ConfigError(f"{cluster}: the Ray cluster has no GPU; choose the device auto or cpu")
        count = min(self._most, n_gpus or self._most, int(there_are.get("CPU", 0)) // self._cores)
        if not count:
            raise ConfigError(f"{cluster}: the Ray cluster has no {self._cores} cores for a worker; use fewer threads")
        return count, {"num_cpus": self._cores, "num_gpus": int(n_gpus > 0)}


class Worker:
    """What runs on a machine of the cluster.

    Args:
        work: does one recording.
        folder: from which relative paths count, if this machine has it.
    """

    def __init__(self, work: Work, folder: str) -> None:
        with suppress(OSError):
            os.chdir(folder)
        self._work = work

    def version(self) -> str:
        """Of the package on this machine."""
        return __version__

    def outcome(self, job: Job) -> Outcome | ConcertCleanError | None:
        """What became of a job, why none can be done, or None if it was stopped."""
        try:
            return self._work(job)
        except ConcertCleanError as error:
            return error
        except Stopped:
            return None

    def stop(self) -> None:
        """Lets the recording end that is at work, without a result."""
        self._work.stop()


@dataclass(frozen=True)
class _Attempt:
    """A job in the hands of a worker."""

    number: int
    job: Job
    worker: Any = None
    n_deaths: int = 0


class _Crew:
    """The workers of a run."""

    def __init__(self, ray: Any, work: Work, count: int, options: dict[str, Any]) -> None:
        self._ray, self._count = ray, count
        self._work = ray.put(work)
        # One thread for the work, one to stop it.
        self._remote = ray.remote(Worker).options(max_concurrency=2, **options)
        self._starting: dict[Any, Any] = {}
        self._running: dict[Any, _Attempt] = {}
        self._free: list[Any] = []
        self._again: deque[_Attempt] = deque()
        self._unswept: set[Path] = set()

    def outcomes(self, jobs: Iterable[Job]) -> Outcomes:
        """What became of each job, as soon as that is known."""
        waiting = (_Attempt(number, job) for number, job in enumerate(jobs))
        try:
            for _ in range(self._count):
                self._hire()
            while self._hand_out(waiting):
                (ended,), _ = self._ray.wait([*self._starting, *self._running], num_returns=1)
                if ended in self._starting:
                    self._welcome(ended)
                elif (outcome := self._received(ended)) is not None:
                    yield outcome
        finally:
            self._dismiss()

    def _hire(self) -> None:
        worker = self._remote.remote(self._work, os.getcwd())
        self._starting[worker.version.remote()] = worker

    def _welcome(self, ended: Any) -> None:
        """A worker has started."""
        worker = self._starting.pop(ended)
        try:
            version = self._ray.get(ended)
        except self._ray.exceptions.RayError as error:
            fact = str(error).strip().splitlines()[-1]
            raise ConfigError(
                f"a Ray worker cannot start ({fact}); install concertclean {__version__} on every machine"
            ) from error
        if version != __version__:
            raise ConfigError(
                f"a Ray worker has concertclean {version}, not {__version__}; install the same everywhere"
            )
        self._free.append(worker)

    def _hand_out(self, waiting: Iterator[_Attempt]) -> bool:
        """Gives every free worker a job; returns whether there is something to wait for."""
        while self._free:
            attempt = self._again.popleft() if self._again else next(waiting, None)
            if attempt is None:
                return bool(self._running)
            worker = self._free.pop()
            job = replace(attempt.job, replaces=attempt.job.replaces or attempt.n_deaths > 0)
            self._running[worker.outcome.remote(job)] = replace(attempt, worker=worker)
        return True

    def _received(self, ended: Any) -> tuple[int, Outcome] | None:
        """The outcome of a job; None if its worker died and another will do it."""
        attempt = self._running.pop(ended)
        job, exceptions = attempt.job, self._ray.exceptions
        try:
            found = self._ray.get(ended)
        except exceptions.RayTaskError as error:  # what the worker does not foresee
            fact = str(error).strip().splitlines()[-1]
            message = f"{job.source}: unexpected {fact}; this is a fault of concertclean, please report it"
            found = Outcome(job, "failed", error=UnexpectedError(message))
        except exceptions.RayError:
            return self._mourned(attempt)
        self._free.append(attempt.worker)
        if isinstance(found, Outcome):
            return attempt.number, replace(found, job=job)
        raise found or Stopped

    def _mourned(self, attempt: _Attempt) -> tuple[int, Outcome] | None:
        """Replaces a dead worker; its job is done again, or given up."""
        job, n_deaths = attempt.job, attempt.n_deaths + 1
        self._unswept |= _folders(job)
        self._ray.kill(attempt.worker)  # it may only have been out of reach
        self._hire()
        if n_deaths < _ATTEMPTS:
            self._again.append(replace(attempt, n_deaths=n_deaths))
            return None
        cure = "it needs more memory than there is, or breaks a library; restore it alone to see which"
        error = WorkerError(f"{job.source}: {n_deaths} worker processes died of it; {cure}")
        return attempt.number, Outcome(job, "failed", error=error)

    def _dismiss(self) -> None:
        """Ends all workers; what is at work leaves nothing behind."""
        at_work = [attempt.worker for attempt in self._running.values()]
        try:
            for worker in at_work:
                worker.stop.remote()
            if at_work:
                self._unswept.update(*(_folders(attempt.job) for attempt in self._running.values()))
                self._ray.wait([*self._running], num_returns=len(at_work), timeout=_PATIENCE_SECONDS)
        finally:
            for worker in (*at_work, *self._free, *self._starting.values()):
                self._ray.kill(worker)
            for folder in self._unswept:
                sweep_now(folder)


def _folders(job: Job) -> set[Path]:
    return {place.parent for place in (job.target, job.removed) if isinstance(place, Path)}


@contextmanager
def connected(address: str | None, *, cores: int | None = None) -> Iterator[Any]:
    """The module `ray`, connected to a cluster; to the one this process is connected to already, if there is one.

    Args:
        address: as for `Ray`.
        cores: that a cluster for this run offers; None: all.

    Raises:
        ConfigError: Ray is not installed, or no cluster answers.
    """
    ray = _imported(address)
    if ray.is_initialized():
        yield ray
        return
    alone: dict[str, Any] = {"num_cpus": cores, "include_dashboard": False, "object_store_memory": _STORE_BYTES}
    try:
        with _own_signals():
            ray.init(address or "local", log_to_driver=False, logging_level="ERROR", **({} if address else alone))
    except (OSError, RuntimeError, ValueError) as error:  # ConnectionError is an OSError
        fact = str(error).strip().splitlines()[0]
        cure = "start one with `ray start`, or leave the address out" if address else "see the logs of Ray"
        raise ConfigError(f"{address or 'this machine'}: no Ray cluster answers ({fact}); {cure}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _imported(address: str | None) -> Any:
    """The module `ray`, which reads its environment when it is imported."""
    os.environ.update(_QUIET)
    if address is None or address.startswith("127."):
        os.environ.update(_LOOPBACK)
    if address is None and os.environ.setdefault("RAY_AUTH_MODE", "token") == "token":
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # other users of this machine stay out
    try:
        import ray
    except ImportError as error:
        raise ConfigError(f"Ray cannot be loaded ({error}); pip install 'concertclean[ray]'") from error
    return ray


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keeps the handler of a request to end, which Ray replaces."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
