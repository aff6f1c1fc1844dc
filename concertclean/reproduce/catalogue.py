"""The tables by paper and name."""

from concertclean.errors import ConfigError
from concertclean.reproduce import ddae, irmr
from concertclean.reproduce.table import PaperTable

PAPERS: dict[str, dict[str, PaperTable]] = {
    "irmr": irmr.TABLES,
    "ddae": ddae.TABLES,
}
"""Tables of each paper by name."""


def find_table(paper: str, table: str) -> PaperTable:
    """A table.

    Raises:
        ConfigError: the paper or the table is unknown.
    """
    if paper not in PAPERS:
        raise ConfigError(f"unknown paper {paper!r}; choose from {', '.join(PAPERS)}")
    if table not in PAPERS[paper]:
        raise ConfigError(f"unknown table {table!r} of {paper}; choose from {', '.join(PAPERS[paper])}")
    return PAPERS[paper][table]
