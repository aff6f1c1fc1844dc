"""The command `concertclean`: its sub-commands, and the exit code of whatever goes wrong in them."""

import errno
import io
import os
import sys
from typing import Annotated

import typer

from concertclean import __version__
from concertclean.cli import (
    analyse,
    batch,
    bench,
    benchmark,
    config,
    console,
    dataset,
    debleed,
    denoise,
    doctor,
    evaluate,
    help,
    listen,
    models,
    report,
    reproduce,
    serve,
    train,
)
from concertclean.errors import ConcertCleanError, UnexpectedError, foreseen

app = typer.Typer(
    help="Takes the crowd out of concert recordings and the disc noise out of gramophone transfers.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(name="denoise", epilog=help.epilog("denoise"))(denoise.denoise)
app.command(name="analyse", epilog=help.epilog("analyse"))(analyse.analyse)
app.command(name="debleed", epilog=help.epilog("debleed"))(debleed.debleed)
app.command(name="report", epilog=help.epilog("report"))(report.report)
app.command(name="spectrogram", epilog=help.epilog("spectrogram"))(report.spectrogram)
app.command(name="eval", epilog=help.epilog("eval"))(evaluate.evaluate)
app.command(name="bench", epilog=help.epilog("bench"))(bench.bench)
app.command(name="benchmark", epilog=help.epilog("benchmark"))(benchmark.benchmark)
app.command(name="doctor")(doctor.doctor)
app.command(name="reproduce", epilog=help.epilog("reproduce"))(reproduce.reproduce)
app.command(name="serve", epilog=help.epilog("serve"))(serve.serve)
app.command(name="train", epilog=help.epilog("train"))(train.train)
app.add_typer(listen.app, name="listen")
app.add_typer(models.app, name="models")
app.add_typer(dataset.app, name="dataset")
app.add_typer(batch.app, name="batch")
app.add_typer(config.app, name="config")


def _print_version(requested: bool) -> None:
    if requested:
        console.say(__version__)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Options in front of a command."""


def main() -> None:
    """Runs the command line; the process ends with a documented exit code."""
    _occupy_closed_descriptors()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no file name is too strange to be printed
    code = _run()
    try:
        console.finish_output()
    except ConcertCleanError as error:
        console.complain(error)
        code = code or console.exit_code(error)
    except BrokenPipeError:
        code = code or 1
    sys.exit(code)


def _run() -> int:
    """Exit code of the command line."""
    try:
        _run_command()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except UnexpectedError as error:
        console.complain_of_fault(error, verbose=bool({"-v", "--verbose"} & set(sys.argv)))
        return console.exit_code(error)
    except ConcertCleanError as error:
        console.complain(error)
        return console.exit_code(error)
    return 0


_WRITE_ERRORS = frozenset({errno.ENOSPC, errno.EIO, errno.EBADF})


def _run_command() -> None:
    try:
        with foreseen("concertclean"):
            help.command_line(app)()
    except UnexpectedError as error:
        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno in _WRITE_ERRORS:  # files are written by `files.atomic`
            raise console.output_error(cause) from cause
        raise


def _occupy_closed_descriptors() -> None:
    """A recording must not be opened as standard output or error, where messages of libraries would go into it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free
