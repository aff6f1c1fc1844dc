"""What a table of a paper is made of, whichever paper it is in.

A table has a row for each system and a column for each number. Published numbers stand beside ours, in a column of
their own; a cell without a number is empty. What could not be run is said below the table, with the reason.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from concertclean.errors import ConfigError

PUBLISHED = ", published"
"""End of the name of a column of published numbers."""

Progress = Callable[[str, int, int], None]
Cells = Sequence[float | None]


@dataclass(frozen=True)
class Request:
    """What a table is made from.

    Attributes:
        data: the user's copy of the corpus, laid out as the table asks.
        folder: for the test set, what is trained on the way and pages.
        weights: files by the name of their row, instead of those that the paper recipes write.
        n_items: of the test set; None: as many as published.
        steps: of networks that the table trains; None: as many as their recipes say.
        seed: of the test set.
        progress: receives the current step, the number done, and the total.
    """

    data: Path
    folder: Path
    weights: Mapping[str, Path] = field(default_factory=dict)
    n_items: int | None = None
    steps: int | None = None
    seed: int = 0
    progress: Progress = lambda what, done, total: None


@dataclass(frozen=True)
class Row:
    """Numbers of one system.

    Attributes:
        name: of the system, as in the paper.
        ours: a number for each column; None: not measured.
        published: likewise.
    """

    name: str
    ours: Cells
    published: Cells


@dataclass(frozen=True)
class Outcome:
    """A table that was made.

    Attributes:
        columns: names of its numbers.
        rows: in the order of the paper.
        remarks: what could not be run and why, choices, and what was written.
        decimals: of the numbers.
    """

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    remarks: tuple[str, ...] = ()
    decimals: int = 2


@dataclass(frozen=True)
class PaperTable:
    """A table by name.

    Attributes:
        title: what it shows.
        layout: what the folder of data must hold.
        make: makes it.
    """

    title: str
    layout: str
    make: Callable[[Request], Outcome]


@dataclass(frozen=True)
class System:
    """A row that needs weights.

    Attributes:
        row: its name in the table.
        recipe: of the network, in recipes/paper.
        name: of the weights, where a recipe trains several; else "paper-" and the name of the recipe.
    """

    row: str
    recipe: str
    name: str = ""


def grid(outcome: Outcome) -> tuple[list[str], list[list[str]]]:
    """Header and body of a table: each number, and what was published, where anything was, in a column beside it."""
    published = [any(row.published[k] is not None for row in outcome.rows) for k in range(len(outcome.columns))]
    header, body = ["system"], [[row.name] for row in outcome.rows]
    for k, column in enumerate(outcome.columns):
        header.append(column)
        for row, cells in zip(outcome.rows, body, strict=True):
            cells.append(_number(row.ours[k], outcome.decimals))
        if published[k]:
            header.append(f"{column}{PUBLISHED}")
            for row, cells in zip(outcome.rows, body, strict=True):
                cells.append(_number(row.published[k], outcome.decimals))
    return header, body


def find_weights(request: Request, systems: Iterable[System]) -> tuple[dict[str, Path], list[str]]:
    """Weights of the rows that can be run, and a remark for each of the others.

    Args:
        request: its weights come first, then runs/NAME/NAME.safetensors, where training by a recipe writes them.
        systems: rows.

    Raises:
        ConfigError: weights are given for a row that the table does not have, or their file does not exist.
    """
    systems = list(systems)
    unknown = sorted(set(request.weights) - {system.row for system in systems})
    if unknown:
        rows = ", ".join(system.row for system in systems)
        raise ConfigError(f"{', '.join(unknown)}: no such row with weights; choose from {rows}")
    found, remarks = {}, []
    for system in systems:
        name = system.name or f"paper-{system.recipe}"
        given = request.weights.get(system.row)
        path = given or Path("runs") / name / f"{name}.safetensors"
        if os.path.isfile(path):
            found[system.row] = path
        elif given:
            raise ConfigError(f"{given}: weights of {system.row} do not exist; check the name")
        else:
            remarks.append(f"{system.row}: not run, {path} does not exist; train recipes/paper/{system.recipe}.toml")
    return found, remarks


def mean(values: Iterable[float | None]) -> float | None:
    """Mean of the finite numbers; None if there are none."""
    finite = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(finite)) if finite else None


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"
