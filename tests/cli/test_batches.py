"""Batches from the command line: manifests, shards, and that a killed batch loses nothing and does nothing twice."""

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.cli.conftest import Ended
from tests.cli.test_kills import ENVIRONMENT

Program = Callable[..., Ended]
RATE = 44_100


def tree(folder: Path, count: int, seconds: float = 0.3) -> list[str]:
    """Recordings in folders of folders; their names."""
    names = [f"{'abc'[i % 3]}/{'' if i % 2 else 'deep/'}{i:04}.wav" for i in range(count)]
    for i, name in enumerate(names):
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(i).uniform(-0.1, 0.1, (round(seconds * RATE), 1))
        soundfile.write(path, noise, RATE)
    return names


def results(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_shards_together_are_the_tree_of_one_run(program: Program, tmp_path: Path) -> None:
    tree(tmp_path, 24, 0.05)
    assert program("denoise", "in", "-r", "--model", "declick", "-o", "whole", "-q").code == 0
    found = []
    for number in range(1, 17):
        words = ("--shard", f"{number}/16", "--manifest", f"{number}.jsonl")
        assert program("denoise", "in", "-r", "--model", "declick", "-o", "shards", *words, "-q").code == 0
        found += [record["input"] for record in records(tmp_path / f"{number}.jsonl") if record["status"] == "done"]
    assert results(tmp_path / "shards") == results(tmp_path / "whole")
    assert len(found) == len(set(found)) == 24
    manifests = [f"{number}.jsonl" for number in range(1, 17)]
    assert program("batch", "merge", *manifests, "-o", "all.jsonl").code == 0
    ended = program("denoise", "in", "-r", "--model", "declick", "-o", "shards", "--manifest", "all.jsonl")
    assert "0 restored, 24 skipped, 0 failed" in ended.err
    soundfile.write(tmp_path / "in/new.wav", np.zeros(1000), RATE)
    counts = []
    for number in range(1, 17):
        ended = program(
            "denoise", "in", "-r", "--model", "declick", "-o", "shards", "--shard", f"{number}/16",
            "--manifest", f"{number}.jsonl", "-q",
        )  # fmt: skip
        counts.append(sum(record["input"].endswith("new.wav") for record in records(tmp_path / f"{number}.jsonl")))
    assert sorted(counts) == [0] * 15 + [2]  # begun and done, in one of them


def test_a_single_recording_that_is_done_is_reported_as_skipped(program: Program, tmp_path: Path) -> None:
    tree(tmp_path, 1)
    words = "denoise", "in", "-r", "--model", "declick", "-o", "out", "--manifest", "run.jsonl"
    assert program(*words).code == 0
    assert "0 restored, 1 skipped, 0 failed in " in program(*words).err


def test_the_state_of_a_batch_is_printed(program: Program, tmp_path: Path) -> None:
    tree(tmp_path, 3)
    (tmp_path / "in/bad.wav").write_bytes(b"no music" * 99)
    ended = program("denoise", "in", "-r", "--model", "declick", "-o", "out", "--manifest", "run.jsonl")
    assert ended.code == 3
    assert ended.err.count("in/bad.wav: ") == 1, "what failed is reported once"
    assert "3 restored, 1 failed in " in ended.err
    status = program("batch", "status", "run.jsonl")
    assert status.code == 0
    first, failed = status.out.decode().splitlines()
    assert first.startswith("3 restored, 1 failed; 0.9 s of audio in ")
    assert "bad.wav: " in failed
    found = json.loads(program("batch", "status", "run.jsonl", "--json").out)
    assert found["counts"] == {"done": 3, "failed": 1}
    assert found["failed"][0]["input"] == str(tmp_path / "in/bad.wav")


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (("in", "--shard", "0/4"), "--shard 0/4: write K/N"),
        (("in", "--shard", "5/4"), "--shard 5/4: write K/N"),
        (("in", "--verify"), "--manifest"),
        (("-", "--manifest", "a.jsonl"), "are for files"),
        (("in", "--engine", "dask"), "choose threads or ray"),
        (("in", "--address", "auto"), "add --engine ray"),
        (("-", "--engine", "ray"), "is for files"),
        (("in", "--engine", "ray", "--device", "cuda:1"), "choose cuda"),
        (("in", "--manifest", "in/b/0001.wav"), "line 1 is not that of a manifest"),
    ],
)
def test_what_makes_no_sense_is_refused(program: Program, tmp_path: Path, words: tuple[str, ...], fact: str) -> None:
    tree(tmp_path, 2)
    before = results(tmp_path)
    ended = program("denoise", *words, "-r", "--model", "declick")
    assert ended.code != 0
    assert fact in ended.err
    assert results(tmp_path) == before


