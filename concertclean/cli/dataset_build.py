"""`concertclean dataset build`: from recordings to a dataset."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from concertclean.cli import console
from concertclean.cli.bars import bars
from concertclean.errors import ConfigError

if TYPE_CHECKING:
    from concertclean.corpora.sources import Source
    from concertclean.dataset.bleed.build import BleedPlan
    from concertclean.dataset.build import BuildReport

_MOST_REASONS, _N_EXAMPLES = 8, 3
_WHAT, _HOW = "What goes in", "How it is made"


def _folders(help_text: str) -> "typer.models.OptionInfo":
    option: typer.models.OptionInfo = typer.Option(metavar="FOLDER", help=help_text, rich_help_panel=_WHAT)
    return option


def build(
    task: Annotated[Literal["concert", "gramophone", "reverb", "bleed"], typer.Argument(help="What is to be removed.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the dataset.")],
    *,
    clean: Annotated[list[Path] | None, _folders("Clean music, any audio files.")] = None,
    noise: Annotated[list[Path] | None, _folders("Noise alone: crowds, disc surfaces.")] = None,
    clap: Annotated[list[Path] | None, _folders("Single hand claps, for synthetic crowds.")] = None,
    shout: Annotated[list[Path] | None, _folders("Single shouts, for synthetic crowds.")] = None,
    speech: Annotated[list[Path] | None, _folders("Speech, for synthetic crowds.")] = None,
    response: Annotated[list[Path] | None, _folders("Impulse responses of rooms and microphones.")] = None,
    corpus: Annotated[
        list[Path] | None,
        _folders("What `dataset fetch` fetched, or MUSDB18, MusicNet, Gramophone Record Noise Dataset, ESC-50."),
    ] = None,
    stems: Annotated[
        list[Path] | None, _folders("For bleed: songs, a folder of stems each or .stem.mp4, as MUSDB18.")
    ] = None,
    held_back: Annotated[list[Path] | None, _folders("For bleed: songs of other artists, only to judge on.")] = None,
    sample_rate: Annotated[int, typer.Option(min=8000, help="Hz.", rich_help_panel=_HOW)] = 44_100,
    channels: Annotated[
        int | None, typer.Option(min=1, max=2, help="1 or 2. \\[default: 2 for concert, else 1]", rich_help_panel=_HOW)
    ] = None,
    seconds_per_file: Annotated[
        float | None,
        typer.Option(min=1, help="Only so much from the middle of each file. \\[default: all]", rich_help_panel=_HOW),
    ] = None,
    synthetic_minutes: Annotated[
        float, typer.Option(min=0, help="Synthetic crowd, for concert.", rich_help_panel=_HOW)
    ] = 20.0,
    singing_minutes: Annotated[
        float, typer.Option(min=0, help="Singing made from the speech.", rich_help_panel=_HOW)
    ] = 0.0,
    validation_items: Annotated[
        int, typer.Option(min=0, help="Fixed mixtures a ratio, for validation.", rich_help_panel=_HOW)
    ] = 12,
    test_items: Annotated[
        int, typer.Option(min=0, help="Fixed mixtures a ratio, for eval.", rich_help_panel=_HOW)
    ] = 24,
    validation: Annotated[
        float, typer.Option(min=0, max=0.5, help="Share of artists; of songs for bleed.", rich_help_panel=_HOW)
    ] = 0.1,
    test: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of artists, at most a half; of songs for bleed.", rich_help_panel=_HOW),
    ] = 0.1,
    conditions: Annotated[
        str,
        typer.Option(
            help="For bleed: low, high, cae, delayed, room, shoebox, musdbr, with commas.", rich_help_panel=_HOW
        ),
    ] = "low,high,delayed,room",
    seconds: Annotated[float, typer.Option(min=1, help="For bleed: of a test band.", rich_help_panel=_HOW)] = 20.0,
    natural_levels: Annotated[
        bool, typer.Option("--natural-levels", help="For bleed: stems keep their level.", rich_help_panel=_HOW)
    ] = False,
    seed: Annotated[int, typer.Option(help="Of splits and synthesis.", rich_help_panel=_HOW)] = 0,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0: every core.", rich_help_panel=_HOW)] = 0,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="List every file that is left out.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Errors only.")] = False,
) -> None:
    """Build a dataset: decode once, drop silence and clipping, split by artist, write shards and a manifest.

    An interrupted build goes on when it is started again. A file that cannot be used is reported and left out.
    """  # fmt: skip
    if task == "bleed":
        from concertclean.dataset.bleed.build import BleedPlan

        names = [name.strip() for name in conditions.split(",") if name.strip()]
        songs = stems or [], sample_rate, seconds, names, test, held_back or [], validation, seed, natural_levels
        _build_bleed(BleedPlan(folder, *songs), quiet=quiet)
        return
    if test > 0.5:
        raise ConfigError(f"--test is {test}, at most 0.5 where there is something to train on")
    from concertclean.corpora.sources import assign_splits
    from concertclean.dataset.build import Plan
    from concertclean.dataset.build import build as build_dataset
    from concertclean.runtime.parallel import usable_cores

    folders = {
        "clean": clean, "noise": noise, "clap": clap, "shout": shout, "speech": speech, "response": response,
    }  # fmt: skip
    sources = _sources(folders, corpus or [], task)
    plan = Plan(
        folder=folder,
        task=task,
        sources=assign_splits(sources, seed=seed, validation=validation, test=test),
        sample_rate=sample_rate,
        channels=channels,
        seconds_per_file=seconds_per_file,
        synthetic_minutes=synthetic_minutes,
        singing_minutes=singing_minutes,
        validation_items=validation_items,
        test_items=test_items,
        seed=seed,
        workers=workers or usable_cores(),
    )
    with console.ending_on_signals(), bars(quiet=quiet) as progress:
        report = build_dataset(plan, progress)
    _tell_build(report, folder, quiet=quiet, verbose=verbose)
    if report.failures and not report.n_stored and not report.n_kept:
        raise typer.Exit(console.SOME_FAILED)


def _build_bleed(plan: "BleedPlan", *, quiet: bool) -> None:
    """Bands made from stems, and which songs failed."""
    from concertclean.dataset.bleed.build import build_bleed

    if not plan.stems and not plan.held_back:
        raise ConfigError("bleed is made from stems; add --stems FOLDER")
    with console.ending_on_signals(), bars(quiet=quiet) as progress:
        failures = build_bleed(plan, progress)
    for failure in failures:
        console.complain(failure)
    if not quiet:
        console.note(f"{plan.folder}: judge with concertclean eval --dataset {plan.folder} --model auto --model kamir")


def _sources(folders: "dict[str, list[Path] | None]", corpora: list[Path], task: str) -> "list[Source]":
    """All sources that the options name."""
    from concertclean.corpora.corpora import corpus_sources, detect_corpus
    from concertclean.corpora.sources import folder_sources

    sources = [
        source
        for role, named in folders.items()
        for folder in named or []
        for source in folder_sources(folder, role)  # type: ignore[arg-type]
    ]
    for folder in corpora:
        kind = detect_corpus(folder)
        if kind is None:
            raise ConfigError(f"{folder}: not a known corpus; add it with --clean or --noise")
        sources += corpus_sources(kind, folder, task)
    return sources


def _tell_build(report: "BuildReport", folder: Path, *, quiet: bool, verbose: bool) -> None:
    """What happened to the sources, and what to do next."""
    from concertclean.dataset.build import LEFT_OUT

    if report.failures and verbose:
        table = Table("source", "why it is left out", title=f"{len(report.failures)} left out")
        for name, reason in report.failures:
            table.add_row(Text(name), Text(reason))
        console.err.print(table)
    elif report.failures:
        console.note(f"{len(report.failures)} left out; all of them are in {folder / LEFT_OUT}:")
        for reason, names in report.counts()[:_MOST_REASONS]:
            more = f" and {len(names) - _N_EXAMPLES} more" if len(names) > _N_EXAMPLES else ""
            console.note(f"  {len(names)} × {reason}: {', '.join(names[:_N_EXAMPLES])}{more}")
        if len(report.counts()) > _MOST_REASONS:
            console.note(f"  and {len(report.counts()) - _MOST_REASONS} other reasons")
    for remark in report.remarks:
        console.note(remark)
    if not quiet:
        console.note(f"{folder}: {report.n_stored} stored, {report.n_kept} were there")
        console.note(f"next: concertclean dataset stats {folder}, concertclean dataset listen {folder} OUT")
