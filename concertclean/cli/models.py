"""`concertclean models`: what models exist, where their weights are, and whether they are whole."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table

from concertclean.cli import console

if TYPE_CHECKING:
    from concertclean.weights.cards import ModelCard
    from concertclean.weights.file_format import WeightsHeader

app = typer.Typer(
    name="models",
    help="List, fetch, check, import and export models. Your own go into models.toml in the configuration folder.",
    no_args_is_help=True,
)

_Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names or aliases of models.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
_Offline = Annotated[bool, typer.Option("--offline", help="Never use the network.")]


@app.command("list")
def list_models(*, as_json: _Json = False) -> None:
    """List all models and whether their weights are on this disk, and the methods that need none."""
    from concertclean.weights.cards import load_cards

    cards = load_cards().values()
    if as_json:
        listed = [_describe(card) for card in cards]
        listed += [{"name": name, "description": description} for name, description in _methods().items()]
        console.say(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    table = Table(box=None)
    for heading in ("model", "weights", "license"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what it does")
    for card in cards:
        table.add_row(card.name, _state(card), card.license, card.description)
    methods = Table("method", "what it does, without weights, at any rate, on any number of channels", box=None)
    for name, description in _methods().items():
        methods.add_row(name, description)
    console.show(table)
    console.show(methods)


@app.command()
def info(name: Annotated[str, typer.Argument(help="Name or alias.")], *, as_json: _Json = False) -> None:
    """Show everything known about one model, or what a method does."""
    methods = _methods()
    facts = {"name": name, "description": methods[name]} if name in methods else _known(name)
    if as_json:
        console.say(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        table.add_row(key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    console.show(table)


@app.command()
def download(names: _Names, *, offline: _Offline = False) -> None:
    """Fetch the weights of models that are not here yet, check them, and print their paths."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from concertclean.weights.locating import locate_weights

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with console.ending_on_signals(), Progress(*columns, console=console.err) as bars:

        def fetch(name: str) -> None:
            bar = bars.add_task(name, total=None, visible=False)

            def show(done: int, total: int | None) -> None:
                console.end_if_asked()
                bars.update(bar, completed=done, total=total, visible=True)

            console.say(str(locate_weights(name, offline=offline, progress=show).path))

        _for_each(names, fetch)


@app.command()
def verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME...]", help="All models on this disk, if none is named."),
    ] = None,
) -> None:
    """Compare weights on this disk with their sha256; nothing is fetched or removed."""
    from concertclean.weights.cards import load_cards
    from concertclean.weights.locating import stored_path

    _for_each(names or [card.name for card in load_cards().values() if stored_path(card)], _verify)


@app.command()
def path(name: Annotated[str, typer.Argument(help="Name or alias.")]) -> None:
    """Print where the checked weights of a model lie; nothing is fetched."""
    from concertclean.weights.locating import locate_weights

    console.say(str(locate_weights(name, offline=True).path))


@app.command("import")
def import_weights(
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", help="The published checkpoint.zip, or the folder it unpacks to."),
    ],
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Weights file to write.")] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Model whose weights this archive is; they go where `download` puts them."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")] = False,
) -> None:
    """Convert a published TensorFlow checkpoint of the two-stage U-Net; TensorFlow is not needed."""
    if (output is None) == (name is None):
        raise typer.BadParameter("choose one of --output and --name")
    with console.ending_on_signals():
        if name is not None:
            console.say(str(_import_as(name, checkpoint)))
        elif output is not None:
            _import_to(checkpoint, output, overwrite=overwrite)
            console.say(str(output))


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="Name or alias of a model, or a weights file.")],
    *,
    as_format: Annotated[Literal["onnx"], typer.Option("--format", help="Of the file to write.")] = "onnx",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write. \\[default: NAME.onnx]")] = None,
    graph_only: Annotated[
        bool, typer.Option("--graph-only", help="Leave the weights out, as in the files of the package.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output if it exists.")] = False,
    offline: _Offline = False,
) -> None:
    """Write a model as an ONNX file, which `denoise --model FILE.onnx` runs without torch.

    The file holds the network between features and gains, and what else is needed to run it. Its results are compared
    with those of torch before it is written.
    """
    from concertclean.errors import OutputError
    from concertclean.weights.export import export_onnx
    from concertclean.weights.loading import load_model

    target = output or Path(f"{Path(name).stem if name.endswith('.safetensors') else name}.{as_format}")
    if target.suffix != f".{as_format}":
        raise OutputError(f"{target}: an ONNX file ends in .{as_format}; choose another name")
    if os.path.exists(target) and not overwrite:
        raise OutputError(f"{target}: already exists; add --overwrite, or choose another name")
    with console.ending_on_signals():
        difference = export_onnx(load_model(name, offline=offline), target, with_weights=not graph_only)
    console.note(f"largest difference of a gain to torch: {difference:.1g}")
    console.say(str(target))


