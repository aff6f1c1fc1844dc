"""What every command shares with the terminal: where text goes, and which number the program ends with.

Data goes to standard output, everything else to standard error.
"""

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
INTERRUPTED = 130

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
out = Console(highlight=False)


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
