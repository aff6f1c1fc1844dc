"""Rules of the house that a linter does not know."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "concertclean"
MODULES = sorted(PACKAGE.rglob("*.py"))
BELOW_CLI = [path for path in MODULES if "cli" not in path.relative_to(PACKAGE).parts]
_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]+|(?<!\w)-[or] [A-Z]")
_FOREIGN_FLAGS = {"--fsys-tarfile"}  # of dpkg-deb
_MOST_LINES, _MOST_FUNCTION_LINES, _MOST_CONSTRUCTOR_LINES = 300, 50, 60


@pytest.mark.parametrize("path", BELOW_CLI, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_command_line_knows_flags(path: Path) -> None:
    assert not set(_FLAG.findall(path.read_text(encoding="utf-8"))) - _FOREIGN_FLAGS


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    """Lists of options apart: the parameters of a command are not counted."""
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= _MOST_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0].lineno if "cli" in path.parts else node.lineno
            most = _MOST_CONSTRUCTOR_LINES if node.name == "__init__" else _MOST_FUNCTION_LINES
            length = (node.end_lineno or node.lineno) - first + 1
            assert length <= most, f"{node.name} has {length} lines"


@pytest.mark.parametrize("room", ["restore", "networks"])
def test_types_are_not_ignored_where_it_matters(room: str) -> None:
    found = [path.name for path in (PACKAGE / room).rglob("*.py") if "type: ignore" in path.read_text(encoding="utf-8")]
    assert not found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_whether_a_path_exists_is_asked_without_exceptions(path: Path) -> None:
    """`Path.exists` raises for names that are too long, `os.path.exists` never does."""
    assert not re.findall(r"\.(?:exists|is_file|is_dir)\(\)", path.read_text(encoding="utf-8"))