@app.command()
def publish(
    weights: Annotated[Path, typer.Argument(metavar="WEIGHTS", help="Weights file, as training wrote it.")],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Repository of the hub.")],
    *,
    name: Annotated[str | None, typer.Option(help="Of the model. \\[default: the file's]")] = None,
    description: Annotated[str, typer.Option(help="One sentence.")] = "",
    results: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What the model reaches, for its page: what `eval --markdown` printed."),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Make the new repository private.")] = False,
) -> None:
    """Push weights, their settings and a page about them to the Hugging Face hub; prints the card to share.

    The token is that of `hf auth login`, or HF_TOKEN.
    """
    from concertclean.config.text import read_text
    from concertclean.weights.publishing import card_of, card_toml
    from concertclean.weights.publishing import publish as publish_weights

    card = card_of(weights, name or weights.stem, description)
    reached = "" if results is None else read_text(results, "give what `eval --markdown` printed")
    console.say(card_toml(publish_weights(weights, card, repository, results=reached, private=private)))


def _import_as(name: str, checkpoint: Path) -> Path:
    """The archive of a known model, converted into the model folder."""
    from concertclean.errors import ModelError
    from concertclean.weights.cards import find_card, load_cards
    from concertclean.weights.locating import import_checkpoint

    card = find_card(name)
    if not card.convert:
        known = ", ".join(each.name for each in load_cards().values() if each.convert)
        raise ModelError(f"the weights of {card.name} are not imported from a checkpoint; those of {known} are")
    return import_checkpoint(card, checkpoint)


def _import_to(checkpoint: Path, output: Path, *, overwrite: bool) -> None:
    """Any checkpoint of the network, converted into a file of the user's own."""
    from concertclean.errors import OutputError
    from concertclean.files.download import file_sha256
    from concertclean.weights.tf_checkpoint import convert_two_stage

    if output.suffix != ".safetensors":
        raise OutputError(f"{output}: a weights file ends in .safetensors; choose another name")
    if os.path.exists(output) and not overwrite:
        raise OutputError(f"{output}: already exists; add --overwrite, or choose another name")
    provenance = {"source": checkpoint.name}
    if os.path.isfile(checkpoint):
        provenance["source_sha256"] = file_sha256(checkpoint)
    convert_two_stage(checkpoint, output, provenance=provenance)


def _verify(name: str) -> None:
    """Print one line for weights that are whole."""
    from concertclean.errors import ModelError
    from concertclean.weights.cards import find_card
    from concertclean.weights.locating import check_file, stored_path

    card = find_card(name)
    stored = stored_path(card)
    if stored is None:
        raise ModelError(
            f"the weights of {card.name} are not on this disk; run `concertclean models download {card.name}`"
        )
    console.say(f"{card.name}  ok  {check_file(card, stored)}  {stored}")


def _for_each(names: Iterable[str], act: Callable[[str], None]) -> None:
    """Do all, then raise what went wrong: as offline only if that is all there was."""
    from concertclean.errors import ModelError, OfflineError

    failures: list[ModelError] = []
    for name in names:
        try:
            act(name)
        except ModelError as error:
            failures.append(error)
    if failures:
        kind = OfflineError if all(isinstance(error, OfflineError) for error in failures) else ModelError
        raise kind("\n".join(str(error) for error in failures))


def _methods() -> dict[str, str]:
    """What the methods without weights do, by name."""
    from concertclean.classical.catalogue import COMBINATIONS, METHODS

    found = {name: method.description for name, method in METHODS.items()}
    return found | {name: f"{', then '.join(stages)}." for name, stages in COMBINATIONS.items()}


def _known(name: str) -> dict[str, Any]:
    """The card of a model, and the header of its weights if they are on this disk."""
    from concertclean.weights.cards import find_card
    from concertclean.weights.file_format import read_header
    from concertclean.weights.locating import stored_path

    card = find_card(name)
    path = stored_path(card)
    facts = _describe(card)
    return facts | ({} if path is None else _describe_header(read_header(path), facts))


def _describe(card: "ModelCard") -> dict[str, Any]:
    """The card's filled fields, and where its weights lie."""
    from concertclean.weights.locating import stored_path

    stored = stored_path(card)
    facts = card.model_dump(mode="json", exclude_defaults=True)
    return facts | {"stored": None if stored is None else str(stored)}


def _describe_header(header: "WeightsHeader", known: dict[str, Any]) -> dict[str, Any]:
    """What the file adds to its card, which is younger and may correct it."""
    facts = {"n_parameters": header.n_parameters, "config": header.config}
    return facts | {f"provenance: {key}": value for key, value in header.provenance.items() if key not in known}


def _state(card: "ModelCard") -> str:
    """One word on where the weights are."""
    from concertclean.weights.locating import stored_path

    if stored_path(card) is not None:
        return "shipped" if card.shipped else "here"
    if card.size_bytes is None or not (card.url or card.repo_id):
        return "missing" if card.shipped or card.path else "to fetch"
    return f"to fetch, {card.size_bytes / 1e6:.0f} MB"
