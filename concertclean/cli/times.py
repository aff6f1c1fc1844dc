"""Options that take a time."""

from collections.abc import Callable

import typer

from concertclean.config.times import parse_time

METAVAR = "TIME"  # seconds, or m:ss


def time_parser(least: float = 0.0, most: float | None = None) -> Callable[[str], float]:
    """A parser of an option: seconds of "75", "1:15" or "0:01:15.5", in a range.

    Args:
        least: seconds.
        most: seconds; None: any.
    """

    def parse(text: str) -> float:
        try:
            seconds = parse_time(str(text))
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        if seconds < least or (most is not None and seconds > most):
            limits = f"{least:g} s or more" if most is None else f"between {least:g} and {most:g} s"
            raise typer.BadParameter(f"{text} must be {limits}")
        return seconds

    return parse
