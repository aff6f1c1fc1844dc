r"""What every command shares with the terminal: where text goes, and which number the program ends with.

Data goes to standard output, everything else to standard error. Names, tags and the words of servers may hold control
characters, which would move the cursor or change the terminal: they are printed as escapes, such as \x1b.
"""

import os
import re
import signal
import sys
import textwrap
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.text import Text

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
STREAM = "-"
"""What stands for standard input or output on the command line."""


# Most special first: the first match decides.
EXIT_CODES: tuple[tuple[type[ConcertCleanError], int], ...] = (
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

# C0 and C1 but tab and line feed, delete, and what turns the direction of text around.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    """The text with its control characters as escapes."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


class _Escaped:
    """A renderable whose text is made visible."""

    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._inner, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))


class _Escaping(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Escaped(each) for each in renderables]


def _console(*, stderr: bool = False) -> Console:
    made = Console(stderr=stderr, highlight=False, markup=False)
    made.push_render_hook(_Escaping())
    return made


err = _console(stderr=True)


def exit_code(error: BaseException) -> int:
    """Documented exit code of an error; 1 for anything unexpected."""
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 1)


def complain(error: BaseException | str) -> None:
    """Prints an error to standard error."""
    # In one piece: a progress bar would print itself between two.
    err.print(Text.assemble(("error:", "bold red"), " ", _wrapped(str(error), "error: ")), soft_wrap=True)


def complain_of_fault(error: BaseException, *, verbose: bool) -> None:
    """Prints an error that nothing foresaw, with its traceback if `verbose` or CONCERTCLEAN_TRACEBACK is set."""
    complain(error)
    if verbose or os.environ.get("CONCERTCLEAN_TRACEBACK"):
        note("".join(traceback.format_exception(error.__cause__ or error)))


def note(message: str) -> None:
    """Prints a remark to standard error."""
    err.print(Text(_wrapped(message)), soft_wrap=True)


def _wrapped(text: str, prefix: str = "") -> str:
    """The visible text with lines broken between words, in a terminal only; paths stay whole for whoever copies them.

    Args:
        text: what is printed.
        prefix: what stands before it.
    """
    text = visible(text)  # before rich, which drops some control characters
    if not err.is_terminal:
        return text
    lines = []
    for line in (prefix + text).split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        folded = textwrap.wrap(
            line, err.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
        lines += folded or [""]
    return "\n".join(lines).removeprefix(prefix)


def say(text: str) -> None:
    """Prints a line of data to standard output; as it is, unless a terminal reads it.

    Raises:
        OutputError: standard output is closed, or its disk is full.
    """
    with _standard_output():
        sys.stdout.write((visible(text) if sys.stdout.isatty() else text) + "\n")
        sys.stdout.flush()


def show(table: ConsoleRenderable) -> None:
    """Prints a table for people to standard output.

    Raises:
        OutputError: see `say`.
    """
    with _standard_output():
        _console().print(table)


@contextmanager
def _standard_output() -> Iterator[None]:
    if sys.stdout is None:
        raise OutputError("standard output: is closed; redirect it to a file")
    try:
        yield
    except BrokenPipeError:  # whoever read it, such as head, has enough
        raise
    except OSError as error:
        raise output_error(error) from error


def output_error(error: OSError) -> OutputError:
    """The error of a standard output that cannot be written."""
    fact = error.strerror or str(error)
    return OutputError(f"standard output: cannot be written ({fact}); free some space or write elsewhere")


def finish_output() -> None:
    """Writes out what is left for standard output; what cannot be written is dropped, or Python complains at its end.

    Raises:
        OutputError: see `say`.
    """
    if sys.stdout is None:
        return
    try:
        with _standard_output():
            sys.stdout.flush()
    except (OSError, OutputError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


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
