"""No module but `files.atomic` renames a file or writes one in one go: a contract over the whole package."""

import ast
from pathlib import Path

import pytest

import concertclean

PACKAGE = Path(concertclean.__file__).parent


def own_writers(tree):
    """Lines where a module renames a file, forces it to the disk, or writes it in one go by itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.endswith(".part"):
            yield node.lineno
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        name, owner = node.func.attr, node.func.value
        # A path's `replace` has one argument, a text's two or three, a date's and a record's are named.
        is_replace = name == "replace" and len(node.args) == 1 and not node.keywords
        is_os = isinstance(owner, ast.Name) and owner.id == "os" and name in {"replace", "link", "fsync"}
        if is_replace or is_os or name in {"rename", "write_text", "write_bytes", "hardlink_to"}:
            yield node.lineno


@pytest.mark.parametrize(
    ("code", "n_found"),
    [
        ("part.replace(target)", 1),
        ("os.replace(part, target)", 1),
        ("os.fsync(1)", 1),
        ("path.write_text('')", 1),
        ("f'{name}.part'", 1),
        ("text.replace('a', 'b')", 0),
        ("date.replace(year=1)", 0),
        ("write_text(path, '')", 0),
    ],
)
def test_search_for_other_writers_finds_them(code, n_found):
    assert len(list(own_writers(ast.parse(code)))) == n_found


def test_only_this_package_renames_part_files():
    modules = [path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE / "files"]
    found = {str(path): list(own_writers(ast.parse(path.read_text(encoding="utf-8")))) for path in modules}
    assert {path: lines for path, lines in found.items() if lines} == {}
    assert list(own_writers(ast.parse((PACKAGE / "files" / "atomic.py").read_text(encoding="utf-8"))))
