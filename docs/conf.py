"""The documentation site: `make docs` builds it into docs/_build, and a man page.

Pages about options and exit codes are written from the program itself before every build, so that they cannot drift.
"""

from pathlib import Path

import typer
from typer.cli import get_docs_for_click

import concertclean
from concertclean.cli.app import app
from concertclean.cli.console import EXIT_CODES, SOME_FAILED

project = "concertclean"
author = "the concertclean developers"
version = release = concertclean.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "concertclean"
html_show_copyright = False
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]
man_pages = [("made/commands", "concertclean", "restores music recordings", [author], 1)]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
suppress_warnings = ["myst.header"]  # commands have headings of their own depth

_HERE = Path(__file__).parent
_MADE = _HERE / "made"


def write_generated_pages() -> None:
    """Writes what the program knows about itself."""
    _MADE.mkdir(exist_ok=True)
    command = typer.main.get_command(app)
    with command.make_context("concertclean", [], resilient_parsing=True) as context:
        text = get_docs_for_click(obj=command, ctx=context, name="concertclean", title="Commands and options")
    (_MADE / "commands.md").write_text(text, encoding="utf-8")
    rows = [(0, "everything was done"), (1, "a fault of the program, met unexpectedly")]
    rows += [(code, (kind.__doc__ or "").split("\n")[0].rstrip(".")) for kind, code in EXIT_CODES]
    rows.append((SOME_FAILED, "some recordings of several failed; the rest were done"))
    lines = [f"| {code} | {meaning[0].lower()}{meaning[1:]} |" for code, meaning in sorted(rows)]
    table = "\n".join(["| code | meaning |", "|---|---|", *lines])
    (_MADE / "exit_codes.md").write_text(f"{table}\n", encoding="utf-8")


write_generated_pages()
