"""What a person sees while `concertclean denoise` runs, on standard error."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concertclean.cli import console
from concertclean.errors import ConcertCleanError

if TYPE_CHECKING:
    from concertclean.batch import Job, Outcome
    from concertclean.inference import Enhancer
    from concertclean.models.registry import LoadedModel


class Screen:
    """What a person sees while it runs, on standard error."""

    def __init__(self, *, quiet: bool, verbose: bool, bar: bool) -> None:
        self.quiet, self.verbose, self.bar = quiet, verbose, bar

    def progress(self, n_jobs: int) -> "ProgressBar":
        return ProgressBar(n_jobs, shown=self.bar)

    def fetching(self) -> "FetchBar":
        return FetchBar(shown=self.bar)

    def setup(self, weights: "LoadedModel", enhancer: "Enhancer") -> None:
        if self.verbose:
            console.note(f"model {weights.path.name}, sha256 {weights.sha256[:12]}…")
            console.note(f"device {enhancer.device}, {enhancer.precision}, {enhancer.threads} threads")

    def tell(self, outcome: "Outcome") -> None:
        if outcome.error is not None:
            console.complain(outcome.error)
        elif outcome.report is not None and not self.quiet:
            report = outcome.report
            console.err.print(f"{outcome.job.source} -> {outcome.job.target}", markup=False, soft_wrap=True)
            speed = report.seconds / report.elapsed_seconds if report.elapsed_seconds else 0
            console.note(
                f"  {report.seconds:.1f} s in {report.elapsed_seconds:.1f} s ({speed:.1f}x real time), "
                f"{report.reduction_db:.1f} dB removed on average, "
                f"{report.lufs_before:.1f} LUFS before, {report.lufs_after:.1f} after"
            )
            for warning in report.warnings:
                if self.verbose or not warning.startswith(("W102", "W104")):
                    console.note(f"  {warning}")
        elif not self.quiet:
            console.note(f"{outcome.job.target} exists: skipped")

    def failures(self, failed: "list[Outcome]") -> None:
        from rich.table import Table

        table = Table("recording", "what is wrong", title=f"{len(failed)} failed")
        for outcome in failed:
            table.add_row(str(outcome.job.source), str(outcome.error))
        console.err.print(table)


class ProgressBar:
    """One progress bar for the recording that is being done: speed and time left."""

    def __init__(self, n_jobs: int, *, shown: bool) -> None:
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
        self._n_jobs, self._number = n_jobs, 0
        self._source: Path | None = None
        self._task: Any = None

    def __enter__(self) -> "Callable[[Job, float], None]":
        self._progress.start()
        return self._advance

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _advance(self, job: "Job", seconds: float) -> None:
        if self._task is None or job.source != self._source:
            self._begin(job)
        task = self._progress.tasks[0] if self._progress.tasks else None
        speed = f"{seconds / task.elapsed:.1f}x" if task is not None and task.elapsed else ""
        self._progress.update(self._task, completed=seconds, speed=speed)

    def _begin(self, job: "Job") -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._source, self._number = job.source, self._number + 1
        count = f"{self._number}/{self._n_jobs} " if self._n_jobs > 1 else ""
        self._task = self._progress.add_task(count + job.source.name, total=_seconds_of(job.source), speed="")


class FetchBar:
    """Progress of a download, if there is one."""

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


def _seconds_of(path: Path) -> float | None:
    """Declared length, for the progress bar only."""
    from concertclean.audio_io.reader import AudioReader

    try:
        with AudioReader(path) as reader:
            return reader.info.duration_seconds
    except ConcertCleanError:
        return None
