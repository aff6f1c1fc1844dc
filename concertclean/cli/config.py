"""`concertclean config`: what can be set, and whether a file sets it rightly."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from concertclean.cli import console

if TYPE_CHECKING:
    from concertclean.config.denoise import DenoiseSettings
    from concertclean.config.training import Recipe

app = typer.Typer(name="config", help="Look at settings: of denoising and of training.", no_args_is_help=True)

_Kind = Annotated[Literal["denoise", "train"], typer.Argument(help="denoise or train.")]
_File = Annotated[Path, typer.Argument(help="TOML file.")]
_Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.")]


@app.command()
def schema(kind: _Kind) -> None:
    """Print the JSON Schema of the settings: every name, type, range and default."""
    from concertclean.config.denoise import DenoiseSettings
    from concertclean.config.training import TrainingSettings

    record = DenoiseSettings if kind == "denoise" else TrainingSettings
    console.say(json.dumps(record.model_json_schema(), indent=2))


@app.command()
def show(kind: _Kind, file: _File, *, assignments: _Set = None) -> None:
    """Print all settings a file stands for, defaults included."""
    console.say(_read(kind, file, assignments or []).model_dump_json(indent=2))


@app.command()
def validate(kind: _Kind, file: _File) -> None:
    """Check a file; all faults are reported together."""
    _read(kind, file, [])
    console.say(f"{file}: right")


def _read(kind: str, file: Path, assignments: list[str]) -> "DenoiseSettings | Recipe":
    from concertclean.config.denoise import read_settings
    from concertclean.config.reading import with_assignments
    from concertclean.config.training import read_recipe

    if kind == "train":
        return read_recipe(file, assignments)
    return read_settings(file, with_assignments({}, assignments))
