"""What a person sees while `concertclean denoise` runs, on standard error."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concertclean.cli import console
from concertclean.cli.bar import Bar
from concertclean.cli.batch_bar import BatchBar
from concertclean.config.times import in_words
from concertclean.errors import ConcertCleanError, OutputExistsError, UnexpectedError
from concertclean.files.places import Place

if TYPE_CHECKING:
    from concertclean.config.denoise import DenoiseSettings
    from concertclean.restore.batch import Job, Outcome
    from concertclean.restore.build import Restorer
    from concertclean.restore.results import Report

_SPEED_FROM_SECONDS = 2.0  # before, a speed is chance


class Screen:
    """Remarks, results and progress, as far as they are asked for.

    Args:
        settings: of the run.
        jobs: the recordings.
        quiet: errors only.
        verbose: everything.
        bar: show progress.
    """

    def __init__(
        self, settings: "DenoiseSettings", jobs: "Sequence[Job]", *, quiet: bool, verbose: bool, bar: bool
    ) -> None:
        self._quiet, self._verbose = quiet, verbose
        is_shown = bar and console.err.is_terminal  # in a log a bar is only empty lines
        self.bar: BatchBar | ProgressBar = (
            BatchBar(jobs, shown=is_shown) if len(jobs) > 1 else ProgressBar(settings, shown=is_shown)
        )
        self._begin = time.perf_counter()

    @contextmanager
    def fetching(self) -> Iterator[Callable[[int, int | None], None]]:
        """A bar for a download that may come, to be entered."""
        with self.bar.paused(), FetchBar(shown=self.bar.shown) as bar:
            yield bar.advance

    def note(self, message: str) -> None:
        """A remark."""
        if not self._quiet:
            console.note(message)

    def built(self, restorer: "Restorer") -> None:
        """What the work is done with, in which order."""
        if not self._verbose:
            return
        for network in restorer.networks:
            weights, enhancer = network.weights, network.enhancer
            self.note(f"model {weights.path.name}, sha256 {weights.sha256[:12]}…")
            self.note(
                f"{enhancer.engine.name}, device {enhancer.device}, {enhancer.precision}, {enhancer.threads} threads"
            )
        if restorer.stages:
            self.note(f"stages {', '.join(restorer.stages)}")

    def show(self, outcome: "Outcome") -> None:
        """The result of a recording."""
        source, target = stream_name(outcome.job.source, "input"), stream_name(outcome.job.target, "output")
        if outcome.error is not None:
            self._complain(outcome.error)
        elif outcome.report is None:
            self.note(f"{target} exists: skipped")
        else:
            self.note(f"{source} -> {target}")
            if self._verbose and (found := outcome.report.diagnosis) is not None:
                chosen = f"--model {found['model']}" if found["model"] else "left alone"
                self.note(f"  found {found['scene']}: {found['reason']}; {chosen}")
            self.note(f"  {_summary(outcome.report)}")
            for warning in outcome.report.warnings:
                if self._verbose or not warning.startswith(("W102", "W104")):
                    self.note(f"  {warning}")

    def _complain(self, error: ConcertCleanError) -> None:
        if isinstance(error, UnexpectedError):
            console.complain_of_fault(error, verbose=self._verbose)
        elif isinstance(error, OutputExistsError):
            console.complain(f"{error}: --overwrite replaces it, --skip-existing leaves such recordings out")
        else:
            console.complain(error)

    def total(self, outcomes: "Sequence[Outcome]", n_failed: int, n_before: int = 0) -> None:
        """A line about a batch that is over.

        Args:
            outcomes: of all recordings.
            n_failed: of them and of everything else that was to be done.
            n_before: recordings that were done before.
        """
        counts = Counter(outcome.status for outcome in outcomes)
        n_skipped = counts["skipped"] + n_before
        parts = [f"{counts['done']} restored", f"{n_skipped} skipped", f"{n_failed} failed"]
        if not n_skipped:
            del parts[1]
        elapsed = time.perf_counter() - self._begin
        seconds = sum(outcome.report.seconds for outcome in outcomes if outcome.report is not None)
        speed = f" ({seconds / elapsed:.0f} x real time)" if seconds else ""
        self.note(f"{', '.join(parts)} in {in_words(elapsed)}{speed}")


def stream_name(path: Place, kind: str) -> str:
    """What a person calls a path; "-" is "standard input" or "standard output"."""
    return f"standard {kind}" if str(path) == console.STREAM else str(path)


def _summary(report: "Report") -> str:
    """Time, reduction and loudness in one line."""
    speed = report.seconds / report.elapsed_seconds if report.elapsed_seconds else 0.0
    return (
        f"{report.seconds:.1f} s in {report.elapsed_seconds:.1f} s ({speed:.1f}x real time), "
        f"{report.reduction_db:.1f} dB removed on average, "
        f"{_lufs(report.lufs_before)} before, {_lufs(report.lufs_after)} after"
    )


def _lufs(value: float) -> str:
    """A loudness; what is silent, or shorter than 0.4 s, has none."""
    return f"{value:.1f} LUFS" if math.isfinite(value) else "no loudness"


class ProgressBar(Bar):
    """One progress bar for the recording that is being done: speed and time left; a context manager.

    Until the first block is done it says that the model is loaded. A method that needs a pass over the recording
    before it works gets a bar for that, which says so.

    Args:
        settings: of the run.
        shown: whether there is anything to see.
    """

    def __init__(self, settings: "DenoiseSettings", *, shown: bool) -> None:
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

        from concertclean.cli.columns import DescriptionColumn

        speed = TextColumn("{task.fields[speed]}")
        super().__init__(
            DescriptionColumn(), BarColumn(), TaskProgressColumn(), speed, TimeRemainingColumn(), shown=shown
        )
        self._settings = settings
        self._current: tuple[Place, str] | None = None
        self._task: Any = self._progress.add_task("loading model", total=None, speed="")

    def ended(self, outcome: "Outcome") -> None:
        """Takes what became of the recording."""

    def advance(self, job: "Job", seconds: float) -> None:
        """Shows how many seconds of a recording are done."""
        self._advance(job, seconds, "")

    def advance_first_pass(self, job: "Job", seconds: float) -> None:
        """Shows how many seconds of a recording have been surveyed."""
        self._advance(job, seconds, "first pass over ")

    def _advance(self, job: "Job", seconds: float, what: str) -> None:
        console.end_if_asked()
        if not self.shown:
            return
        if self._current != (job.source, what):
            self._begin(job, what)
        elapsed = self._progress.tasks[0].elapsed or 0.0
        speed = f"{seconds / elapsed:.1f}x" if elapsed >= _SPEED_FROM_SECONDS else ""
        self._progress.update(self._task, completed=seconds, speed=speed)

    def _begin(self, job: "Job", what: str) -> None:
        self._progress.remove_task(self._task)
        self._current = (job.source, what)
        name = what + stream_name(Path(job.source.name), "input")
        self._task = self._progress.add_task(name, total=_seconds_of(job, self._settings), speed="")


class FetchBar(Bar):
    """Progress of a download, if there is one; a context manager.

    Args:
        shown: whether there is anything to see.
    """

    def __init__(self, *, shown: bool) -> None:
        from rich.progress import BarColumn, DownloadColumn, TextColumn

        super().__init__(TextColumn("fetching weights"), BarColumn(), DownloadColumn(), shown=shown)
        self._task: Any = None

    def advance(self, done: int, total: int | None) -> None:
        """Shows how many bytes of how many have arrived."""
        console.end_if_asked()
        if self._task is None:
            self._task = self._progress.add_task("", total=total)
        self._progress.update(self._task, completed=done, total=total)


def _seconds_of(job: "Job", settings: "DenoiseSettings") -> float | None:
    """Declared length of what is processed, for the progress bar only."""
    if job.source_stream is not None:
        return settings.duration_seconds
    from concertclean.audio_io.reader import AudioReader

    try:
        with AudioReader(job.source, audio_stream=settings.audio_stream) as reader:
            declared = reader.info.duration_seconds
    except ConcertCleanError:
        declared = None
    return settings.processed_seconds(declared)
