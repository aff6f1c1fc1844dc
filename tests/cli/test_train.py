"""`concertclean train`, `dataset` and `config` as a person uses them: from two folders to weights that denoise."""

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.cli.stop_request import StopRequest
from concertclean.dataset.store import Store
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.weights.loading import load_model

RATE = 8000
RECIPE = """
name = "tiny"
license = "CC0-1.0"
[network]
architecture = "two_stage_unet"
[network.config]
sample_rate = 8000
n_fft = 128
hop_length = 32
depth = 1
widths = [4, 4]
padding = "zeros"
bands = 20
[data]
dataset = "data"
seconds = 0.3
batch = 2
workers = 0
[mixing]
task = "gramophone"
snr_db = [0, 10]
[loss]
name = "relative"
[optimizer]
warmup = 2
[run]
steps = 6
precision = "fp32"
log_every = 2
save_every = 2
validate_every = 3
validation_items = 1
"""


@pytest.fixture
def folders(tmp_path):
    """Three songs and three noises by different hands, a broken file among them, and a recipe."""
    rng = np.random.default_rng(0)
    time_axis = np.arange(3 * RATE) / RATE
    for number in range(3):
        (tmp_path / "songs" / f"artist {number}").mkdir(parents=True)
        (tmp_path / "noise" / f"disc {number}").mkdir(parents=True)
        song = 0.3 * np.sin(2 * np.pi * (200 + 130 * number) * time_axis)
        soundfile.write(tmp_path / "songs" / f"artist {number}" / "song.wav", song, RATE)
        soundfile.write(tmp_path / "noise" / f"disc {number}" / "a.wav", rng.uniform(-0.1, 0.1, 3 * RATE), RATE)
    (tmp_path / "songs" / "artist 0" / "broken.wav").write_bytes(b"no audio")
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return tmp_path


@pytest.fixture
def built(folders, program):
    words = ["gramophone", "data", "--clean", "songs", "--noise", "noise", "--sample-rate", RATE]
    ended = program("dataset", "build", *words, "--validation-items", 1, "--test-items", 1, "--workers", 1)
    assert ended.code == 0, ended.err
    return ended


def test_from_two_folders_to_weights_that_denoise(built, program, tmp_path):
    assert "broken.wav" in built.err
    assert "6 stored" in built.err
    trained = program("train", "--config", "tiny.toml")
    assert trained.code == 0, trained.err
    weights = tmp_path / "runs" / "tiny" / "tiny.safetensors"
    card = tomllib.loads(trained.out.decode())["tiny"]
    assert card["sha256"] == load_model(weights).sha256
    assert (card["license"], card["channels"], card["sample_rate"]) == ("CC0-1.0", 1, RATE)
    assert "validation" in (tmp_path / "runs" / "tiny" / "log.jsonl").read_text()
    assert sorted(p.name for p in (tmp_path / "runs" / "tiny" / "samples").iterdir()) == [
        "10 dB.flac", "3 dB.flac", "5 dB.flac", "clean.flac",
    ]  # fmt: skip
    assert json.loads((tmp_path / "runs" / "tiny" / "settings.json").read_text())["run"]["steps"] == 6
    denoised = program("denoise", "noise/disc 0/a.wav", "--model", weights, "-o", "out.wav")
    assert denoised.code == 0, denoised.err
    assert soundfile.info(tmp_path / "out.wav").frames == 3 * RATE


def test_the_card_makes_the_model_known_by_name(built, program, tmp_path):
    card = program("train", "--config", "tiny.toml").out
    (tmp_path / ".config").mkdir()
    (tmp_path / ".config" / "models.toml").write_bytes(card)
    assert program("models", "verify", "tiny").code == 0
    assert program("denoise", "noise/disc 0/a.wav", "--model", "tiny", "-o", "out.wav").code == 0


def test_a_run_that_is_there_is_not_written_over(built, program):
    assert program("train", "--config", "tiny.toml", "--set", "run.steps=3").code == 0
    again = program("train", "--config", "tiny.toml", "--set", "run.steps=3")
    assert again.code == 9
    assert "--resume auto" in again.err
    other = program("train", "--config", "tiny.toml", "--resume", "auto")
    assert other.code == 2
    assert "other settings" in other.err
    finished = program("train", "--config", "tiny.toml", "--set", "run.steps=3", "--resume", "auto")
    assert finished.code == 0


def test_resume_must_have_something_to_go_on_with(built, program):
    ended = program("train", "--config", "tiny.toml", "--resume", "must")
    assert ended.code == 2
    assert "holds no run" in ended.err


def test_a_dry_run_tells_and_writes_nothing(built, program, tmp_path):
    ended = program("train", "--config", "tiny.toml", "--dry-run")
    assert ended.code == 0, ended.err
    assert b"parameters" in ended.out
    assert b"s a step" in ended.out
    assert not (tmp_path / "runs").exists()


