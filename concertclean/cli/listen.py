"""`concertclean listen`: a listening test as a page, and what its results say."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from concertclean.cli import console
from concertclean.cli.bars import bars
from concertclean.errors import ConfigError

if TYPE_CHECKING:
    from concertclean.report.scores import ConditionScore

app = typer.Typer(
    name="listen", help="Listening tests (MUSHRA): build a page, score its results.", no_args_is_help=True
)

_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what exists.")]
_Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Errors only.")]
_PICTURES = (".png", ".pdf", ".svg")


@app.command()
def build(
    file: Annotated[Path, typer.Argument(metavar="SET.toml", help="The test: items, references, conditions.")],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The page; without it, SET.html beside.", show_default=False)
    ] = None,
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Makes the page of a listening test: one file that works without server and network.

    It holds excerpts of equal loudness, the hidden reference and low-passed anchors, and saves its results as a file.
    """
    from concertclean.config.listening import read_listening_settings
    from concertclean.report.listening import write_listening_test

    settings = read_listening_settings(file)
    target = output or file.with_suffix(".html")
    with console.ending_on_signals(), bars(quiet=quiet) as progress:
        n_items = len(settings.item)
        write_listening_test(
            target, settings, overwrite=overwrite, progress=lambda n_done: progress("items", n_done, n_items)
        )
    if not quiet:
        console.note(f"-> {target} ({target.stat().st_size / 1e6:.0f} MB)")
        console.note("send it to your listeners; they send their results back, for: concertclean listen score *.json")


@app.command()
def score(
    results: Annotated[list[Path], typer.Argument(help="Files that listeners saved, JSON or CSV.", show_default=False)],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Box plots as PNG, PDF or SVG.", show_default=False)
    ] = None,
    keep_all: Annotated[
        bool, typer.Option("--keep-all", help="Also listeners who did not find the hidden reference.")
    ] = False,
    as_relative: Annotated[
        bool, typer.Option("--relative", help="Differences from the hidden noisy recording, item by item.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a table.")] = False,
    overwrite: _Overwrite = False,
) -> None:
    """Prints mean, 95 % interval and median of each condition.

    Listeners who score the hidden reference below 90 in more than 15 % of the items are left out, as in BS.1534-3.
    """
    from concertclean.report.scores import draw_boxes, read_results, relative, screen, summarise

    if as_json and as_csv:
        raise ConfigError("--json and --csv exclude each other; choose one")
    if output is not None and output.suffix.lower() not in _PICTURES:
        raise ConfigError(f"{output}: a picture is one of {', '.join(_PICTURES)}; name it so")
    ratings = read_results(results)
    kept, screened = (ratings, []) if keep_all else screen(ratings)
    for one in screened:
        low = f"hidden reference below 90 in {one.n_low} of {one.n_items} items"
        console.note(f"{one.participant} is left out: {low}; --keep-all keeps everybody")
    if not kept:
        raise ConfigError("no listener is left after post-screening; look at the results, or use --keep-all")
    if as_relative:
        kept = relative(kept)
    n_listeners = len({rating.participant for rating in kept})
    summary = f"{n_listeners} listener{'s' if n_listeners > 1 else ''}, {len({one.item for one in kept})} items"
    if output is not None:
        draw_boxes(output, kept, title=summary, overwrite=overwrite, is_relative=as_relative)
        console.note(f"-> {output}")
    scores = summarise(kept)
    if as_json:
        from dataclasses import asdict

        facts = {"listeners": n_listeners, "left_out": [asdict(one) for one in screened]}
        console.say(json.dumps({**facts, "scores": [asdict(one) for one in scores]}, indent=2, ensure_ascii=False))
    elif as_csv:
        _print_csv(scores)
    else:
        _print_table(scores, summary)


def _print_csv(scores: "list[ConditionScore]") -> None:
    import csv
    import io
    from dataclasses import asdict

    text = io.StringIO()
    table = csv.DictWriter(text, list(asdict(scores[0])), lineterminator="\n")
    table.writeheader()
    table.writerows(asdict(one) for one in scores)
    console.say(text.getvalue().rstrip("\n"))


def _print_table(scores: "list[ConditionScore]", title: str) -> None:
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=None)
    table.add_column("condition")
    for heading in ("n", "mean", "95 % interval", "median", "quartiles"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in scores:
        name = {"reference": "hidden reference", "noisy": f"hidden {one.condition}"}.get(one.role, one.condition)
        interval = "–" if one.ci95 is None else f"{one.mean - one.ci95:.1f} to {one.mean + one.ci95:.1f}"
        quartiles = f"{one.lower_quartile:.0f} to {one.upper_quartile:.0f}"
        table.add_row(name, str(one.n), f"{one.mean:.1f}", interval, f"{one.median:.1f}", quartiles)
    console.show(table)
