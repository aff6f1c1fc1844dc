"""`concertclean reproduce`: a table of a paper, with what was published beside it."""

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from concertclean.cli import console
from concertclean.cli.bars import bars
from concertclean.cli.tables import print_table
from concertclean.errors import ConfigError, NoInputError

if TYPE_CHECKING:
    from concertclean.reproduce.table import Outcome


def reproduce(
    paper: Annotated[str | None, typer.Argument(help="Which paper; without it, all tables are listed.")] = None,
    table: Annotated[str | None, typer.Argument(help="Which of its tables; without it, they are listed.")] = None,
    *,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="Your copy of the corpus.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FOLDER", help="For what is made. \\[default: reproduce/PAPER-TABLE]"),
    ] = None,
    weights: Annotated[
        list[str] | None, typer.Option("--weights", metavar="ROW=FILE", help="Weights of a row; may be repeated.")
    ] = None,
    items: Annotated[int | None, typer.Option(min=1, help="Test items; without it, as many as published.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of networks that the table trains.")] = None,
    seed: Annotated[int, typer.Option(help="Of the test set.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Markdown instead of a table.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Prints a table of a paper in its layout: numbers measured here, and published ones in columns beside them.

    The test set is made from your copy of the corpus. Rows run whose weights exist: from --weights, or where training
    by a recipe of recipes/paper wrote them. What could not be run is said below the table, with the reason.
    """
    from concertclean.reproduce.catalogue import find_table
    from concertclean.reproduce.table import Request, grid

    if as_json and as_markdown:
        raise ConfigError("--json and --markdown exclude each other; choose one")
    if paper is None or table is None:
        _list_tables(paper)
        return
    found = find_table(paper, table)
    if data is None:
        raise NoInputError(f"{paper} {table}: add --data FOLDER, a folder with {found.layout}")
    if not os.path.isdir(data):
        raise NoInputError(f"{data}: not a folder; it must hold {found.layout}")
    folder = output or Path("reproduce") / f"{paper}-{table}"
    with console.ending_on_signals(), bars(quiet=quiet) as progress:
        request = Request(data, folder, _weights(weights or []), items, steps, seed, progress)
        outcome = found.make(request)
    if as_json:
        console.say(_as_json(paper, table, outcome))
        return
    header, body = grid(outcome)
    if as_markdown:
        console.say(_as_markdown(header, body))
    else:
        console.say(f"{paper} {table}: {found.title}")
        for block in _blocks([header, *body], shutil.get_terminal_size().columns):
            print_table("", block[0], block[1:])
            console.say("")
    for remark in outcome.remarks:
        console.note(remark)


def _blocks(lines: list[list[str]], width: int) -> list[list[list[str]]]:
    """A table as several, none wider than the screen; what was published stays beside what it belongs to."""
    from concertclean.reproduce.table import PUBLISHED

    first, *columns = map(list, zip(*lines, strict=True))
    pairs: list[list[list[str]]] = []
    for column in columns:
        if column[0].endswith(PUBLISHED):
            pairs[-1].append([PUBLISHED.removeprefix(", "), *column[1:]])
        else:
            pairs.append([column])
    blocks: list[list[list[str]]] = []
    left = 0
    for pair in pairs:
        needed = sum(2 + max(map(len, column)) for column in pair)
        if not blocks or needed > left:
            blocks.append([first])
            left = width - max(map(len, first))
        blocks[-1] += pair
        left -= needed
    return [[list(line) for line in zip(*block, strict=True)] for block in blocks]


def _list_tables(paper: str | None) -> None:
    """Every table, or those of one paper."""
    from concertclean.reproduce.catalogue import PAPERS, tables_of

    for name in PAPERS if paper is None else [paper]:
        for table, one in tables_of(name).items():
            console.say(f"{name} {table}: {one.title}")
            console.say(f"    --data FOLDER with {one.layout}")


def _weights(words: list[str]) -> dict[str, Path]:
    """Files by row."""
    pairs = [word.partition("=") for word in words]
    wrong = [word for word, (row, sign, file) in zip(words, pairs, strict=True) if not (row and sign and file)]
    if wrong:
        raise ConfigError(f"--weights {wrong[0]}: must be ROW=FILE, such as DCCRN=dccrn.safetensors")
    return {row: Path(file) for row, _, file in pairs}


def _as_json(paper: str, table: str, outcome: "Outcome") -> str:
    rows = [
        {
            "system": row.name,
            "ours": dict(zip(outcome.columns, row.ours, strict=True)),
            "published": dict(zip(outcome.columns, row.published, strict=True)),
        }
        for row in outcome.rows
    ]
    value = {"paper": paper, "table": table, "rows": rows, "remarks": outcome.remarks}
    return json.dumps(value, indent=2, ensure_ascii=False)


def _as_markdown(header: list[str], body: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *body))
