"""The classifier of scenes on arrays gives what the network of torch gives, and refuses what is not one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from concertclean.dsp.scene_images import SCENES
from concertclean.errors import ModelError
from concertclean.networks.scene_classifier import SceneClassifier
from concertclean.restore.scenes import load_scenes
from concertclean.weights.file_format import save_weights
from concertclean.weights.loading import load_scene_classifier

SMALL = {"sample_rate": 22_050, "n_fft": 512, "hop_length": 192, "n_mels": 16, "widths": [4, 8], "hidden": 8}


def saved(path: Path, config: dict[str, Any], **changes: torch.Tensor) -> Path:
    torch.manual_seed(0)
    network = SceneClassifier(**{**SMALL, "widths": (4, 8), "flatness_n_fft": max(0, config.get("flatness_n_fft", 0))})
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as if trained
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
    state = {**network.state_dict(), **changes}
    save_weights(path, state, architecture="scene_classifier", config=config, provenance={})
    return path


def expected(name: str | Path, waveform: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return load_scene_classifier(name)(torch.from_numpy(waveform)[None, None])[0].numpy()


@pytest.mark.parametrize("n_samples", [1, 700, 44_100, 176_400])
def test_probabilities_are_those_of_torch(tmp_path: Path, n_samples: int) -> None:
    waveform = np.random.default_rng(0).normal(scale=0.1, size=n_samples).astype(np.float32)
    own = saved(tmp_path / "own.safetensors", SMALL)
    flat = saved(tmp_path / "flat.safetensors", {**SMALL, "flatness_n_fft": 1024})
    for name in ("scenes", own, flat):
        found = load_scenes(name)(waveform)
        assert found.shape == (len(SCENES),)
        assert found.max() - found.min() > 0.01
        assert np.allclose(found, expected(name, waveform), atol=1e-5)
    assert load_scenes(own).sample_rate == 22_050


@pytest.mark.parametrize(
    ("changed", "fact"),
    [
        ({"n_mels": 32}, "do not fit the network"),
        ({"hop_length": -1}, "hop_length: not a positive whole number"),
        ({"n_fft": 1e3}, "n_fft: not a positive whole number"),
        ({"n_fft": 2**40}, "n_fft: not a positive whole number"),
        ({"hop_length": 1024}, "a frame is too short"),
        ({"flatness_n_fft": -4}, "flatness_n_fft: not a positive whole number"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, changed: dict[str, Any], fact: str) -> None:
    path = saved(tmp_path / "own.safetensors", {**SMALL, **changed})
    with pytest.raises(ModelError, match=rf"own\.safetensors: .*{fact}.*fetch the weights again"):
        load_scenes(path)


def test_another_number_of_scenes_is_refused(tmp_path: Path) -> None:
    answer = {"answer.weight": torch.zeros(3, 8), "answer.bias": torch.zeros(3)}
    with pytest.raises(ModelError, match="3 scenes instead of 4"):
        load_scenes(saved(tmp_path / "own.safetensors", SMALL, **answer))


@pytest.mark.parametrize("name", ["gramophone", "noise-detector"])
def test_another_network_is_refused(name: str) -> None:
    with pytest.raises(ModelError, match=f"{name}: .* does not recognise scenes; name a scene_classifier"):
        load_scenes(name)
