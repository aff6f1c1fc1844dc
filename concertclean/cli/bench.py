"""`concertclean bench`: how fast the models are on this machine, beside the tools people use today."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from concertclean.cli import console
from concertclean.cli.bars import bars
from concertclean.cli.tables import names_in, print_table
from concertclean.errors import ConfigError

if TYPE_CHECKING:
    from concertclean.evaluate.speed import Speed

_INSTALLED = "installed"


def bench(
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model or weights file; may be given again. \\[default: those in the package]"),
    ] = None,
    device: Annotated[list[str] | None, typer.Option(help="Device, likewise. \\[default: auto]")] = None,
    precision: Annotated[list[str] | None, typer.Option(help="Precision, likewise. \\[default: auto]")] = None,
    baseline: Annotated[
        str, typer.Option(metavar="NAME,...", help="Tools to compare with, as for eval; installed: all that are here.")
    ] = _INSTALLED,
    seconds: Annotated[float, typer.Option(min=1, help="Length of the recording.")] = 60.0,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each; the median is reported.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As Markdown.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:
    """Times models from file to file: real-time factor, start-up, memory, time outside the network, ratios to tools.

    Everything runs in turn on one recording, so the ratios are of one machine in one state.
    """
    from concertclean.evaluate.speed import speed_table
    from concertclean.evaluate.tables import as_markdown as markdown

    if as_json and as_markdown:
        raise ConfigError("--json and --markdown exclude each other; choose one")
    with console.ending_on_signals():
        found = _measured(
            model or ["concert", "gramophone"],
            [(d, p) for d in device or ["auto"] for p in precision or ["auto"]],
            _tools(baseline),
            seconds,
            repeats,
            quiet=quiet,
        )
    table = speed_table(found)
    if as_json:
        records = [asdict(one) | {"times_real_time": one.times_real_time} for one in found]
        console.say(json.dumps(records, indent=2))
    elif as_markdown:
        console.say(markdown([table]))
    else:
        print_table(*table)


def _measured(
    models: list[str], places: list[tuple[str, str]], tools: list[str], seconds: float, repeats: int, *, quiet: bool
) -> "list[Speed]":
    """Models on every device and precision, then tools."""
    from concertclean.evaluate.speed import model_speed, tool_speed, write_recording

    found: list[Speed] = []
    total = len(models) * len(places) + len(tools)
    with TemporaryDirectory() as folder, bars(quiet=quiet) as progress:
        recording = Path(folder) / "recording.wav"
        write_recording(recording, seconds)
        progress("runs", 0, total)
        for name in models:
            for device, precision in places:
                found.append(
                    model_speed(name, recording, _command, device=device, precision=precision, repeats=repeats)
                )
                progress("runs", len(found), total)
        for name in tools:
            found.append(tool_speed(name, seconds, repeats=repeats))
            progress("runs", len(found), total)
    return found


def _command(model: str, recording: Path, device: str, precision: str) -> list[str]:
    """The words that restore the recording as its user would, and print its record."""
    return [
        "denoise", str(recording), "--model", model, "--device", device, "--precision", precision, "--json",
        "-o", str(recording.with_name("restored.wav")), "--overwrite", "--no-progress",
    ]  # fmt: skip


def _tools(requested: str) -> list[str]:
    """The tools that are asked for; unknown or missing ones are reported first."""
    from concertclean.evaluate.methods import baseline, baseline_names, is_installed

    if requested == _INSTALLED:
        return [name for name in baseline_names() if is_installed(name)]
    names = list(names_in(requested))
    for name in names:
        baseline(name)
    return names
