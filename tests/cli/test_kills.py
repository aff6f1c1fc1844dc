"""Runs that are killed at any moment: no output is half-written, the next run does the rest, nothing is left behind."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import soundfile
import torch

import concertclean
from concertclean.dataset.store import Store
from concertclean.weights.loading import load_model
from tests.cli.test_train import RATE as SLOW_RATE
from tests.cli.test_train import folders  # noqa: F401  (fixture)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")

RATE: Final = 44_100
NAMES: Final = ("a", "b", "c")
VARIANTS: Final = {
    "plain": [],
    "removed": ["--removed"],
    "overwrite": ["--overwrite", "--removed"],
    "loudness": ["--loudness", "match", "--removed"],
    "report": ["--report"],
}
ENVIRONMENT: Final = os.environ | {"PYTHONPATH": str(Path(concertclean.__file__).parents[1])}
OLD: Final = b"what was there before"


def start(folder: Path, *words: str) -> "subprocess.Popen[bytes]":
    names = [f"{name}.wav" for name in NAMES]
    command = [sys.executable, "-m", "concertclean", "denoise", *names, "--model", "dehum,declick", "-o", "out", *words]
    environment = ENVIRONMENT | {"TMPDIR": str(folder), "CONCERTCLEAN_CONFIG_DIR": str(folder / "none")}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def outputs(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent != folder)
    # A page holds the time of its making.
    return {path.name: b"page" if path.suffix == ".html" else path.read_bytes() for path in files}


def ended_well(running: "subprocess.Popen[bytes]") -> None:
    _, err = running.communicate(timeout=120)
    assert running.returncode == 0, err.decode()


def killed_often(folder: Path, variant: str, n_kills: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = VARIANTS[variant]
    for name in NAMES:
        soundfile.write(folder / f"{name}.wav", rng.uniform(-0.1, 0.1, (2 * RATE, 1)), RATE)
    begin = time.monotonic()
    ended_well(start(folder, *words))
    seconds = time.monotonic() - begin
    whole = outputs(folder)
    assert len(whole) == len(NAMES) * (2 if "--removed" in words else 1) + ("--report" in words)
    for _ in range(n_kills):
        for path in (folder / "out").iterdir():
            path.write_bytes(OLD) if variant == "overwrite" else path.unlink()
        running = start(folder, *words)
        time.sleep(rng.uniform(0.25, 1.0) * seconds)
        running.kill()
        running.communicate()
        visible = {name: data for name, data in outputs(folder).items() if not name.startswith(".")}
        assert all(data in (whole[name], OLD) for name, data in visible.items())
        ended_well(start(folder, *words, *([] if variant == "overwrite" else ["--skip-existing"])))
        assert outputs(folder) == whole
        assert sorted(path.name for path in folder.iterdir()) == ["a.wav", "b.wav", "c.wav", "out"]


@pytest.mark.parametrize(("variant", "n_kills"), [("removed", 2), ("overwrite", 1)])
def test_a_killed_batch_goes_on(tmp_path: Path, variant: str, n_kills: int) -> None:
    killed_often(tmp_path, variant, n_kills, seed=1)


def run(folder: Path, *words: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "concertclean", *words]
    return subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def killed_after(running: "subprocess.Popen[bytes]", seconds: float) -> None:
    time.sleep(seconds)
    running.kill()
    running.communicate()


BUILD: Final = (
    "dataset", "build", "gramophone", "data", "--clean", "songs", "--noise", "noise", "--sample-rate", str(SLOW_RATE),
    "--validation-items", "1", "--test-items", "1", "--workers", "1",
)  # fmt: skip


def built_and_trained_with_kills(folder: Path, n_kills: int, seed: int) -> None:
    """Both go on where they were, and end where a run without kills does."""
    rng = np.random.default_rng(seed)
    begin = time.monotonic()
    ended_well(run(folder, *BUILD))
    build_seconds = time.monotonic() - begin
    whole = {entry.name: entry.n_samples for entry in Store(folder / "data").entries}
    mixtures = {
        path.relative_to(folder / "data"): path.read_bytes() for path in (folder / "data/fixed").rglob("*.flac")
    }
    begin = time.monotonic()
    ended_well(run(folder, "train", "-c", "tiny.toml", "--set", "run.threads=1", "-o", "whole"))
    train_seconds = time.monotonic() - begin
    for number in range(n_kills):
        shutil.rmtree(folder / "data")
        killed_after(run(folder, *BUILD), rng.uniform(0.3, 1.0) * build_seconds)
        ended_well(run(folder, *BUILD))
        assert {entry.name: entry.n_samples for entry in Store(folder / "data").entries} == whole
        assert all((folder / "data" / name).read_bytes() == data for name, data in mixtures.items())
        ended_well(run(folder, "dataset", "check", "data"))
        output = f"run{number}"
        killed_after(
            run(folder, "train", "-c", "tiny.toml", "--set", "run.threads=1", "-o", output),
            rng.uniform(0.5, 1.0) * train_seconds,
        )
        ended_well(run(folder, "train", "-c", "tiny.toml", "--set", "run.threads=1", "-o", output, "--resume", "auto"))
        expected = load_model(folder / "whole/tiny.safetensors").model.state_dict()
        found = load_model(folder / output / "tiny.safetensors").model.state_dict()
        assert all(torch.equal(expected[name], found[name]) for name in expected)
        left = [path for path in folder.rglob("*.part") if path.parent.name != "samples"]
        assert left == []


@pytest.mark.long
def test_a_killed_build_and_a_killed_training_go_on(folders: Path) -> None:  # noqa: F811
    built_and_trained_with_kills(folders, 1, seed=4)


@pytest.mark.long
def test_ten_kills_of_building_and_training(folders: Path) -> None:  # noqa: F811
    built_and_trained_with_kills(folders, 10, seed=5)


@pytest.mark.long
@pytest.mark.parametrize("variant", VARIANTS)
def test_fifty_kills(tmp_path: Path, variant: str) -> None:
    killed_often(tmp_path, variant, 10, seed=2)
