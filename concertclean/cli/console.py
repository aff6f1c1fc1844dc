"""What every command shares with the terminal: where text goes, and which number the program ends with.

Data goes to standard output, everything else to standard error.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from rich.console import Console

from concertclean.errors import (
    AudioFileError,
    ConcertCleanError,
    ConfigError,
    DeviceMemoryError,
    ModelError,
    NoInputError,
    OfflineError,
    OutputError,
)

SOME_FAILED = 3

# Most special first: the first match decides.
_EXIT_CODES: tuple[tuple[type[ConcertCleanError], int], ...] = (
    (ConfigError, 2),
    (NoInputError, 4),
    (AudioFileError, 5),
    (OfflineError, 7),
    (ModelError, 6),
    (DeviceMemoryError, 8),
    (OutputError, 9),
)

err = Console(stderr=True, highlight=False)


def exit_code(error: BaseException) -> int:
    """Documented exit code of an error; 1 for what nobody foresaw."""
    return next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 1)


def complain(error: BaseException | str) -> None:
    """Prints an error to standard error."""
    err.print("[bold red]error:[/]", end=" ")
    err.print(str(error), markup=False, soft_wrap=True)


def note(message: str) -> None:
    """Prints a remark to standard error."""
    err.print(message, markup=False, style="dim", soft_wrap=True)


def say(text: str) -> None:
    """Prints a line of data to standard output, as it is."""
    sys.stdout.write(text + "\n")


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Lets a request to end unwind the program, so that no unfinished file stays, with 128 + its number.

    Ctrl-C does so anyway. A closed terminal is ignored where it was ignored before, as under nohup.
    """

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    wanted = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in wanted}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
