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
    MetricError,
    ModelError,
    NoInputError,
    OfflineError,
    OutputError,
    TracksError,
)

SOME_FAILED = 3

# Most special first: the first match decides.
_EXIT_CODES: tuple[tuple[type[ConcertCleanError], int], ...] = (
    (ConfigError, 2),
    (MetricError, 2),
    (TracksError, 2),
    (NoInputError, 4),
    (AudioFileError, 5),
    (OfflineError, 7),
    (ModelError, 6),
    (DeviceMemoryError, 8),
    (OutputError, 9),
)

err = Console(stderr=True, highlight=False)


def exit_code(error: BaseException) -> int:
    """Documented exit code of an error; 1 for anything unexpected."""
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


_signals: list[int] = []  # that came while a command was at work


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Lets Ctrl-C or a request to end unwind the program, so that no unfinished file stays, with 128 + the signal.

    A closed terminal is ignored where it was ignored before, as under nohup. A signal that arrives while libsndfile
    is calling back waits for `end_if_asked`: an exception would be lost there, and the work would go on.
    """

    def end(number: int, frame: FrameType | None) -> None:
        _signals.append(number)
        if not _is_called_by_sndfile(frame):
            end_if_asked()

    handled = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in handled}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield
    finally:
        _signals.clear()
        for number, handler in before.items():
            signal.signal(number, handler)


def end_if_asked() -> None:
    """Ends the program if a signal asked for it; every progress callback calls this.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
        SystemExit: another signal came.
    """
    if signal.SIGINT in _signals:
        raise KeyboardInterrupt
    if _signals:
        raise SystemExit(128 + _signals[0])


def _is_called_by_sndfile(frame: FrameType | None) -> bool:
    """Whether a frame runs inside one of soundfile's callbacks (vio_read and its like)."""
    while frame is not None:
        if frame.f_code.co_name.startswith("vio_") and frame.f_globals.get("__name__") == "soundfile":
            return True
        frame = frame.f_back
    return False
