"""`concertclean doctor`: a line for each thing, whatever is missing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import concertclean

Program = Callable[..., Any]


def test_doctor_tells_everything(program: Program) -> None:
    ended = program("doctor")
    assert ended.code == 0
    lines = dict(line.split(maxsplit=1) for line in ended.out.decode().splitlines())
    assert lines["concertclean"].startswith(concertclean.__version__)
    assert lines["device"].split()[0] in ("cpu", "cuda", "mps")
    assert lines["precision"] in ("fp32", "bf16", "fp16")
    assert ".m4a" in lines["reads"].split()
    assert lines["writes"].split() == ["wav", "flac", "m4a", "alac", "mp3", "opus", "ogg"]
    assert "libsndfile" in lines["libraries"]
    assert "gramophone-moliner" in ended.out.decode()


def test_doctor_survives_wrong_cards(program: Program, tmp_path: Path) -> None:
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config/models.toml").write_text("[mine]\nsample_rate = 0\n")
    ended = program("doctor")
    assert ended.code == 0
    assert "sample_rate" in ended.out.decode()
