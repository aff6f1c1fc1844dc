"""`concertclean eval`: how good estimates, models and tools are, as a table."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from concertclean import __version__
from concertclean.cli import console
from concertclean.cli.bars import bars
from concertclean.cli.tables import names_in, print_table
from concertclean.errors import ConcertCleanError, ConfigError

if TYPE_CHECKING:
    from concertclean.evaluate.scoring import Request, Scored

_WHAT, _HOW, _PRINTED = "What is judged", "How it is judged", "What is printed"
_METRICS = "snr,sisdr,sdr"
_README = {"metrics": "sisdr,snr", "baselines": "afftdn,adeclick,noisereduce"}
_BUILT = ("data/concert", "data/gramophone")
_README_MODELS = {"gramophone": ("gramophone", "declick", "lsa-c")}  # by task; else the shipped model


def evaluate(
    reference: Annotated[Path | None, typer.Argument(help="True recording, or a folder of them.")] = None,
    estimate: Annotated[Path | None, typer.Argument(help="Candidate, or a folder with the same names.")] = None,
    *,
    noisy: Annotated[
        Path | None,
        typer.Option(help="What the candidate was made from: also print the gain over it.", rich_help_panel=_WHAT),
    ] = None,
    dataset: Annotated[
        list[Path] | None, typer.Option(help="Dataset whose test mixtures are judged.", rich_help_panel=_WHAT)
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(help="Model or weights file; may be repeated.", rich_help_panel=_WHAT)
    ] = None,
    baseline: Annotated[
        str,
        typer.Option(
            metavar="NAME,...",
            help="Tools of today: afftdn, afwtdn, anlmdn, adeclick, noisereduce, noisereduce-nonstationary.",
            rich_help_panel=_WHAT,
        ),
    ] = "",
    reproduce: Annotated[
        bool, typer.Option("--reproduce", help="The tables of the README.", rich_help_panel=_WHAT)
    ] = False,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help=f"Metrics, see --list. \\[default: {_METRICS}]",
            rich_help_panel=_HOW,
        ),
    ] = None,
    split: Annotated[
        Literal["test", "validation"], typer.Option(help="Side of the dataset.", rich_help_panel=_HOW)
    ] = "test",
    items: Annotated[
        int | None, typer.Option(min=1, help="Only so many mixtures of each ratio.", rich_help_panel=_HOW)
    ] = None,
    by_kind: Annotated[
        bool, typer.Option("--by-kind", help="Also lines for each kind of noise.", rich_help_panel=_HOW)
    ] = False,
    downmix: Annotated[
        bool, typer.Option("--downmix", help="Compare the mean of the channels.", rich_help_panel=_HOW)
    ] = False,
    device: Annotated[str, typer.Option(help="For the models.", rich_help_panel=_HOW)] = "auto",
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0: every core.", rich_help_panel=_HOW)] = 0,
    offline: Annotated[bool, typer.Option("--offline", help="Never use the network.", rich_help_panel=_HOW)] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Everything, as JSON.", rich_help_panel=_PRINTED)] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The rows, as CSV.", rich_help_panel=_PRINTED)] = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="The table, as Markdown.", rich_help_panel=_PRINTED)
    ] = False,
    list_metrics: Annotated[
        bool, typer.Option("--list", help="List all metrics and exit.", rich_help_panel=_PRINTED)
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.", rich_help_panel=_PRINTED)] = False,
) -> None:
    """Judges estimates against references, or models and tools on the test mixtures of a dataset.

    Every score comes with its number of recordings, mean, 95 % interval, median and worst recording. A file that
    cannot be compared is reported; the rest go on.
    """
    from concertclean.evaluate.scoring import Request
    from concertclean.runtime.devices import choose_device

    if list_metrics:
        _print_metrics()
        return
    if as_json + as_csv + as_markdown > 1:
        raise ConfigError("--json, --csv and --markdown exclude each other; choose one")
    choose_device(device)  # a wrong name is reported before the work, whether or not a model needs it
    how = "json" if as_json else "csv" if as_csv else "markdown" if as_markdown or reproduce else "screen"
    names = names_in(metrics or (_README["metrics"] if reproduce else _METRICS))
    baselines = names_in(_README["baselines"] if reproduce and not baseline else baseline)
    request = Request(names, tuple(model or ()), baselines, downmix=downmix, device=device, offline=offline)
    with console.ending_on_signals():
        if reference is not None and estimate is not None and not dataset and not reproduce:
            failed = _judge_files(reference, estimate, noisy, request, how=how, jobs=jobs, quiet=quiet)
            if failed:
                raise typer.Exit(console.SOME_FAILED)
            return
        if reference is not None or estimate is not None or noisy is not None:
            raise ConfigError("give REFERENCE and ESTIMATE, or --dataset, not some of both")
        for folder in _datasets(dataset or [], reproduce=reproduce):
            if os.path.exists(folder / "bleed.json"):
                _refuse_for_bands(
                    metrics=metrics, baseline=baseline, by_kind=by_kind, downmix=downmix, jobs=jobs,
                    split=split != "test", offline=offline, device=device != "auto",
                )  # fmt: skip
                _judge_bands(folder, request.models, items, how=how, quiet=quiet)
                continue
            _judge_dataset(
                folder, request, split, items, how=how, by_kind=by_kind, reproduce=reproduce, jobs=jobs, quiet=quiet
            )


def _judge_files(
    reference: Path, estimate: Path, noisy: Path | None, request: "Request", *, how: str, jobs: int, quiet: bool
) -> bool:
    """Files against files; whether any could not be judged."""
    from functools import partial

    from concertclean.evaluate.pairs import find_pairs
    from concertclean.evaluate.scoring import score_files
    from concertclean.evaluate.tables import file_table, rows_of
    from concertclean.metrics.catalogue import scores_of
    from concertclean.runtime.parallel import in_order, usable_cores

    scores = scores_of(request.metrics)  # an unknown name is reported first
    pairs, alone = find_pairs(reference, estimate, noisy)
    scored: list[Scored] = []
    errors: list[ConcertCleanError] = []
    workers = min(jobs or usable_cores(), len(pairs))
    with bars(quiet=quiet) as progress:
        for number, (_, found) in enumerate(in_order(partial(score_files, request=request), pairs, workers), start=1):
            if isinstance(found, ConcertCleanError):
                errors.append(found)
            else:
                scored.append(found)
            progress("recordings", number, len(pairs))
    if len(pairs) == 1 and not alone and errors:
        raise errors[0]
    failures = [*alone, *map(str, errors)]
    rows = rows_of(scored, scores)
    _tell(how, rows, scored, [file_table(rows)], {"reference": str(reference), "estimate": str(estimate)}, failures)
    return bool(failures)


def _judge_dataset(
    folder: Path,
    request: "Request",
    split: Any,
    items: int | None,
    *,
    how: str,
    by_kind: bool,
    reproduce: bool,
    jobs: int,
    quiet: bool,
) -> None:
    """Models and tools on the fixed mixtures of a dataset."""
    from dataclasses import replace
    from functools import partial

    from concertclean.dataset.fixed import list_fixed
    from concertclean.dataset.store import Store
    from concertclean.evaluate.harm import harm_table
    from concertclean.evaluate.methods import short_name
    from concertclean.evaluate.scoring import score_mixture
    from concertclean.evaluate.tables import ratio_tables, rows_of
    from concertclean.metrics.catalogue import scores_of
    from concertclean.runtime.devices import choose_device
    from concertclean.runtime.parallel import in_order, usable_cores

    scores = scores_of(request.metrics)
    store = Store(folder)
    task = store.header.task
    if not request.models:  # the shipped model for the task
        request = replace(request, models=_README_MODELS.get(task, (task,)) if reproduce else (task,))
    cores = usable_cores()
    workers = jobs or (cores if choose_device(request.device).type == "cpu" else 1)
    request = replace(request, threads=max(1, cores // workers))
    mixtures = list_fixed(store, split, items)
    scored: list[Scored] = []
    with bars(quiet=quiet) as progress:
        progress("mixtures", 0, len(mixtures))
        for number, (_, found) in enumerate(
            in_order(partial(score_mixture, request=request), mixtures, workers), start=1
        ):
            scored += found
            progress("mixtures", number, len(mixtures))
    rows = rows_of(scored, scores, by_kind=by_kind or reproduce)
    facts = {"dataset": str(folder), "task": task, "split": split}
    by_kinds = {
        short_name(model) for model in (request.models[:1] if reproduce else request.models)
    }  # all would bury it
    tables = [*ratio_tables(rows, by_kinds), harm_table(scored, by_kinds if by_kind or reproduce else set())]
    _tell(how, rows, scored, tables, facts, [])


def _refuse_for_bands(**given: object) -> None:
    """Options that mean nothing for bands are refused, not swallowed."""
    useless = [f"--{name.replace('_', '-')}" for name, value in given.items() if value]
    if useless:
        raise ConfigError(f"{', '.join(useless)}: without effect on bands, whose tracks are scored by SDR; leave out")


def _judge_bands(folder: Path, methods: tuple[str, ...], items: int | None, *, how: str, quiet: bool) -> None:
    """Methods of bleed reduction on the test bands of a dataset."""
    import json
    from dataclasses import asdict

    from concertclean.dataset.bleed.build import list_sets
    from concertclean.evaluate.bleed import judge, method_table, track_table
    from concertclean.evaluate.tables import as_markdown

    sets = list_sets(folder)
    conditions = dict.fromkeys(one.condition for one in sets)
    sets = [one for name in conditions for one in [one for one in sets if one.condition == name][:items]]
    judged = []
    with bars(quiet=quiet) as progress:
        for number, one in enumerate(sets):
            progress("bands", number, len(sets))
            judged += judge(folder, one, methods or ("auto", "linear", "kamir", "mira", "fastmira"))
        progress("bands", len(sets), len(sets))
    tables = [("", *method_table(judged)), ("SDR gain of each track, dB", *track_table(judged))]
    if how == "json":
        console.say(json.dumps([asdict(one) for one in judged], indent=2))
    elif how == "csv":
        header, body = method_table(judged)
        console.say("\n".join(",".join(f'"{cell}"' for cell in line) for line in (header, *body)))
    elif how == "markdown":
        console.say(as_markdown(tables))
    else:
        for title, header, body in tables:
            print_table(title, header, body)


def _tell(
    how: str, rows: Any, scored: "list[Scored]", tables: list[Any], facts: dict[str, Any], failures: list[str]
) -> None:
    """Everything that was found: data to standard output, remarks to standard error."""
    from concertclean.evaluate.tables import as_csv, as_json, as_markdown

    if how == "json":
        console.say(as_json(rows, scored, {"version": __version__, **facts, "failures": failures}))
    elif how == "csv":
        console.say(as_csv(rows).rstrip())
    elif how == "markdown":
        console.say(as_markdown(tables))
    else:
        for title, header, body in tables:
            print_table(title, header, body)
    remarks: dict[str, list[str]] = {}
    for one in scored:
        for remark in one.remarks:
            remarks.setdefault(remark, []).append(one.name)
    for remark, names in remarks.items():
        console.note(f"{names[0]}: {remark}" if len(names) == 1 else f"{len(names)} recordings: {remark}")
    for failure in failures:
        console.complain(failure)


def _print_metrics() -> None:
    from concertclean.metrics.catalogue import METRICS

    for name, metric in METRICS.items():
        columns = ", ".join(score.name + (f" ({score.unit})" if score.unit else "") for score in metric.scores)
        console.say(f"{name:<12}{metric.title}: {columns}")


def _datasets(given: list[Path], *, reproduce: bool) -> Iterable[Path]:
    """The datasets to judge on; for the README's tables, where recipes/README.md builds them."""
    if given:
        return given
    found = [Path(folder) for folder in _BUILT if os.path.isdir(folder)] if reproduce else []
    if not found:
        where = "build data/concert and data/gramophone as recipes/README.md says, or give" if reproduce else "give"
        raise ConfigError(f"there is nothing to judge; {where} --dataset FOLDER, or REFERENCE and ESTIMATE")
    return found
