"""The documentation: it is built without a warning, its links lead somewhere, and README stays short."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    commands = re.sub(r"<[^>]+>", "", (tmp_path / "made/commands.html").read_text(encoding="utf-8"))
    for name in ("denoise", "debleed", "serve", "batch merge", "models import", "dataset build"):
        assert f"concertclean {name}" in commands
    assert "--max-reduction" in commands
    assert "autofunction" not in (tmp_path / "python.html").read_text(encoding="utf-8")


def test_the_man_page_names_every_command(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "man", "docs", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    page = (tmp_path / "concertclean.1").read_text(encoding="utf-8")
    headings = set(re.findall(r'^\.S[HS] "?(.*?)"?$', page, re.MULTILINE))
    assert {"NAME", "CONCERTCLEAN DENOISE", "CONCERTCLEAN DEBLEED"} <= {heading.upper() for heading in headings}
    assert r"max\-reduction" in page


@pytest.mark.parametrize(
    "name", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_to_files_that_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [
        target
        for target in targets
        if not target.startswith("http") and not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert missing == []


def test_the_readme_is_a_screen_and_a_half() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) < 130


def test_every_warning_of_the_code_is_explained() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "concertclean").rglob("*.py"))
    text = (ROOT / "docs/warnings.md").read_text(encoding="utf-8")
    assert set(re.findall(r'["\'(]W(1\d\d) ', code)) <= set(re.findall(r"W(1\d\d)", text))
