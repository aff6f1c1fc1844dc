"""The tables by paper and name."""

from concertclean.errors import ConfigError
from concertclean.reproduce import ddae, irmr, kanunet_eca, seanet, two_stage
from concertclean.reproduce.table import PaperTable

PAPERS: dict[str, dict[str, PaperTable]] = {
    "kanunet-eca": kanunet_eca.TABLES,
    "two-stage": two_stage.TABLES,
    "seanet": seanet.TABLES,
    "irmr": irmr.TABLES,
    "ddae": ddae.TABLES,
}
"""Tables of each paper by name."""


def tables_of(paper: str) -> dict[str, PaperTable]:
    """The tables of a paper by name.

    Raises:
        ConfigError: the paper is unknown.
    """
    if paper not in PAPERS:
        raise ConfigError(f"unknown paper {paper!r}; choose from {', '.join(PAPERS)}")
    return PAPERS[paper]


def find_table(paper: str, table: str) -> PaperTable:
    """A table.

    Raises:
        ConfigError: the paper or the table is unknown.
    """
    tables = tables_of(paper)
    if table not in tables:
        raise ConfigError(f"unknown table {table!r} of {paper}; choose from {', '.join(tables)}")
    return tables[table]
