"""What a person sees while `concertclean train` runs, on standard error, and what TensorBoard gets."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from concertclean.cli import console
from concertclean.errors import ConfigError

if TYPE_CHECKING:
    from concertclean.config.training import Recipe

Show = Callable[[dict[str, Any]], None]


class TrainingScreen:
    """What a person sees of a run: a bar, and a line at each validation; a context manager.

    Args:
        settings: of the run.
        quiet: show nothing.
    """

    def __init__(self, settings: "Recipe", *, quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from concertclean.cli.columns import DescriptionColumn

        self._quiet, self._is_terminal = quiet, console.err.is_terminal
        self._progress = Progress(
            DescriptionColumn(),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            TimeRemainingColumn(),
            console=console.err,
            disable=quiet or not self._is_terminal,
        )
        self._task = self._progress.add_task(settings.name, total=settings.run.steps, state="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def line(self, line: dict[str, Any]) -> None:
        """Takes a line of the log."""
        if self._quiet:
            return
        if "validation" in line or "skipped" in line:
            console.note(f"step {line['step']}: {_in_words(line.get('validation', line))}")
        elif not self._is_terminal:
            console.note(f"step {line['step']}: {_in_words(line)}")
        if "loss" in line:
            self._progress.update(self._task, completed=line["step"], state=f"loss {line['loss']:.3f}")


def _in_words(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
        if name != "step"
    )


def with_board(show: Show, folder: Path) -> Show:
    """Lines of the log to `show`, and their numbers to TensorBoard in the folder of the run.

    Raises:
        ConfigError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError("--tensorboard needs the package: pip install 'concertclean[train]'") from error
    board = SummaryWriter(folder / "tensorboard")

    def tell_both(line: dict[str, Any]) -> None:
        show(line)
        values = {**line, **line.get("validation", {})}
        for name, value in values.items():
            if name != "step" and isinstance(value, int | float):
                board.add_scalar(name, value, line["step"])

    return tell_both
