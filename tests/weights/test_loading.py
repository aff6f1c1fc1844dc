import hashlib
import json
import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

from concertclean.errors import ModelError
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.networks.two_stage_unet import TwoStageUNet
from concertclean.weights import cards
from concertclean.weights import loading as registry
from concertclean.weights.file_format import save_weights
from concertclean.weights.loading import (
    LoadedModel,
    load_matrix_model,
    load_model,
    load_noise_detector,
    load_scene_classifier,
)
from concertclean.weights.tf_checkpoint import convert_two_stage, two_stage_shapes

tf = runpy.run_path(str(Path(__file__).parents[1] / "reference/write_tf_bundle.py"))

SMALL = {name: dict(row.small_config) for name, row in ARCHITECTURES.items()}
FROM_WAVEFORM_TO_WAVEFORM = [name for name, row in ARCHITECTURES.items() if row.task in ("restore", "debleed")]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCERTCLEAN_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("CONCERTCLEAN_MODEL_DIR", str(tmp_path / "models"))
    return tmp_path


def save(path, name, **changes):
    torch.manual_seed(0)
    model = ARCHITECTURES[name].build(**SMALL[name]).eval()
    save_weights(
        path,
        model.state_dict(),
        **{"architecture": name, "config": SMALL[name], "provenance": {"steps": "3"}} | changes,
    )
    return model


