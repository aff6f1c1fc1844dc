"""Paper recipes of denoisers: miniatures train by the recipe, and their weights denoise."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tomli_w

from concertclean.config.training import TrainingSettings, read_recipe
from concertclean.networks.architectures import ARCHITECTURES

RATE = 8000
RECIPES = Path(__file__).parents[2] / "recipes" / "paper"


@pytest.fixture
def built(program, tmp_path):
    """A dataset of three songs and three noises by different hands."""
    rng = np.random.default_rng(0)
    time = np.arange(3 * RATE) / RATE
    for number in range(3):
        song = 0.3 * np.sin(2 * np.pi * (200 + 130 * number) * time)
        tail = rng.standard_normal(2000) * np.exp(-np.arange(2000) / 300)
        for folder, sound in (("songs", song), ("crowds", rng.uniform(-0.1, 0.1, len(time))), ("rooms", 0.3 * tail)):
            path = tmp_path / folder / f"hand {number}" / "a.wav"
            path.parent.mkdir(parents=True)
            soundfile.write(path, np.stack([sound, 0.9 * sound], 1), RATE)

    def build(task, channels):
        words = ["--clean", "songs", "--noise", "crowds", "--sample-rate", RATE, "--channels", channels]
        words += {
            "concert": ["--synthetic-minutes", 0],
            "reverb": ["--response", "rooms"],
            "gramophone": [],
        }[task]
        fixed = ["--validation-items", 1, "--test-items", 0]
        ended = program("dataset", "build", task, "data", *words, *fixed, "--workers", 1)
        assert ended.code == 0, ended.err

    return build


@pytest.mark.parametrize("name", ["wave-unet", "ddae", "dccrn", "seanet", "seanet-adversarial"])
def test_a_miniature_trains_by_the_recipe_and_denoises(built, program, tmp_path, name):
    recipe = tomllib.loads((RECIPES / f"{name}.toml").read_text())
    architecture, channels = recipe["network"]["architecture"], recipe["network"]["config"].get("channels", 1)
    small = {**ARCHITECTURES[architecture].small_config, "sample_rate": RATE}
    recipe["network"]["config"] = small
    if "adversarial" in recipe:
        small["scales"] = 2
        recipe["adversarial"] |= {"n_fft": 256, "hop_length": 64, "widths": small["widths"], "code": 4, "scales": 2}
    recipe["data"] |= {"dataset": "data", "seconds": 0.5, "workers": 0, "batch": 4}
    recipe["run"] = {"steps": 20, "precision": "fp32", "validate_every": 0, "validation_items": 1, "log_every": 5}
    (tmp_path / "small.toml").write_text(tomli_w.dumps(recipe))
    built(recipe["mixing"]["task"], channels)
    trained = program("train", "-c", "small.toml", "--overfit", 4)
    assert trained.code == 0, trained.err
    weights = tmp_path / "runs" / recipe["name"] / f"{recipe['name']}.safetensors"
    lines = [json.loads(line) for line in (weights.parent / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < losses[0]
    assert all(("gain" in line) == (name != "ddae") for line in lines if "loss" in line)
    assert "score" in next(line["validation"] for line in lines if "validation" in line)
    denoised = program("denoise", "songs/hand 0/a.wav", "--model", weights, "-o", "out.wav")
    assert denoised.code == 0, denoised.err
    assert soundfile.info("out.wav").frames == 3 * RATE


@pytest.mark.parametrize(
    ("name", "n_samples", "n_parameters"),
    [
        ("wave-unet", 97_961, 17_477_538),
        ("ddae", 88_200, 8),
        ("dccrn", 44_100, 4_327_437),
        ("seanet", 220_500, 9_350_180),
        ("seanet-adversarial", 220_500, 3 * 9_350_180),
    ],
)
def test_the_recipes_are_those_of_the_published_networks(name, n_samples, n_parameters):
    settings = read_recipe(RECIPES / f"{name}.toml", [])
    assert isinstance(settings, TrainingSettings)
    row, config = ARCHITECTURES[settings.network.architecture], settings.network.config
    assert settings.loss.name == row.default_loss
    assert round(settings.data.seconds * config["sample_rate"]) == n_samples
    assert sum(p.numel() for p in row.build(**config).parameters()) == n_parameters


def test_items_shorter_than_a_network_needs(built, program, tmp_path):
    recipe = tomllib.loads((RECIPES / "wave-unet.toml").read_text())
    recipe["network"]["config"] = {"sample_rate": RATE, "features": 8, "levels": 4}
    recipe["data"] |= {"dataset": "data", "seconds": 0.01, "workers": 0}
    (tmp_path / "small.toml").write_text(tomli_w.dumps(recipe))
    built("concert", 2)
    ended = program("train", "-c", "small.toml")
    assert ended.code == 2
    assert "data.seconds=0.01: wave_unet_sinc needs 873 samples, 0.109 seconds" in ended.err
