"""A wider network begins where the narrow one stands, and every channel of it learns."""

import runpy
from pathlib import Path

import pytest
import torch

from concertclean.weights.building import build_model
from concertclean.weights.file_format import save_weights
from concertclean.weights.loading import load_model

RECIPE = Path(__file__).parents[2] / "recipes" / "widen.py"
SMALL = {"sample_rate": 8000, "n_fft": 128, "hop_length": 32, "depth": 2}
CONFIG = {**SMALL, "widths": [3, 4, 5], "padding": "zeros", "bands": 20}
KANUNET = {
    "sample_rate": 8000, "channels": 2, "n_fft": 128, "hop_length": 32, "base": 2, "plain_levels": 1, "grid_size": 3,
    "inner_grid": [0.0, 3.0], "eca_frames": 9, "bands": 20, "align_corners": False,
}  # fmt: skip


@pytest.fixture
def widen(monkeypatch):
    def run(*words):
        monkeypatch.setattr("sys.argv", ["widen.py", *map(str, words)])
        runpy.run_path(str(RECIPE), run_name="__main__")

    return run


def saved(path, architecture, config):
    torch.manual_seed(0)
    model = build_model(architecture, config, path)
    for name, tensor in model.state_dict().items():
        if name.endswith(("running_var", ".1.weight")) and tensor.ndim == 1:  # of a normalisation
            torch.nn.init.uniform_(tensor, 0.5, 1.5)
        elif name.endswith(("running_mean", "bias")):
            torch.nn.init.normal_(tensor, std=0.1)
        elif "head" in name:  # starts as good as silent
            torch.nn.init.normal_(tensor, std=1.0)
    save_weights(path, model.state_dict(), architecture=architecture, config=config, provenance={"license": "CC0-1.0"})
    return path


@pytest.fixture
def narrow(tmp_path):
    return saved(tmp_path / "narrow.safetensors", "two_stage_unet", CONFIG)


@pytest.fixture
def narrow_kanunet(tmp_path):
    return saved(tmp_path / "narrow.safetensors", "kanunet_eca", KANUNET)


@pytest.mark.parametrize("widths", [(3, 4, 5), (5, 7, 9), (3, 6, 5)])
def test_the_estimate_stays(widen, narrow, tmp_path, noise, widths):
    widen(tmp_path / "wide.safetensors", narrow, "--widths", *widths)
    wide = load_model(tmp_path / "wide.safetensors").model.eval()
    waveform = torch.from_numpy(noise(4000)[:1, None]).float()
    with torch.no_grad():
        expected = load_model(narrow).model.eval()(waveform)
        assert torch.allclose(wide(waveform), expected, rtol=0, atol=1e-6)
    assert (expected - waveform[:, None]).square().mean() > 1e-6


@pytest.mark.parametrize("settings", [{}, {"eca": False}, {"plain_levels": 4}, {"basis": "rbf"}])
def test_the_estimate_of_a_kanunet_stays(widen, tmp_path, noise, settings):
    narrow = saved(tmp_path / "narrow.safetensors", "kanunet_eca", KANUNET | settings)
    widen(tmp_path / "wide.safetensors", narrow, "--base", 3)
    wide = load_model(tmp_path / "wide.safetensors").model
    waveform = torch.from_numpy(noise(4000, channels=2)[None]).float()
    with torch.no_grad():
        expected = load_model(narrow).model(waveform)
        error = (wide(waveform) - expected).square().mean()
    residual = (expected - waveform[:, None]).square().mean()
    assert residual > 1e-6
    assert error < (1e-10 if "eca" in settings else 1e-4) * residual  # attention has one channel with new neighbours


def test_what_is_added_to_a_kanunet_learns(widen, narrow_kanunet, tmp_path, noise):
    widen(tmp_path / "wide.safetensors", narrow_kanunet, "--base", 3)
    wide = load_model(tmp_path / "wide.safetensors").model.requires_grad_(True)
    waveform = torch.from_numpy(noise(4000, channels=2)[None]).float()
    optimizer = torch.optim.SGD(wide.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        wide(waveform).square().mean().backward()
        optimizer.step()
    added = {name: p.grad[len(p) * 2 // 3 :] for name, p in wide.named_parameters() if "base_weight" in name}
    assert [name for name, gradient in added.items() if not gradient.any()] == []  # single channels may be dead


def test_what_is_added_learns(widen, narrow, tmp_path, noise):
    widen(tmp_path / "wide.safetensors", narrow, "--widths", 5, 7, 9)
    wide = load_model(tmp_path / "wide.safetensors").model.train().requires_grad_(True)
    waveform = torch.from_numpy(noise(4000)[:1, None]).float()
    optimizer = torch.optim.SGD(wide.parameters(), lr=1.0)
    for _ in range(2):  # first what leads out of the new channels, then what leads into them
        optimizer.zero_grad()
        wide(waveform).square().mean().backward()
        optimizer.step()
    assert all(p.grad.flatten(1).any(dim=1).all() for p in wide.parameters() if p.dim() > 1)


def test_other_networks_are_not_widened(widen, tmp_path):
    save_weights(tmp_path / "other.safetensors", {}, architecture="cae", config={}, provenance={})
    with pytest.raises(SystemExit, match="is a cae; only a two_stage_unet or a kanunet_eca"):
        widen(tmp_path / "wide.safetensors", tmp_path / "other.safetensors", "--widths", 1)


@pytest.mark.parametrize(
    ("widths", "cure"),
    [((2, 4, 5), "give as many, none of them smaller"), ((3, 4), "give as many"), ((5, 5, 6), "must stay so")],
)
def test_widths_that_do_not_fit_are_refused(widen, narrow, tmp_path, widths, cure):
    with pytest.raises(SystemExit, match=rf"widths \[3, 4, 5\]; .*{cure}"):
        widen(tmp_path / "wide.safetensors", narrow, "--widths", *widths)
    assert not (tmp_path / "wide.safetensors").exists()


def test_each_network_takes_its_own_size(widen, narrow, tmp_path):
    with pytest.raises(SystemExit, match="is a two_stage_unet; give --widths"):
        widen(tmp_path / "wide.safetensors", narrow, "--base", 4)


def test_a_smaller_base_is_refused(widen, narrow_kanunet, tmp_path):
    with pytest.raises(SystemExit, match="has base 2; give one that is not smaller"):
        widen(tmp_path / "wide.safetensors", narrow_kanunet, "--base", 1)