def test_an_empty_shard_is_no_error(program: Program, tmp_path: Path) -> None:
    tree(tmp_path, 1)
    codes = [program("denoise", "in", "-r", "--model", "declick", "--shard", f"{k}/3").code for k in (1, 2, 3)]
    assert codes == [0, 0, 0]


def batch(folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "concertclean", "denoise", "in", "-r", "--model", "dehum,declick", "-o", "out"]
    environment = ENVIRONMENT | {"TMPDIR": str(folder), "CONCERTCLEAN_CONFIG_DIR": str(folder / "none")}
    return subprocess.Popen(
        [*command, "--manifest", "run.jsonl", "--threads", "3"],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip


def interrupted_often(folder: Path, count: int, n_interruptions: int, seed: int) -> None:
    """Every output is there once, equal to that of a run without interruptions; nothing that was done is done twice."""
    rng = np.random.default_rng(seed)
    tree(folder, count)
    running = batch(folder)
    begin = time.monotonic()
    _, err = running.communicate(timeout=300)
    seconds = time.monotonic() - begin
    assert running.returncode == 0, err.decode()
    whole = results(folder / "out")
    done = set[str]()
    for number in range(n_interruptions):
        if not number % 5:
            for path in (folder / "out").rglob("*.wav"):
                path.unlink()
            (folder / "run.jsonl").unlink()
            done = set()
        running = batch(folder)
        time.sleep(rng.uniform(0.2, 0.9) * seconds)
        running.send_signal((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)[number % 3])
        _, err = running.communicate(timeout=60)
        assert b"Traceback" not in err, err.decode()
        lines = [record for record in records(folder / "run.jsonl") if record["status"] == "done"]
        now = Counter(record["input"] for record in lines)
        assert set(now.values()) <= {1}, "nothing was done twice"
        assert done <= set(now), "what was done stays done"
        done = set(now)
        if number % 3:  # asked to end, not killed
            assert not list(folder.rglob(".concertclean*"))
    _, err = (running := batch(folder)).communicate(timeout=300)
    assert running.returncode == 0, err.decode()
    assert results(folder / "out") == whole
    assert not list(folder.rglob(".concertclean*"))
    lines = [record["input"] for record in records(folder / "run.jsonl") if record["status"] == "done"]
    assert len(lines) == len(set(lines)) == count


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_an_interrupted_batch_goes_on(tmp_path: Path) -> None:
    interrupted_often(tmp_path, 40, 3, seed=1)


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_thirty_interruptions(tmp_path: Path) -> None:
    interrupted_often(tmp_path, 120, 30, seed=2)


@pytest.mark.long
def test_two_thousand_short_recordings_cost_little_more_than_their_processing(tmp_path: Path) -> None:
    tree(tmp_path, 2000, 1.0)
    begin = time.monotonic()
    _, err = (running := batch(tmp_path)).communicate(timeout=900)
    elapsed = time.monotonic() - begin
    assert running.returncode == 0, err.decode()
    lines = [record for record in records(tmp_path / "run.jsonl") if record["status"] == "done"]
    assert len(lines) == 2000
    work = sum(record["elapsed_seconds"] for record in lines) / 3  # three at once
    assert (elapsed - work) / 2000 < 0.015
