"""The program as a person starts it: words in, exit code, standard output and standard error out."""

import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from concertclean.cli.app import main


@dataclass(frozen=True)
class Ended:
    """How a run of the program ended."""

    code: int
    out: bytes
    err: str


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., Ended]:
    """Runs the program in `tmp_path`, with no models but its own and none of the user's settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONCERTCLEAN_CONFIG_DIR", str(tmp_path / ".config"))
    monkeypatch.setenv("CONCERTCLEAN_MODEL_DIR", str(tmp_path / ".models"))
    for name in ("CONCERTCLEAN_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: object, stdin: bytes = b"") -> Ended:
        monkeypatch.setattr(sys, "argv", ["concertclean", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        captured = capsysbinary.readouterr()
        assert isinstance(code, int)
        return Ended(code, captured.out, captured.err.decode())

    return run
