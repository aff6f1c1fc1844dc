"""Processes that run cases and are watched: how long each takes, its memory, what it prints and where it writes."""

import faulthandler
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection, forkserver, get_context
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from concertclean.errors import UnexpectedError
from tests.fuzz.cases import Case

SECONDS: Final = 20.0
GIGABYTE: Final = 10**9
_REFUSED_BYTES: Final = 3 * GIGABYTE  # no more than this is ever given to a case, so that the machine survives it
_LONGEST_REASON: Final = 6000  # characters of a traceback or of what was printed
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

Work = Callable[[Case, Path], str]


@dataclass(frozen=True)
class Result:
    """What became of a case: "done", or "refused" or "failed" with the reason."""

    case: Case
    status: str
    reason: str = ""
    seconds: float = 0.0


@dataclass
class _Watch:
    """What a worker wrote outside of its folder."""

    folder: Path
    strays: list[str] = field(default_factory=list)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        # Deep inside a recursion there is no room for a look, and nothing is written either.
        with suppress(RecursionError):
            self._look(event, arguments)

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                return
            paths: Sequence[Any] = [path]
        elif event in ("os.rename", "os.link", "os.symlink"):
            paths = arguments[:2]
        elif event in ("os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod"):
            paths = arguments[:1]
        else:
            return
        for path in paths:
            if not isinstance(path, str | bytes | os.PathLike):  # a descriptor, which was opened before
                continue
            real = os.path.realpath(os.fsdecode(path))
            if not real.startswith((f"{self.folder}{os.sep}", "/dev/")):
                self.strays.append(f"{event} {real}")


def run_cases(
    cases: Iterator[Case], work: Work, *, folder: Path, n_workers: int, seconds: float = SECONDS
) -> Iterator[Result]:
    """Results as they come.

    Args:
        cases: to run.
        work: runs one in an empty folder; a function of a module.
        folder: for the workers; what cases write stays in it.
        n_workers: processes.
        seconds: that a case may take.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(["tests.fuzz.jobs", "torch", "tests.fuzz.workers"])
    with patch.dict(os.environ, dict.fromkeys(_THREADS, "1")):  # libraries count cores when they are loaded
        forkserver.ensure_running()
    workers: dict[Any, _Worker] = {}
    n_started = 0
    try:
        while True:
            while len(workers) < n_workers and (case := next(cases, None)) is not None:
                n_started += 1
                worker = _Worker(context, folder / f"w{n_started}", work, seconds)
                workers[worker.pipe] = worker
                worker.give(case)
            if not workers:
                return
            for pipe in connection.wait(list(workers), timeout=1.0):
                worker = workers[pipe]
                result = worker.result()
                yield result
                further = next(cases, None) if worker.is_fit else None
                if further is None:
                    workers.pop(pipe).end()
                else:
                    worker.give(further)
    finally:
        for worker in workers.values():
            worker.end()


class _Worker:
    """One process, and the case it works on."""

    def __init__(self, context: Any, folder: Path, work: Work, seconds: float) -> None:
        folder.mkdir(parents=True)
        self._folder = folder.resolve()
        self.pipe, far = context.Pipe()
        self._process = context.Process(target=_serve, args=(far, self._folder, work, seconds), daemon=True)
        self._process.start()
        far.close()
        self._case: Case | None = None
        self._begin = 0.0
        self.is_fit = True

    def give(self, case: Case) -> None:
        self._case, self._begin = case, time.monotonic()
        self.pipe.send(case)

    def result(self) -> Result:
        """Of the case; a dead process is a result, too, and does not work any more."""
        assert self._case is not None
        seconds = time.monotonic() - self._begin
        try:
            status, reason, self.is_fit = self.pipe.recv()
        except (EOFError, ConnectionError):
            self._process.join(10)
            self.is_fit = False
            log = (self._folder / "log").read_text(encoding="utf-8", errors="replace")[-_LONGEST_REASON:]
            return Result(self._case, "failed", f"the process ended with {self._process.exitcode}\n{log}", seconds)
        return Result(self._case, status, reason, seconds)

    def end(self) -> None:
        self.pipe.close()
        self._process.join(1)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        shutil.rmtree(self._folder, ignore_errors=True)


def _serve(pipe: Any, folder: Path, work: Work, seconds: float) -> None:
    """Runs cases until the pipe is closed."""
    import torch

    torch.set_num_threads(1)
    log = os.open(folder / "log", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(log, descriptor)
    faulthandler.enable()
    scratch = folder / "tmp"
    scratch.mkdir()
    tempfile.tempdir = str(scratch)
    sys.dont_write_bytecode = True
    os.environ |= {"TMPDIR": str(scratch), "CONCERTCLEAN_CONFIG_DIR": str(folder / "none")}
    os.environ |= {"CONCERTCLEAN_MODEL_DIR": str(folder / "none"), "HF_HUB_OFFLINE": "1"}
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "cache")  # torch makes it when it likes
    os.chdir(scratch)
    watch = _Watch(folder)
    sys.addaudithook(watch)
    _limit_memory()
    while True:
        try:
            case = pipe.recv()
        except EOFError:
            return
        faulthandler.dump_traceback_later(seconds, exit=True)
        result = _watched(case, work, folder, watch)
        faulthandler.cancel_dump_traceback_later()
        pipe.send(result)


def _watched(case: Case, work: Work, folder: Path, watch: _Watch) -> tuple[str, str, bool]:
    """Status, reason, and whether the process can go on."""
    n_printed, begin, limit = (folder / "log").stat().st_size, _now_bytes(), _peak_bytes()
    own = folder / "case"
    own.mkdir()
    refusal, reasons = "", []
    try:
        refusal = work(case, own)
    except Exception as error:  # noqa: BLE001 - which it is, is the result
        cause = error.__cause__ if isinstance(error, UnexpectedError) and error.__cause__ else error
        reasons.append("".join(traceback.format_exception(cause)))
    peak = _peak_bytes()
    if peak > limit and peak - begin > GIGABYTE:
        reasons.append(f"took {(peak - begin) / GIGABYTE:.1f} GB")
    if printed := (folder / "log").read_bytes()[n_printed:]:
        reasons.append(f"printed {printed.decode(errors='replace')}")
    reasons += [f"wrote outside of its folder: {stray}" for stray in watch.strays]
    watch.strays.clear()
    shutil.rmtree(own, ignore_errors=True)
    left = {path.name for path in (*folder.iterdir(), *(folder / "tmp").iterdir())} - {"log", "tmp", "cache"}
    if left:
        reasons.append(f"left over: {sorted(left)}")
    if reasons:
        return "failed", "\n".join(reason[-_LONGEST_REASON:] for reason in reasons), False
    return "refused" if refusal else "done", refusal, True


def _peak_bytes() -> int:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _now_bytes() -> int:
    """Resident now; on systems without /proc, the most so far."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return _peak_bytes()


def _limit_memory() -> None:
    """Requests beyond any sense fail, so that they are reported and the machine survives."""
    import resource

    try:
        now = int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return
    resource.setrlimit(resource.RLIMIT_DATA, (now + _REFUSED_BYTES, resource.RLIM_INFINITY))
