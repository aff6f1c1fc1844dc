"""How far a work of many parts is, on standard error."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from concertclean.cli import console

Progress = Callable[[str, int, int], None]


@contextmanager
def bars(*, quiet: bool) -> Iterator[Progress]:
    """A bar for each kind of work: what, how many are done, of how many."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    from concertclean.cli.columns import DescriptionColumn

    columns = (DescriptionColumn(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    tasks = {}
    with Progress(*columns, console=console.err, disable=quiet or not console.err.is_terminal) as shown:

        def progress(what: str, done: int, total: int) -> None:
            console.end_if_asked()
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=total)
            shown.update(tasks[what], completed=done, total=total)

        yield progress
