"""`concertclean train`: a TOML file to trained weights."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from concertclean.cli import console
from concertclean.cli.stop_request import StopRequest
from concertclean.cli.training_bleed import bleed_environment, bleed_network
from concertclean.cli.training_gaps import note_what_is_missing
from concertclean.cli.training_scenes import scene_environment, scene_network
from concertclean.cli.training_screen import TrainingScreen, with_board
from concertclean.errors import ConfigError, OutputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from concertclean.config.training import AnySettings, Recipe, TrainingSettings
    from concertclean.dataset.store import Store
    from concertclean.train.distributed import Place
    from concertclean.train.loop import Environment


def train(
    config: Annotated[Path, typer.Option("--config", "-c", help="TOML file: network, data, mixing, loss, run.")],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the run. \\[default: runs/NAME]")
    ] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting; may be repeated.")
    ] = None,
    resume: Annotated[
        Literal["auto", "must"] | None,
        typer.Option(help="auto resumes the run in the folder if there is one; must refuses to start a new one."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Take one step, print how long the run would last, write nothing.")
    ] = False,
    overfit: Annotated[
        int, typer.Option(metavar="N", min=0, help="Train on N items only: the loss must fall to almost nothing.")
    ] = 0,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write OUTPUT/tensorboard.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Errors only.")] = False,
) -> None:
    """Trains a network; the weights and a card for models.toml are the result.

    Ctrl-C or SIGTERM saves and exits; --resume auto continues as if uninterrupted. Several GPUs:
    torchrun --nproc-per-node N -m concertclean train --config FILE.
    """
    from concertclean.config.training import read_recipe

    settings = read_recipe(config, assignments or [])
    folder = output or Path("runs") / settings.name
    from concertclean.train.checkpoint import STATE_NAME

    has_run = os.path.exists(folder / STATE_NAME)
    if has_run and resume is None and not dry_run:
        raise OutputError(f"{folder}: holds a run; add --resume auto, or choose another folder with -o")
    from concertclean.runtime.devices import choose_device
    from concertclean.train.distributed import joined

    choose_device(settings.run.device)
    with joined(settings.run.device) as place:
        goes_on = resume == "must" or (resume == "auto" and has_run)
        _train(settings, folder, place, goes_on=goes_on, dry=dry_run, overfit=overfit, quiet=quiet, board=tensorboard)


def _train(
    settings: "AnySettings",
    folder: Path,
    place: "Place",
    *,
    goes_on: bool,
    dry: bool,
    overfit: int,
    quiet: bool,
    board: bool,
) -> None:
    """The run in this process."""
    import torch

    from concertclean.train.loop import Run

    if settings.run.threads:
        torch.set_num_threads(settings.run.threads)
    torch.manual_seed(settings.run.seed)
    with StopRequest() as stop, TrainingScreen(settings, quiet=quiet or place.rank > 0) as screen:
        network, around = _prepared(settings, folder, place, overfit=overfit)
        around.stop, around.log = lambda: place.any(stop()), screen.line
        if dry:
            _dry_run(settings, network, place, around)
            return
        if place.rank == 0:
            _write_settings(settings, folder)
            around.log = with_board(screen.line, folder) if board else screen.line
        run = Run(settings, network, place.device, around, resume=goes_on)
        finished = run.train()
    if not finished:
        so_far = folder / f"{settings.name}-last.safetensors"
        console.note(f"stopped after step {run.step} and saved; continue with --resume auto; weights so far: {so_far}")
        raise typer.Exit(128 + (stop.number or signal.SIGTERM))
    if place.rank == 0:
        _print_result(settings, folder, quiet=quiet)


def _prepared(
    settings: "AnySettings", folder: Path, place: "Place", *, overfit: int
) -> "tuple[nn.Module, Environment]":
    """The network and what its run gets from outside."""
    from concertclean.config.training import BleedTrainingSettings, DetectTrainingSettings, SeparateTrainingSettings
    from concertclean.dataset.store import Store

    if isinstance(settings, BleedTrainingSettings):
        network = bleed_network(settings)
        return network, bleed_environment(settings, network, folder, place, overfit=overfit)
    if isinstance(settings, DetectTrainingSettings):
        return scene_network(settings), scene_environment(settings, folder, place, overfit=overfit)
    if isinstance(settings, SeparateTrainingSettings):
        from concertclean.train.separation import separation_environment, separation_network

        network = separation_network(settings)
        return network, separation_environment(settings, network, folder, place, console.note, overfit=overfit)
    store = Store(settings.data.dataset)
    network = _network(settings, store)
    return network, _environment(settings, network, folder, place, store, overfit=overfit)


def _network(settings: "TrainingSettings", store: "Store") -> "nn.Module":
    """The network with its first weights; it must fit the dataset."""
    from concertclean.weights.building import build_model
    from concertclean.weights.loading import load_model

    network = build_model(settings.network.architecture, settings.network.config, "network")
    if getattr(network, "stems", 1) != 1:
        raise ConfigError(f"network: separates {network.stems} stems; set mixing.task to separate, or choose another")
    if settings.network.init is not None:
        _begin_from(network, load_model(settings.network.init).model.state_dict(), settings.network.init)
    needed = {"sample_rate": network.sample_rate, "channels": network.channels}
    found = {"sample_rate": store.header.sample_rate, "channels": store.header.channels}
    wrong = [f"{key} {needed[key]}, the dataset has {found[key]}" for key in needed if needed[key] != found[key]]
    if wrong:
        raise ConfigError(f"{store.folder}: the network needs {'; '.join(wrong)}; build a dataset for it")
    return network


def _begin_from(network: "nn.Module", state: "dict[str, Tensor]", name: str) -> None:
    """Weights to start from; layers that the other network lacks start as they are made, which is reported."""
    try:
        fit = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise ConfigError(f"network.init {name}: does not fit network.config ({error})") from error
    if fit.unexpected_keys:
        parts = sorted({key.partition(".")[0] for key in fit.unexpected_keys})
        raise ConfigError(f"network.init {name}: has {', '.join(parts)}, which network.config leaves out")
    if fit.missing_keys:
        parts = sorted({key.partition(".")[0] for key in fit.missing_keys})
        console.note(f"network.init {name}: lacks {', '.join(parts)}, which starts fresh")


def _environment(
    settings: "TrainingSettings", network: "nn.Module", folder: Path, place: "Place", store: "Store", *, overfit: int
) -> "Environment":
    """Items, validation and facts for a run."""
    from concertclean.dataset.batches import Items
    from concertclean.dataset.mixing import Mixer
    from concertclean.train.items import batch_source, item_length
    from concertclean.train.loop import Environment

    mixer = Mixer(store, settings.mixing, "train", settings.run.seed)
    if place.rank == 0:
        note_what_is_missing(settings.mixing, store)
    items = Items(mixer, item_length(settings, network, store.header.sample_rate))

    give = batch_source(settings.data, items, place, overfit)
    facts = {"training_data": _data_facts(store)}
    return Environment(
        folder, give, _judge(settings, folder, store, place), rank=place.rank, world_size=place.world_size, facts=facts
    )


def _judge(
    settings: "TrainingSettings", folder: Path, store: "Store", place: "Place"
) -> "Callable[[nn.Module], dict[str, Any]] | None":
    """Validation on the fixed mixtures, whose first results are kept to listen to; None without such mixtures."""
    from concertclean.audio_io.whole import write_waveform
    from concertclean.dataset.fixed import folder_name, has_fixed, read_fixed
    from concertclean.train.validation import Mixture, validate

    if not has_fixed(store, "validation"):
        if place.rank == 0:
            console.note(f"{store.folder} has no validation mixtures: the last weights are taken, not the best")
        return None

    def judge(model: "nn.Module") -> dict[str, Any]:
        kept: set[float] = set()

        def keep(mixture: Mixture, estimate: Any) -> None:
            if mixture.ratio_db not in kept:  # the first item at each ratio
                kept.add(mixture.ratio_db)
                path = folder / "samples" / f"{folder_name(mixture.ratio_db)}.flac"
                write_waveform(path, estimate, store.header.sample_rate, bit_depth=16, overwrite=True)

        mixtures = read_fixed(store, "validation", settings.run.validation_items)
        return validate(model, mixtures, place.device, keep)

    return judge


def _data_facts(store: "Store") -> str:
    """What the weights are trained on, in one line for their header."""
    from concertclean.dataset.check import stock

    stocks = [one for one in stock(store) if one.split == "train"]
    parts = [f"{one.seconds / 3600:.1f} h {one.role} of {one.n_groups} groups" for one in stocks]
    licences = sorted({"not stated" if licence == "unknown" else licence for one in stocks for licence in one.licences})
    return f"{', '.join(parts)}; licences: {', '.join(licences)}"


def _dry_run(settings: "Recipe", network: "nn.Module", place: "Place", around: "Environment") -> None:
    """One real step and what follows from it, for a person."""
    import tempfile
    import time

    from concertclean.train.loop import Run

    steps = 2  # the first one compiles and fills the caches
    brief = settings.model_copy(
        update={
            "run": settings.run.model_copy(update={"steps": steps, "log_every": 1, "save_every": steps + 1}),
            "optimizer": settings.optimizer.model_copy(update={"warmup": 0}),
        }
    )
    with tempfile.TemporaryDirectory() as scratch:
        around.folder, around.judge = Path(scratch), None
        times: list[float] = []
        around.log = lambda line: times.append(time.monotonic())
        Run(brief, network, place.device, around, resume=False).train()
    seconds = times[1] - times[0]
    n_parameters = sum(parameter.numel() for parameter in network.parameters())
    hours = seconds * settings.run.steps / 3600
    console.say(f"{settings.network.architecture}: {n_parameters:,} parameters")
    console.say(f"{place.device}: {seconds:.2f} s a step, {hours:.1f} h for {settings.run.steps} steps")


def _write_settings(settings: "Recipe", folder: Path) -> None:
    """The resolved settings and the versions that go with them."""
    import json
    import platform

    import torch

    from concertclean import __version__
    from concertclean.files.atomic import write_text

    versions = {"concertclean": __version__, "torch": torch.__version__, "python": platform.python_version()}
    cure = "free some space or name another folder with -o"
    text = json.dumps({"versions": versions, **settings.model_dump(mode="json")}, indent=2)
    write_text(folder / "settings.json", text + "\n", make_folder=True, cure=cure)


def _print_result(settings: "Recipe", folder: Path, *, quiet: bool) -> None:
    """Where the weights are, on standard error, and their card, on standard output."""
    from concertclean.config.training import BleedTrainingSettings, DetectTrainingSettings, SeparateTrainingSettings
    from concertclean.weights.publishing import card_of, card_toml

    path = folder / f"{settings.name}.safetensors"
    if isinstance(settings, BleedTrainingSettings):  # cards are of models that denoise
        console.note(f"weights: {path}; try them: concertclean debleed TRACKS --model {path}")
        return
    if isinstance(settings, DetectTrainingSettings):
        console.note(f"weights: {path}; try them: concertclean analyse RECORDING --detector {path}")
        return
    if isinstance(settings, SeparateTrainingSettings):
        console.note(f"weights: {path}; they separate songs in Python: concertclean.restore.separation.separate")
        return
    if not quiet:
        console.note(f"weights: {path}")
        console.note(f"try them: concertclean denoise RECORDING --model {path}")
        console.note("a card for models.toml:")
    console.say(card_toml(card_of(path, settings.name, settings.description)))
