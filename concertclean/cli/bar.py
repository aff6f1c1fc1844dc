"""What all progress bars have in common: they are drawn on standard error, leave nothing behind, and can be paused."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from concertclean.cli import console

if TYPE_CHECKING:
    from rich.progress import ProgressColumn


class Bar:
    """A progress bar; a context manager.

    Args:
        columns: what is drawn.
        shown: whether there is anything to see.
    """

    def __init__(self, *columns: "ProgressColumn", shown: bool) -> None:
        from rich.progress import Progress

        self.shown = shown
        self._progress = Progress(*columns, console=console.err, transient=True, disable=not shown)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves the terminal to another bar."""
        was_started = self._progress.live.is_started
        self._progress.stop()
        yield
        if was_started:
            self._progress.start()
