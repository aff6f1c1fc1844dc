"""A run of `concertclean denoise` over its recordings: what is at work, what is reported, what is noted."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from concertclean.cli import console
from concertclean.cli.engine import Engine
from concertclean.cli.screen import Screen
from concertclean.cli.sink import Sink
from concertclean.errors import ConcertCleanError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from concertclean.restore.batch import Job, Outcome
    from concertclean.restore.manifest import Manifest


@dataclass(frozen=True)
class BatchRun:
    """What a run does with its recordings.

    Attributes:
        engine: where it restores.
        screen: for people.
        sink: for programs.
        manifest: notes every recording; None: nothing does.
        overwrite, skip_existing: what happens where a result exists.
    """

    engine: Engine
    screen: Screen
    sink: Sink
    manifest: "Manifest | None"
    overwrite: bool = field(kw_only=True)
    skip_existing: bool = field(kw_only=True)

    def restore(self, jobs: "Sequence[Job]", *, verify: bool) -> list[ConcertCleanError]:
        """Restores what is left to do and reports each as it comes; returns what went wrong.

        Args:
            jobs: of the whole batch.
            verify: compare with the manifest by hashes.
        """
        left = jobs if self.manifest is None else self.manifest.left(jobs, verify=verify)
        reported: list[Outcome] = []
        try:
            for outcome in self._outcomes(left):
                self.screen.show(outcome)
                self.sink.add(outcome)
                reported.append(outcome)
        except (KeyboardInterrupt, SystemExit):
            cure = "run the same command again" if len(jobs) == 1 else self._how_to_go_on
            done = f"{len(reported)} of {len(left)} done"
            console.complain(f"interrupted, {done}; unfinished files were removed; {cure}")
            raise
        failed = [outcome.error for outcome in reported if outcome.error is not None]
        if len(jobs) > 1 or len(left) < len(jobs):
            self.screen.total(reported, len(failed), len(jobs) - len(left))
        return failed if self.sink.failure is None else [*failed, self.sink.failure]

    @property
    def _how_to_go_on(self) -> str:
        option = "" if self.manifest is not None else " with --skip-existing"
        return f"the same command{option} does the rest"

    def _outcomes(self, jobs: "Sequence[Job]") -> "Iterator[Outcome]":
        """Outcomes of the jobs in order; the manifest notes them at once."""
        from concertclean.restore.execution import run

        def arrived(outcome: "Outcome") -> None:
            if self.manifest is not None:
                self.manifest.add(outcome)
            self.screen.bar.ended(outcome)

        work = self.engine.work(
            self.screen,
            overwrite=self.overwrite,
            skip_existing=self.skip_existing,
            is_hashed=self.manifest is not None,
        )
        begun = (lambda job: None) if self.manifest is None else self.manifest.begin
        with self.screen.bar:
            yield from run(jobs, work, self.engine.executor(len(jobs)), begun=begun, arrived=arrived)
