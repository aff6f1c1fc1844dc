"""What commands that print tables share."""

from rich.table import Table
from rich.text import Text

from concertclean.cli import console


def print_table(title: str, header: list[str], body: list[list[str]]) -> None:
    """A table for people."""
    from rich.box import SIMPLE_HEAD

    table = Table(
        title=title or None,
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for place, name in enumerate(header):
        table.add_column(name, justify="left" if place == 0 or name == "recording" else "right", overflow="fold")
    for line in body:
        table.add_row(*(Text(cell) for cell in line))
    console.show(table)


def names_in(text: str) -> tuple[str, ...]:
    """Names between commas, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