def test_favourites_that_are_not_trained_on_are_named(built, program, tmp_path):
    songs = [entry for entry in Store(tmp_path / "data").entries if entry.role == "clean"]
    groups = {song.split: song.group for song in songs}
    words = [f'--set=mixing.favourites."{name}"=3.0' for name in ("nobody", groups["test"], groups["train"])]
    ended = program("train", "--config", "tiny.toml", "--dry-run", *words)
    assert ended.code == 0, ended.err
    assert f"2 of 3 mixing.favourites match no group it trains on: nobody, {groups['test']}\n" in ended.err
    assert "the rest is drawn as usual; build the dataset from what the recipe names" in ended.err


def test_overfitting_takes_few_items(built, program, tmp_path):
    assert program("train", "--config", "tiny.toml", "--overfit", 2, "-q").code == 0


def test_interrupting_saves_and_going_on_ends_alike(built, program, tmp_path):
    """SIGTERM to a real process and its worker, then --resume auto: the bytes of a run that was left alone."""
    steps = [
        "--set",
        "data.workers=1",
        "--set",
        "run.steps=40",
        "--set",
        "run.validate_every=0",
        "--set",
        "run.save_every=1000",
    ]
    words = [sys.executable, "-m", "concertclean", "train", "--config", "tiny.toml", *steps]
    shared = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [*words, "-o", "parts"], cwd=tmp_path, env=shared, stderr=subprocess.PIPE, start_new_session=True
    )
    log = tmp_path / "parts" / "log.jsonl"
    end = time.monotonic() + 60
    while not log.exists() and time.monotonic() < end:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 143, told
    assert b"continue with --resume auto" in told
    assert not (tmp_path / "parts" / "tiny.safetensors").exists()
    subprocess.run(
        [*words, "-o", "parts", "--resume", "auto"], cwd=tmp_path, env=shared, check=True, capture_output=True
    )
    subprocess.run([*words, "-o", "whole"], cwd=tmp_path, env=shared, check=True, capture_output=True)
    first, second = (tmp_path / name / "tiny.safetensors" for name in ("parts", "whole"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--set", "run.stepz=3"], "run.stepz: unknown"),
        (["--set", "data.dataset=nowhere"], "contains no dataset"),
        (["--set", "network.config.sample_rate=16000"], "sample_rate 16000, the dataset has 8000"),
        (["--set", "run.device=abacus"], "abacus"),
    ],
)
def test_wrong_settings_end_with_code_2(built, program, words, complaint):
    ended = program("train", "--config", "tiny.toml", *words)
    assert ended.code == 2
    assert complaint in ended.err


def test_an_unknown_network_ends_with_code_6(built, program):
    ended = program("train", "--config", "tiny.toml", "--set", "network.architecture=perceptron")
    assert ended.code == 6
    assert f"known: {', '.join(ARCHITECTURES)}; " in ended.err


def test_weights_to_start_from(built, program, tmp_path):
    assert program("train", "--config", "tiny.toml", "-o", "first").code == 0
    start = ["--set", "network.init=first/tiny.safetensors", "--set", "optimizer.learning_rate=1e-12"]
    assert program("train", "--config", "tiny.toml", "-o", "second", *start).code == 0
    first, second = (load_model(tmp_path / name / "tiny.safetensors").model for name in ("first", "second"))
    for name, tensor in first.state_dict().items():
        assert abs(tensor - second.state_dict()[name]).max() < 1e-3, name


def test_tensorboard_is_an_extra(built, program, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    ended = program("train", "--config", "tiny.toml", "--tensorboard")
    assert ended.code == 2
    assert "concertclean[train]" in ended.err


def test_tensorboard_gets_the_numbers_of_the_log(built, program, monkeypatch):
    """The package is an extra, so a stand-in takes what would be written."""
    written = []

    class Writer:
        def __init__(self, folder):
            assert folder == Path("runs/tiny/tensorboard")

        def add_scalar(self, name, value, step):
            written.append((name, step))

    stand_in = types.ModuleType("torch.utils.tensorboard")
    stand_in.SummaryWriter = Writer
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stand_in)
    assert program("train", "--config", "tiny.toml", "--tensorboard").code == 0
    assert ("loss", 2) in written
    assert ("score", 3) in written
    assert not any(name == "step" for name, _ in written)


def test_ctrl_c_asks_once_and_ends_at_once_the_second_time():
    before = signal.getsignal(signal.SIGINT)
    with StopRequest() as stopped:
        assert not stopped()
        signal.raise_signal(signal.SIGINT)
        assert stopped()
        with pytest.raises(SystemExit) as ended:
            signal.raise_signal(signal.SIGINT)
        assert ended.value.code == 130
    assert signal.getsignal(signal.SIGINT) is before
