"""What the benchmark found, as a page of tables and for programs; equal scores make equal files."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from concertclean import __version__
from concertclean.evaluate.benchmark.entrants import Entrant
from concertclean.evaluate.benchmark.mixtures import MixtureSet
from concertclean.evaluate.harm import harm_table
from concertclean.evaluate.scoring import Scored
from concertclean.evaluate.tables import as_json, as_markdown, ratio_tables, rows_of
from concertclean.files.atomic import write_text
from concertclean.metrics.catalogue import scores_of

PAGE: Final = "RESULTS.md"
RECORDS: Final = "results.json"


def write_results(
    folder: Path,
    mixtures: MixtureSet,
    metrics: Sequence[str],
    rows: Sequence[Entrant],
    scored: Sequence[Scored],
    how: Sequence[str],
) -> None:
    """Write `RESULTS.md` and `results.json`.

    Args:
        folder: that holds the scores.
        mixtures: that were scored.
        metrics: names of `METRICS`.
        rows: complete ones, in order.
        scored: every mixture under every row, row by row.
        how: command lines: to make the table, and to add a row to it.

    Raises:
        OutputError: the folder cannot be written.
    """
    summaries = rows_of(scored, scores_of(metrics))
    facts = {
        "version": __version__,
        **mixtures.facts,
        "metrics": list(metrics),
        "methods": [{"name": one.name, "kind": one.kind, "version": one.version} for one in rows],
    }
    write_text(folder / RECORDS, as_json(summaries, [_without_time(one) for one in scored], facts) + "\n")
    tables = [*ratio_tables(summaries), harm_table(scored, set())]
    made, adding = how
    head = [
        f"# Benchmark: {mixtures.task}",
        f"{len(mixtures.mixtures)} mixtures of {mixtures.n_items} songs, seed {mixtures.seed}, sha256 of the set "
        f"`{mixtures.sha256}`. In each cell are means over the songs, the first with its 95 % interval.",
        f"Made by concertclean {__version__} with",
        f"```\n{made}\n```",
    ]
    kinds = as_markdown([("What the rows are:", ["row", "kind", "version"], [_line(one) for one in rows])])
    tail = ["To add a row, restore the exported mixtures, keep their names, and run", f"```\n{adding}\n```"]
    write_text(folder / PAGE, "\n\n".join([*head, as_markdown(tables).rstrip(), kinds.rstrip(), *tail]) + "\n")


def _line(one: Entrant) -> list[str]:
    return [one.name, one.kind, one.version]


def _without_time(one: Scored) -> Scored:
    """What depends on the machine is left out."""
    return replace(one, elapsed_seconds=0.0)
