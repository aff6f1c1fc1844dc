"""Networks that separate songs, from stems to weights that separate, by their paper recipes."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tomli_w

from concertclean.config.training import SeparateTrainingSettings, read_recipe
from concertclean.errors import ConfigError
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.restore.separation import separate
from concertclean.weights.file_format import read_header
from concertclean.weights.loading import load_model

RATE = 8000
RECIPES = Path(__file__).parents[2] / "recipes" / "paper"
NAMES = ["wave-unet-separator", "open-unmix"]
FOUR = {"bass", "drums", "other", "vocals"}


@pytest.fixture
def dataset(program, tmp_path):
    """Four songs of four stems: one for tests, one for validation, two for training."""
    time = np.arange(2 * RATE) / RATE
    for number in range(4):
        folder = tmp_path / "stems" / f"song{number}"
        folder.mkdir(parents=True)
        rng = np.random.default_rng(number)
        for place, name in enumerate(sorted(FOUR - {"drums"})):
            soundfile.write(
                folder / f"{name}.wav", 0.2 * np.sin(2 * np.pi * 150 * (number + 3 * place + 1) * time), RATE
            )
        soundfile.write(folder / "drums.wav", 0.1 * rng.standard_normal(len(time)), RATE)
    how = ["--sample-rate", RATE, "--seconds", 1, "--conditions", "low", "--test", 0.25, "--validation", 0.33]
    assert program("dataset", "build", "bleed", "data", "--stems", "stems", *how).code == 0


def miniature(name, **changes):
    """A paper recipe with a small network on the dataset."""
    recipe = tomllib.loads((RECIPES / f"{name}.toml").read_text())
    network = recipe["network"]
    small = {**ARCHITECTURES[network["architecture"]].small_config, "sample_rate": RATE, "channels": 1}
    network["config"] = {**small, "instruments": network["config"]["instruments"]}
    recipe["data"] |= {"dataset": "data", "seconds": 0.3, "workers": 0, "batch": 4}
    recipe["optimizer"] |= {"learning_rate": 1e-2}
    recipe["run"] = {"steps": 20, "precision": "fp32", "validate_every": 10, "validation_items": 2, "log_every": 5}
    for table, values in changes.items():
        recipe[table] = {**recipe[table], **values}
    Path("small.toml").write_text(tomli_w.dumps(recipe))
    return recipe


@pytest.mark.parametrize("name", NAMES)
def test_from_stems_to_weights_that_separate(program, dataset, name):
    recipe = miniature(name)
    trained = program("train", "-c", "small.toml")
    assert trained.code == 0, trained.err
    assert "separate songs in Python" in trained.err
    weights = Path("runs") / recipe["name"] / f"{recipe['name']}.safetensors"
    header = read_header(weights)
    assert header.provenance["training_data"] == "2 songs of data"
    lines = [json.loads(line) for line in (weights.parent / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < losses[0]
    judged = [line["validation"] for line in lines if "validation" in line]
    assert len(judged) == 2
    assert set(judged[0]) == {"score", *(f"sdr, {stem}" for stem in FOUR)}
    model = load_model(weights, task="separate").model
    assert set(model.instruments) == FOUR
    mixture = 0.1 * np.random.default_rng(0).standard_normal((2, 3000))
    stems = separate(model, mixture, 11_025)
    assert stems.shape == (4, 2, 3000)
    assert np.isfinite(stems).all()


@pytest.mark.parametrize("name", NAMES)
def test_denoise_refuses_a_separator(program, dataset, name):
    recipe = miniature(name, run={"steps": 1})
    assert program("train", "-c", "small.toml").code == 0
    weights = Path("runs") / recipe["name"] / f"{recipe['name']}.safetensors"
    ended = program("denoise", "stems/song0/bass.wav", "--model", weights, "-o", "out.wav")
    assert ended.code == 6
    assert "separates songs into stems; use `concertclean.restore.separation.separate`" in ended.err
    assert not Path("out.wav").exists()


def test_a_second_stage_begins_from_the_weights_of_the_first(program, dataset):
    recipe = miniature("wave-unet-separator", run={"steps": 2})
    assert program("train", "-c", "small.toml").code == 0
    first = f"runs/{recipe['name']}/{recipe['name']}.safetensors"
    more = ["--set", f"network.init={first}", "--set", "data.batch=8", "--set", "optimizer.learning_rate=1e-3"]
    assert program("train", "-c", "small.toml", "-o", "runs/second", *more).code == 0
    one, other = (load_model(path, task="separate").model.head.weight.detach() for path in (
        first, f"runs/second/{recipe['name']}.safetensors"
    ))  # fmt: skip
    assert 0 < float((one - other).abs().max()) < 0.01  # two steps of Adam


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"network": {"architecture": "wave_unet"}}, "wave_unet restores recordings"),
        ({"loss": {"name": "relative"}}, "loss.name=relative: choose from waveform_mse"),
        ({"loss": {"name": "spectrogram_mse"}}, "returns no spectrograms"),
        ({"data": {"seconds": 0.001}}, "wave_unet_separator needs"),
        ({"network": {"config": {"sample_rate": RATE}}}, "name the stems"),
        (
            {"network": {"config": {"sample_rate": RATE, "instruments": ["bass", "drums"]}}},
            "set network.config.channels",
        ),
        ({"network": {"config": {"channels": 1, "instruments": ["bass", "drums"]}}}, "the network needs 22050"),
        (
            {"network": {"config": {"sample_rate": RATE, "channels": 1, "instruments": ["bass", "flute"]}}},
            "no song in train has all of bass, flute",
        ),
    ],
)
def test_what_does_not_fit(program, dataset, changes, fact):
    miniature("wave-unet-separator", **changes)
    ended = program("train", "-c", "small.toml")
    assert ended.code == 2
    assert fact in ended.err


@pytest.mark.parametrize(
    ("name", "n_samples", "n_parameters"),
    # In mono the first convolution lacks 15 · 24 weights; an output has 25 + 1 numbers instead of 2 · (26 + 1).
    [("wave-unet-separator", 147_443, 10_263_498 - 15 * 24 - 3 * (54 - 26)), ("open-unmix", 264_600, None)],
)
def test_the_recipes_are_those_of_the_published_networks(name, n_samples, n_parameters):
    settings = read_recipe(RECIPES / f"{name}.toml", [])
    assert isinstance(settings, SeparateTrainingSettings)
    row, config = ARCHITECTURES[settings.network.architecture], settings.network.config
    assert settings.loss.name == row.default_loss
    assert row.task == "separate"
    assert round(settings.data.seconds * config["sample_rate"]) == n_samples
    if n_parameters:
        assert sum(p.numel() for p in row.build(**config).parameters()) == n_parameters


@pytest.mark.parametrize("gains", [[0.0, 1.0], [1.0, 0.5]])
def test_gains_that_mean_nothing(tmp_path, gains):
    recipe = tomllib.loads((RECIPES / "open-unmix.toml").read_text())
    recipe["mixing"]["gains"] = gains
    (tmp_path / "a.toml").write_text(tomli_w.dumps(recipe))
    with pytest.raises(ConfigError, match="gains run from"):
        read_recipe(tmp_path / "a.toml", [])
