"""What a person sees while `concertclean denoise` runs, on standard error."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from concertclean.cli import console
from concertclean.errors import ConcertCleanError

if TYPE_CHECKING:
    from concertclean.config.denoise import DenoiseSettings
    from concertclean.restore.batch import Job, Outcome
    from concertclean.restore.build import Restorer
    from concertclean.restore.results import Report


class Screen:
    """Remarks, results and progress, as far as they are asked for.

    Args:
        settings: of the run.
        quiet: errors only.
        verbose: everything.
        bar: show progress.
    """

    def __init__(self, settings: "DenoiseSettings", *, quiet: bool, verbose: bool, bar: bool) -> None:
        self._settings, self._quiet, self._verbose = settings, quiet, verbose
        self._bar = bar and console.err.is_terminal  # in a log a bar is only empty lines

    def progress(self, n_jobs: int) -> "ProgressBar":
        """A bar for the jobs, to be entered."""
        return ProgressBar(n_jobs, self._settings, shown=self._bar)

    def fetching(self) -> "FetchBar":
        """A bar for a download that may come, to be entered."""
        return FetchBar(shown=self._bar)

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
            self.note(f"device {enhancer.device}, {enhancer.precision}, {enhancer.threads} threads")
        if restorer.stages:
            self.note(f"stages {', '.join(restorer.stages)}")

    def show(self, outcome: "Outcome") -> None:
        """The result of a recording."""
        if outcome.error is not None:
            console.complain(outcome.error)
        elif outcome.report is None:
            self.note(f"{outcome.job.target} exists: skipped")
        else:
            self.note(f"{outcome.job.source} -> {outcome.job.target}")
            if self._verbose and (found := outcome.report.diagnosis) is not None:
                chosen = f"--model {found['model']}" if found["model"] else "left alone"
                self.note(f"  found {found['scene']}: {found['reason']}; {chosen}")
            self.note(f"  {_summary(outcome.report)}")
            for warning in outcome.report.warnings:
                if self._verbose or not warning.startswith(("W102", "W104")):
                    self.note(f"  {warning}")

    def failures(self, outcomes: "list[Outcome]") -> None:
        """A table of what failed, if anything did."""
        from rich.table import Table
        from rich.text import Text

        failed = [outcome for outcome in outcomes if outcome.error is not None]
        if not failed:
            return
        table = Table("recording", "what is wrong", title=f"{len(failed)} of {len(outcomes)} failed")
        for outcome in failed:
            table.add_row(Text(str(outcome.job.source)), Text(str(outcome.error)))
        console.err.print(table)


def _summary(report: "Report") -> str:
    """Time, reduction and loudness in one line."""
    speed = report.seconds / report.elapsed_seconds if report.elapsed_seconds else 0.0
    return (
        f"{report.seconds:.1f} s in {report.elapsed_seconds:.1f} s ({speed:.1f}x real time), "
        f"{report.reduction_db:.1f} dB removed on average, "
        f"{report.lufs_before:.1f} LUFS before, {report.lufs_after:.1f} after"
    )


class ProgressBar:
    """One progress bar for the recording that is being done: speed and time left; a context manager.

    A method that needs a pass over the recording before it works gets a bar for that, which says so.

    Args:
        n_jobs: number of recordings.
        settings: of the run.
        shown: whether there is anything to see.
    """

    def __init__(self, n_jobs: int, settings: "DenoiseSettings", *, shown: bool) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=console.err,
            transient=True,
            disable=not shown,
        )
        self._n_jobs, self._settings, self._number = n_jobs, settings, 0
        self._shown: tuple[Path, str] | None = None
        self._source: Path | None = None
        self._task: Any = None

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, job: "Job", seconds: float) -> None:
        """Shows how many seconds of a recording are done."""
        self._advance(job, seconds, "")

    def advance_first_pass(self, job: "Job", seconds: float) -> None:
        """Shows how many seconds of a recording have been surveyed."""
        self._advance(job, seconds, "first pass over ")

    def _advance(self, job: "Job", seconds: float, what: str) -> None:
        console.end_if_asked()
        if self._progress.disable:
            return
        if self._shown != (job.source, what):
            self._begin(job, what)
        task = self._progress.tasks[0] if self._progress.tasks else None
        speed = f"{seconds / task.elapsed:.1f}x" if task is not None and task.elapsed else ""
        self._progress.update(self._task, completed=seconds, speed=speed)

    def _begin(self, job: "Job", what: str) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._number += job.source != self._source
        self._source, self._shown = job.source, (job.source, what)
        count = f"{self._number}/{self._n_jobs} " if self._n_jobs > 1 else ""
        total = _seconds_of(job.source, self._settings)
        self._task = self._progress.add_task(count + what + job.source.name, total=total, speed="")


class FetchBar:
    """Progress of a download, if there is one; a context manager.

    Args:
        shown: whether there is anything to see.
    """

    def __init__(self, *, shown: bool) -> None:
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

        columns = (TextColumn("fetching weights"), BarColumn(), DownloadColumn())
        self._progress = Progress(*columns, console=console.err, transient=True, disable=not shown)
        self._task: Any = None

    def __enter__(self) -> Callable[[int, int | None], None]:
        self._progress.start()
        return self._advance

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _advance(self, done: int, total: int | None) -> None:
        if self._task is None:
            self._task = self._progress.add_task("", total=total)
        self._progress.update(self._task, completed=done, total=total)


def _seconds_of(path: Path, settings: "DenoiseSettings") -> float | None:
    """Declared length of what is processed, for the progress bar only."""
    from concertclean.audio_io.reader import AudioReader

    try:
        with AudioReader(path, audio_stream=settings.audio_stream) as reader:
            declared = reader.info.duration_seconds
    except ConcertCleanError:
        declared = None
    if declared is None:
        return settings.duration_seconds
    left = max(0.0, declared - settings.start_seconds)
    return left if settings.duration_seconds is None else min(left, settings.duration_seconds)
