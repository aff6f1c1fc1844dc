"""How help looks: examples at its end, and no type behind options that take no value."""

from collections.abc import Callable
from typing import Any

import typer
from typer.main import get_command

EXAMPLES = {
    "denoise": (
        "concertclean denoise concert.m4a",
        "concertclean denoise discs/ -r --preset 78rpm -o clean/ --skip-existing",
        "concertclean denoise concert.m4a --strength 0.7 --removed --report",
    ),
    "analyse": ("concertclean analyse tapes/ -r --json",),
    "debleed": ("concertclean debleed vox.wav bass.wav drums.wav -o clean/",),
    "report": ("concertclean report concert.m4a concert_clean.wav",),
    "spectrogram": ("concertclean spectrogram disc.flac --compare disc_clean.wav",),
    "eval": (
        "concertclean eval clean/ estimates/ --metrics sisdr,peaq",
        "concertclean eval --dataset data/concert --model concert --baseline afftdn",
    ),
    "bench": ("concertclean bench --model concert --seconds 30",),
    "benchmark": (
        "concertclean benchmark concert --corpus corpus/",
        "concertclean benchmark concert --export mixtures/",
        "concertclean benchmark concert --rows concert --estimates mine=restored/",
    ),
    "reproduce": (
        "concertclean reproduce",
        "concertclean reproduce kanunet-eca table1 --data corpus/ --weights DCCRN=dccrn.safetensors",
    ),
    "serve": ("concertclean serve --open", "concertclean serve --folder tapes/"),
    "train": (
        "concertclean train -c recipes/concert.toml --set run.steps=2000",
        "concertclean train -c recipes/concert.toml --resume auto",
    ),
}
"""Command lines that do something useful, by command."""


def epilog(command: str) -> str:
    """The examples of a command, for the end of its help."""
    return "Examples:\n\n" + "\n\n".join(EXAMPLES[command])


def command_line(app: typer.Typer) -> Callable[[], Any]:
    """The commands of an app, with help that shows `--flag` and not `--flag <bool>`."""
    command = get_command(app)
    _hide_types_of_flags(command, None)
    return command


def _hide_types_of_flags(command: Any, parent: typer.Context | None) -> None:
    context = typer.Context(command, parent=parent, **command.context_settings)
    for param in command.get_params(context):
        if getattr(param, "is_flag", False):
            param.metavar = ""
    for inner in getattr(command, "commands", {}).values():
        _hide_types_of_flags(inner, context)
