"""`concertclean benchmark`: methods, tools, models and estimates of others on the same mixtures, as a table."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from concertclean.cli import console
from concertclean.cli.bars import Progress, bars
from concertclean.cli.tables import names_in
from concertclean.errors import ConfigError, NoInputError

if TYPE_CHECKING:
    from concertclean.evaluate.benchmark.entrants import Entrant
    from concertclean.evaluate.benchmark.mixtures import MixtureSet
    from concertclean.evaluate.benchmark.scoring import Running

_WHAT, _HOW = "What is scored", "How it is scored"
_METRICS = "sisdr,snr,mmsnr,peaq"
_CORPUS = Path("recipes/open-corpus.toml")

Task = Literal["concert", "gramophone"]


def benchmark(
    task: Annotated[Task, typer.Argument(help="What is to be removed.", show_default=False)],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder; the results are in a folder of the task in it.")
    ] = Path("benchmark"),
    dataset: Annotated[
        Path | None,
        typer.Option(help="Dataset whose test mixtures are used, instead of building one.", rich_help_panel=_WHAT),
    ] = None,
    corpus: Annotated[
        Path,
        typer.Option(help="Fetched corpus, or the list of one, which is fetched first.", rich_help_panel=_WHAT),
    ] = _CORPUS,
    items: Annotated[
        int | None, typer.Option(min=1, help="Songs. \\[default: all of --dataset, else 48]", rich_help_panel=_WHAT)
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="Rows to score: tools, methods, models, weights files. \\[default: all that suit]",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    estimates: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FOLDER",
            help="A row of results named like the exported mixtures; may be repeated.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write the mixtures as WAV files for other tools; nothing is scored.",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...", help=f"See eval --list. \\[default: {_METRICS}]", rich_help_panel=_HOW
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="For the models.", rich_help_panel=_HOW)] = "auto",
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: every core.", rich_help_panel=_HOW)] = 0,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.", rich_help_panel=_HOW)] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
) -> None:  # fmt: skip
    """Scores methods on fixed mixtures of the open corpus whose artists and recordists no model was trained on.

    Results are in RESULTS.md and results.json. Rows that were scored stay; an interrupted run goes on.
    """
    from concertclean.evaluate.benchmark.entrants import default_names, entrant, estimates_entrant
    from concertclean.evaluate.benchmark.mixtures import export as export_mixtures
    from concertclean.evaluate.benchmark.mixtures import read_mixtures
    from concertclean.evaluate.benchmark.scores import read_head
    from concertclean.evaluate.benchmark.scoring import Running
    from concertclean.evaluate.methods import UNPROCESSED
    from concertclean.metrics.catalogue import scores_of
    from concertclean.runtime.devices import choose_device
    from concertclean.runtime.parallel import usable_cores

    kind = choose_device(device).type  # a wrong name is reported before the work
    folder = output / task
    wanted = tuple((read_head(folder) or {}).get("metrics", ())) if metrics is None else names_in(metrics)
    wanted = wanted or names_in(_METRICS)
    scores_of(wanted)  # likewise
    others = _estimate_folders(estimates or [])
    names = default_names(task) if rows is None else (UNPROCESSED, *names_in(rows))
    cores = usable_cores()
    with console.ending_on_signals(), bars(quiet=quiet) as progress:
        found = [] if export else [entrant(name, offline=offline) for name in dict.fromkeys(names)]
        source, n_items = _mixtures_in(task, output, dataset, corpus, items, jobs or cores, progress)
        mixtures = read_mixtures(source, task, n_items)
        if export is not None:
            export_mixtures(mixtures, export, progress)
            console.say(f"{export}: {len(mixtures.mixtures)} mixtures, sha256 {mixtures.sha256}")
            return
        found += [estimates_entrant(name, one, mixtures.mixtures) for name, one in others]
        workers = jobs or (cores if kind == "cpu" else 1)
        running = Running(wanted, device, max(1, cores // workers), offline, workers)
        how = _how(task, dataset, n_items, wanted)
        _score(folder, mixtures, found, running, how, progress, quiet=quiet)


def _score(
    folder: Path,
    mixtures: "MixtureSet",
    rows: "list[Entrant]",
    running: "Running",
    how: list[str],
    progress: Progress,
    *,
    quiet: bool,
) -> None:
    """Scores what is missing, and writes the results of all complete rows."""
    from concertclean.evaluate.benchmark.results import PAGE, write_results
    from concertclean.evaluate.benchmark.scores import ScoreBook
    from concertclean.evaluate.benchmark.scoring import score_rows

    book = ScoreBook(folder, mixtures, running.metrics)
    try:
        score_rows(book, rows, mixtures.mixtures, running, progress)
        complete, partial = book.rows()
        write_results(folder, mixtures, running.metrics, complete, list(book.scored(complete)), how)
    finally:
        book.close()
    for name in partial:
        console.note(f"{name}: was scored on other mixtures, or only in part; left out until it is scored again")
    if not quiet:
        console.note(f"{folder / PAGE}: {len(complete)} rows on {len(mixtures.mixtures)} mixtures")


def _mixtures_in(
    task: Task, output: Path, dataset: Path | None, corpus: Path, items: int | None, workers: int, progress: Progress
) -> tuple[Path, int]:
    """The dataset that holds the mixtures, built first if none is given, and how many songs are used."""
    from concertclean.evaluate.benchmark.mixtures import N_ITEMS, build_mixtures, n_fixed

    if dataset is not None:
        n_found = n_fixed(dataset)
        if not n_found:
            raise ConfigError(f"{dataset}: has no test mixtures; build it with --test-items, or leave out --dataset")
        return dataset, items or n_found
    built, n_items = output / task / "dataset", items or N_ITEMS
    if n_fixed(built) < n_items:
        build_mixtures(built, task, _corpus_folder(corpus, output, progress), n_items, workers, progress)
    return built, n_items


def _corpus_folder(corpus: Path, output: Path, progress: Progress) -> Path:
    """The folder of a corpus; a list is fetched into one."""
    from concertclean.corpora.fetch import fetch
    from concertclean.corpora.open_corpus import read_corpus

    if os.path.isdir(corpus):
        return corpus
    if not os.path.exists(corpus):
        raise NoInputError(
            f"{corpus}: does not exist; give --corpus FOLDER of concertclean dataset fetch, or --corpus with "
            "recipes/open-corpus.toml of the source code, or --dataset FOLDER"
        )
    folder = output / "corpus"
    report = fetch(read_corpus(corpus), folder, progress)
    for package in report.packages:
        if package.missing:
            console.note(f"{package.name}: {len(package.missing)} files are missing; {package.reason}")
    return folder


def _estimate_folders(given: list[str]) -> list[tuple[str, Path]]:
    """Names and folders of `NAME=FOLDER`."""
    found = []
    for words in given:
        name, equals, folder = words.partition("=")
        if not (name.strip() and equals and folder):
            raise ConfigError(f"--estimates {words}: must be NAME=FOLDER, as mine=restored/")
        found.append((name.strip(), Path(folder)))
    names = [name for name, _ in found]
    if len(set(names)) < len(names):
        raise ConfigError("--estimates: the same name is given twice; choose another for one of them")
    return found


def _how(task: Task, dataset: Path | None, n_items: int, metrics: tuple[str, ...]) -> list[str]:
    """The command that makes the table, and the commands that add a row to it."""
    source = "" if dataset is None else f" --dataset {dataset}"
    chosen = "" if ",".join(metrics) == _METRICS else f" --metrics {','.join(metrics)}"
    made = f"concertclean benchmark {task}{source} --items {n_items}{chosen}"
    adding = f"{made} --export mixtures\n{made} --estimates NAME=FOLDER"
    return [made, adding]