@pytest.mark.parametrize("name", FROM_WAVEFORM_TO_WAVEFORM)
def test_saved_model_gives_equal_output(home, name):
    path = home / "own.safetensors"
    model = save(path, name)
    loaded = load_model(path, task=ARCHITECTURES[name].task)
    waveform = torch.randn(1, model.channels, 3000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(loaded.model(waveform), model(waveform))
    assert not loaded.model.training
    assert (loaded.card, loaded.path) == (None, path)
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert loaded.header.architecture == name
    assert loaded.header.provenance == {"steps": "3"}


def test_half_precision_file_loads_as_float32(home):
    path = home / "own.safetensors"
    model = ARCHITECTURES["two_stage_unet"].build(**SMALL["two_stage_unet"])
    halves = {key: value.half() for key, value in model.state_dict().items()}
    save_weights(path, halves, architecture="two_stage_unet", config=SMALL["two_stage_unet"], provenance={})
    assert {parameter.dtype for parameter in load_model(path).model.parameters()} == {torch.float32}


def write_card(home, path, **changes):
    facts = {
        "description": "d",
        "architecture": "two_stage_unet",
        "filename": "mine.safetensors",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "sample_rate": 44100,
        "channels": 1,
        "license": "MIT",
        "path": str(path),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in (facts | changes).items()]
    (home / "models.toml").write_text("[mine]\n" + "\n".join(lines))


def test_model_with_card(home):
    path = home / "own.safetensors"
    save(path, "two_stage_unet")
    write_card(home, path)
    assert load_model("mine").card == cards.find_card("mine")


@pytest.mark.parametrize(
    ("changes", "fact"),
    [
        ({"architecture": "kanunet_eca"}, "architecture kanunet_eca, found two_stage_unet"),
        ({"sample_rate": 22050}, "sample_rate 22050, found 44100"),
        ({"channels": 2}, "channels 2, found 1"),
    ],
)
def test_card_must_not_promise_another_network(home, changes, fact):
    path = home / "own.safetensors"
    save(path, "two_stage_unet")
    write_card(home, path, **changes)
    with pytest.raises(ModelError, match=fact):
        load_model("mine")


def test_wrong_hash_is_never_loaded(home, monkeypatch):
    path = home / "own.safetensors"
    save(path, "two_stage_unet")
    write_card(home, path, sha256="0" * 64)
    monkeypatch.setattr(registry, "load_state", None)
    with pytest.raises(ModelError, match="wrong sha256"):
        load_model("mine")


def test_unknown_architecture_lists_the_known(home):
    path = home / "own.safetensors"
    save(path, "two_stage_unet", architecture="os.system")
    with pytest.raises(ModelError, match=rf"'os\.system'; known: {', '.join(ARCHITECTURES)}; "):
        load_model(path)


@pytest.mark.parametrize("config", [{"deep": 3}, {"depth": 3, "widths": [1, 2]}])
def test_unfit_settings_are_refused(home, config):
    path = home / "own.safetensors"
    save(path, "two_stage_unet", config=config)
    with pytest.raises(ModelError, match="does not take these settings"):
        load_model(path)


def test_unfit_tensors_are_refused(home):
    path = home / "own.safetensors"
    save(path, "two_stage_unet", config=SMALL["two_stage_unet"] | {"widths": [2, 3, 4]})
    with pytest.raises(ModelError, match="do not fit"):
        load_model(path)
    save_weights(
        path,
        {"extra": torch.zeros(1)},
        architecture="two_stage_unet",
        config=SMALL["two_stage_unet"],
        provenance={},
    )
    with pytest.raises(ModelError, match="do not fit"):
        load_model(path)


def test_pickle_is_refused(home):
    path = home / "evil.safetensors"
    torch.save(nn.Linear(1, 1).state_dict(), path)
    with pytest.raises(ModelError, match="damaged"):
        load_model(path)


@pytest.mark.parametrize("widths", [[32, 64, 64, 128, 128], [32, 64, 64, 128, 128, 256, 512]])
def test_converter_and_network_agree_on_every_tensor(widths):
    with torch.device("meta"):
        model = TwoStageUNet(depth=len(widths) - 1, widths=widths)
    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == two_stage_shapes(widths)


def test_converted_checkpoint_loads(home):
    source = tf["write_checkpoint"](home / "upstream", tf["two_stage_variables"]([2, 3, 3, 4, 5]))
    path = home / "converted.safetensors"
    convert_two_stage(source, path)
    model = load_model(path).model
    with torch.no_grad():
        assert model(torch.zeros(1, 1, 20_000)).shape == (1, 1, 1, 20_000)


@pytest.mark.parametrize("name", [name for name, card in cards.load_cards().items() if card.shipped])
def test_shipped_weights_fit_their_cards(name):
    """Skipped only where a checkout has no weights yet."""
    card = cards.find_card(name)
    if not (Path(registry.__file__).parents[1] / "weights" / card.filename).exists():
        pytest.skip(f"{card.filename} is not in this checkout")
    loaded = _LOADERS[card.architecture](name)
    assert not isinstance(loaded, LoadedModel) or loaded.card == card


_LOADERS = {
    "cae": lambda name: load_model(name, task="debleed"),
    "kanunet_eca": load_model,
    "noise_detector": load_noise_detector,
    "scene_classifier": load_scene_classifier,
    "tunet": load_matrix_model,
    "two_stage_unet": load_model,
}


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("bleed-tunet", "bleed-tunet: reduces bleed between tracks; use `concertclean debleed`"),
        ("bleed-cae-drums", "reduces bleed between tracks; use `concertclean debleed`"),
        ("noise-detector", "finds noise without music; use `concertclean dataset extract-noise`"),
        ("scenes", "recognises crowds, discs and speech; use `concertclean analyse`"),
    ],
)
def test_a_model_for_another_task_is_refused_with_what_it_is_for(name, cure):
    with pytest.raises(ModelError, match=cure):
        load_model(name)


@pytest.mark.parametrize("load", [load_matrix_model, load_noise_detector, load_scene_classifier])
def test_a_model_that_restores_is_nothing_else(load):
    with pytest.raises(ModelError, match="restores recordings; use `concertclean denoise`"):
        load("gramophone")


@pytest.mark.parametrize(("load", "name"), [(load_noise_detector, "scenes"), (load_scene_classifier, "noise-detector")])
def test_one_detector_is_not_another(load, name):
    with pytest.raises(ModelError, match="use `concertclean"):
        load(name)


def test_a_file_of_another_task_is_refused(home):
    path = home / "own.safetensors"
    save(path, "tunet")
    with pytest.raises(ModelError, match=r"own\.safetensors: reduces bleed"):
        load_model(path)


def test_a_model_for_another_task_is_refused_before_it_is_fetched(home):
    path = home / "own.safetensors"
    save(path, "tunet")
    write_card(home, path, architecture="tunet")
    path.unlink()
    with pytest.raises(ModelError, match="mine: reduces bleed"):
        load_model("mine")
