"""`concertclean listen`: a page from a TOML file, and what the results say."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

Program = Callable[..., Any]

SET = """
title = "Test"
[[item]]
name = "one"
reference = "a.wav"
duration_seconds = 1
[item.conditions]
x = "a.wav"
"""


@pytest.fixture
def files(tmp_path: Path, noise: Callable[..., np.ndarray]) -> Path:
    soundfile.write(tmp_path / "a.wav", noise(16_000, channels=1).T, 16_000)
    (tmp_path / "set.toml").write_text(SET)
    return tmp_path


def result(path: Path, participant: str, scores: dict[str, float]) -> Path:
    ratings = [
        {"item": "one", "condition": name, "role": "reference" if name == "reference" else "condition", "score": score}
        for name, score in scores.items()
    ]
    path.write_text(json.dumps({"test": "t", "participant": participant, "ratings": ratings}))
    return path


def test_build(program: Program, files: Path) -> None:
    ended = program("listen", "build", "set.toml")
    assert (ended.code, ended.out) == (0, b"")
    assert "set.html" in ended.err
    assert (files / "set.html").read_text().startswith("<!doctype html>")
    assert program("listen", "build", "set.toml").code == 9
    assert program("listen", "build", "set.toml", "--overwrite", "-q").err == ""
    assert program("listen", "build", "set.toml", "-o", "other.html").code == 0


def test_scores_as_differences_from_the_noisy_recording(program: Program, tmp_path: Path) -> None:
    ratings = [
        {"item": item, "condition": name, "role": role, "score": score}
        for item, noisy, score in (("one", 10, 60), ("two", 30, 50))
        for name, role, score in (("noisy recording", "noisy", noisy), ("x", "condition", score))
    ]
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"test": "t", "participant": "Ann", "ratings": ratings}))
    ended = program("listen", "score", path, "--relative", "--json", "-o", "boxes.png")
    assert ended.code == 0, ended.err
    (score,) = json.loads(ended.out)["scores"]
    assert (score["condition"], score["n"], score["mean"]) == ("x", 2, 35.0)
    assert (tmp_path / "boxes.png").read_bytes().startswith(b"\x89PNG")
    clean = result(tmp_path / "clean.json", "Bob", {"reference": 100, "x": 50})
    ended = program("listen", "score", clean, "--relative")
    assert ended.code == 2
    assert "Bob rated no hidden noisy recording of 'one'" in ended.err


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (SET.replace("title", "titel"), 2, "titel: unknown"),
        (SET.replace("reference", "referents"), 2, "item 1: reference: missing"),
        (SET.replace("a.wav", "b.wav"), 4, "b.wav: does not exist"),
        (SET.replace("duration", "start").replace("= 1", "= 0.9"), 5, "half a second"),
    ],
)
def test_build_errors(program: Program, files: Path, text: str, code: int, message: str) -> None:
    (files / "set.toml").write_text(text)
    ended = program("listen", "build", "set.toml")
    assert ended.code == code
    assert message in ended.err
    assert not (files / "set.html").exists()


def test_score(program: Program, tmp_path: Path) -> None:
    result(tmp_path / "ann.json", "Ann", {"reference": 100, "x": 60})
    result(tmp_path / "bob.json", "Bob", {"reference": 95, "x": 70})
    result(tmp_path / "deaf.json", "Deaf", {"reference": 20, "x": 0})
    names = ["ann.json", "bob.json", "deaf.json"]
    ended = program("listen", "score", *names, "--json", "-o", "boxes.png")
    assert ended.code == 0
    assert "Deaf is left out: hidden reference below 90 in 1 of 1 items" in ended.err
    told = json.loads(ended.out)
    assert told["listeners"] == 2
    assert [(one["condition"], one["n"], one["mean"]) for one in told["scores"]] == [
        ("reference", 2, 97.5),
        ("x", 2, 65),
    ]
    assert (tmp_path / "boxes.png").read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(program("listen", "score", *names, "--csv", "--keep-all").out.decode().splitlines()))
    assert [(row["condition"], row["n"]) for row in rows] == [("reference", "3"), ("x", "3")]
    table = program("listen", "score", *names).out.decode()
    assert "hidden reference" in table
    assert "65.0" in table


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["missing.json"], 2, "missing.json: cannot be read"),
        (["deaf.json"], 2, "no listener is left"),
        (["ann.json", "--json", "--csv"], 2, "exclude each other"),
        (["ann.json", "-o", "out.gif"], 2, "a picture is one of"),
        (["ann.json", "-o", "ann.png"], 9, "already exists"),
    ],
)
def test_score_errors(program: Program, tmp_path: Path, words: list[str], code: int, message: str) -> None:
    result(tmp_path / "ann.json", "Ann", {"reference": 100, "x": 60})
    result(tmp_path / "deaf.json", "Deaf", {"reference": 20})
    (tmp_path / "ann.png").touch()
    ended = program("listen", "score", *words)
    assert ended.code == code
    assert message in ended.err


@pytest.mark.parametrize("words", [["build", "set.toml"], ["score", "ann.json", "-o", "boxes.png"]])
def test_full_disk_is_blamed_and_leaves_nothing(
    program: Program, files: Path, full_disk: list[str], words: list[str]
) -> None:
    result(files / "ann.json", "Ann", {"reference": 100, "x": 60})
    before = sorted(files.iterdir())
    assert full_disk
    ended = program("listen", *words)
    assert ended.code == 9
    assert ": cannot be written (No space left on device)" in ended.err
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize("name", ["x.json", "x.csv"])
@pytest.mark.parametrize("data", [b"[" * 100_000, b"\xff", b"[1]", b"{}", b"a" * 200_000, b"test,score\n1,2\n"])
def test_results_that_nobody_saved_are_refused(program: Program, files: Path, name: str, data: bytes) -> None:
    (files / name).write_bytes(data)
    ended = program("listen", "score", name)
    assert ended.code == 2
    assert f"error: {name}: " in ended.err or "no ratings found" in ended.err


@pytest.mark.parametrize("start", ["0", '"0:00"', '"0:00:00.1"'])
def test_excerpts_may_begin_at_minutes(program: Program, files: Path, start: str) -> None:
    words = f'start_seconds = {start}\nduration_seconds = "0:00.8"'
    (files / "set.toml").write_text(SET.replace("duration_seconds = 1", words))
    ended = program("listen", "build", "set.toml")
    assert ended.code == 0, ended.err
