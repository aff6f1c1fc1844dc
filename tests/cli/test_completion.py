"""What the shell offers after an option."""

import subprocess
import sys

import pytest

from concertclean.cli import completion
from concertclean.config.denoise import AUTO, PRESETS, DenoiseSettings
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.restore.build import build_restorer
from concertclean.restore.chain import stages_of


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("concertclean denoise a.wav --model dec", ["declick", "decrackle"]),
        ("concertclean denoise a.wav --model declick,con", ["declick,concert"]),
        ("concertclean denoise a.wav --preset v", ["vinyl"]),
        ("concertclean denoise a.wav --format m", ["m4a", "mp3"]),
        ("concertclean denoise a.wav --device c", ["cpu", "cuda"]),
    ],
)
def test_values_are_offered(line: str, expected: list[str]) -> None:
    """As bash asks; in a process of its own, which must not load torch."""
    code = """
import sys
from concertclean.cli.app import main
sys.argv = ["concertclean"]
try:
    main()
finally:
    assert "torch" not in sys.modules
"""
    words = line.split()
    environment = {
        "_CONCERTCLEAN_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "PYTHONPATH": ":".join(sys.path),
    }
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ended.stdout.split() == expected, ended.stderr


def test_every_name_that_is_offered_restores() -> None:
    others = {name for name, row in ARCHITECTURES.items() if row.task != "restore"}
    assert others == completion.OTHER_ARCHITECTURES
    offered = completion.models("")
    assert {AUTO, "concert", "gramophone", "steady", "lsa-c"} <= set(offered)
    assert completion.presets("") == sorted(PRESETS)
    for name in set(offered) - {AUTO, "gramophone-moliner"}:
        build_restorer(stages_of(name), DenoiseSettings(model=name, device="cpu", offline=True))
