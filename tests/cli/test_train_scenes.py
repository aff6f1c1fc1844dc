"""Training the classifier of scenes, and starting a network from weights that lack layers, on the command line."""

import json

import numpy as np
import pytest
import soundfile

RATE = 8000
SCENES = """
name = "tiny-scenes"
license = "CC0-1.0"
[network]
architecture = "scene_classifier"
[network.config]
sample_rate = 8000
n_fft = 256
hop_length = 128
n_mels = 16
widths = [4, 8]
hidden = 8
[data]
dataset = "data"
seconds = 0.5
batch = 4
workers = 0
[mixing]
task = "detect"
[loss]
name = "scene"
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
CONCERT = """
name = "tiny-concert"
license = "CC0-1.0"
[network]
architecture = "kanunet_eca"
[network.config]
sample_rate = 8000
channels = 2
n_fft = 128
hop_length = 32
base = 2
convolution = "plain"
eca_frames = 3
bands = 20
align_corners = false
[data]
dataset = "data"
seconds = 0.5
batch = 2
workers = 0
[mixing]
task = "concert"
snr_db = [0, 10]
song_share = 0.3
effect_share = 0.3
grain_share = 0.5
noise_equaliser_share = 0.5
music_equaliser_share = 0.5
[loss]
name = "relative"
hole_weight = 2.0
[optimizer]
warmup = 2
[run]
steps = 4
precision = "fp32"
log_every = 2
save_every = 2
validate_every = 4
validation_items = 1
"""


@pytest.fixture
def built(program, tmp_path):
    """A dataset of three hands each of music, crowds and words."""
    rng = np.random.default_rng(0)
    time = np.arange(3 * RATE) / RATE
    for number in range(3):
        sounds = {
            "songs": 0.3 * np.sin(2 * np.pi * (200 + 130 * number) * time),
            "crowds": rng.uniform(-0.1, 0.1, len(time)),
            "words": 0.2 * np.sin(2 * np.pi * 150 * time) * (np.sin(2 * np.pi * 3 * time) > 0),
        }
        for folder, samples in sounds.items():
            path = tmp_path / folder / f"hand {number}" / "a.wav"
            path.parent.mkdir(parents=True)
            soundfile.write(path, samples, RATE)
    words = ["--clean", "songs", "--noise", "crowds", "--speech", "words", "--sample-rate", RATE, "--workers", 1]
    ended = program(
        "dataset", "build", "concert", "data", *words, "--synthetic-minutes", 0, "--validation-items", 1,
        "--test-items", 0,
    )  # fmt: skip
    assert ended.code == 0, ended.err
    (tmp_path / "scenes.toml").write_text(SCENES)
    (tmp_path / "concert.toml").write_text(CONCERT)


def test_the_classifier_trains_and_analyses(built, program, tmp_path):
    trained = program("train", "-c", "scenes.toml")
    assert trained.code == 0, trained.err
    weights = tmp_path / "runs" / "tiny-scenes" / "tiny-scenes.safetensors"
    assert "concertclean analyse" in trained.err
    lines = [json.loads(line) for line in (weights.parent / "log.jsonl").read_text().splitlines()]
    assert all("gain" not in line for line in lines)
    analysed = program("analyse", "songs/hand 0/a.wav", "--detector", weights, "--json")
    assert analysed.code == 0, analysed.err
    (record,) = json.loads(analysed.out)
    assert sum(record["probabilities"].values()) == pytest.approx(1, abs=1e-3)


def test_the_classifier_has_a_loss_of_its_own(built, program):
    ended = program("train", "-c", "scenes.toml", "--set", "loss.name=relative")
    assert ended.code == 2
    assert "loss.name=scene" in ended.err


def test_validation_reports_kinds_and_parts(built, program, tmp_path):
    assert program("train", "-c", "concert.toml").code == 0
    lines = (tmp_path / "runs" / "tiny-concert" / "log.jsonl").read_text().splitlines()
    (found,) = [line["validation"] for line in map(json.loads, lines) if "validation" in line]
    assert "music_lost at 0 dB" in found
    assert "noise_left at 0 dB" in found
    assert "worst_item" in found


def test_recordings_that_a_share_needs_are_missed_aloud(built, program):
    ended = program("train", "-c", "concert.toml", "--dry-run", "--set", "mixing.sung_share=0")
    assert ended.code == 0, ended.err
    assert "mixing.song_share is 0.3, but no recording to train on has the role vocals" in ended.err
    assert "mixing.sung_share" not in ended.err
    quiet = program("train", "-c", "concert.toml", "--dry-run", "--set", "mixing.song_share=0")
    assert "has the role" not in quiet.err


def test_layers_that_the_first_weights_lack_start_fresh_and_are_reported(built, program, tmp_path):
    assert program("train", "-c", "concert.toml").code == 0
    init = f"network.init={tmp_path / 'runs' / 'tiny-concert' / 'tiny-concert.safetensors'}"
    more = ["--set", init, "--set", "network.config.recurrent_layers=1", "--set", "network.config.recurrent_units=4"]
    ended = program("train", "-c", "concert.toml", "-o", "runs/more", *more)
    assert ended.code == 0, ended.err
    assert "lacks recurrence, which starts fresh" in ended.err
    grown = f"network.init={tmp_path / 'runs' / 'more' / 'tiny-concert.safetensors'}"
    ended = program("train", "-c", "concert.toml", "-o", "runs/less", "--set", grown)
    assert ended.code == 2
    assert "has recurrence, which network.config leaves out" in ended.err
