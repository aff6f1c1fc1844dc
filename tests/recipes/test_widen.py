"""A wider network begins where the narrow one stands, and every channel of it learns."""

import runpy
from pathlib import Path

import pytest
import torch

from concertclean.models.registry import load_model
from concertclean.models.two_stage_unet import TwoStageUNet
from concertclean.models.weights_file import save_weights

RECIPE = Path(__file__).parents[2] / "recipes" / "widen.py"
SMALL = {"sample_rate": 8000, "n_fft": 128, "hop_length": 32, "depth": 2}
CONFIG = {**SMALL, "widths": [3, 4, 5], "padding": "zeros", "bands": 20}


@pytest.fixture
def widen(monkeypatch):
    def run(*words):
        monkeypatch.setattr("sys.argv", ["widen.py", *map(str, words)])
        runpy.run_path(str(RECIPE), run_name="__main__")

    return run


@pytest.fixture
def narrow(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "narrow.safetensors"
    model = TwoStageUNet(**CONFIG)
    for parameter in model.parameters():
        if parameter.ndim == 1:  # a bias
            torch.nn.init.normal_(parameter, std=0.1)
    save_weights(
        path, model.state_dict(), architecture="two_stage_unet", config=CONFIG, provenance={"license": "CC0-1.0"}
    )
    return path


@pytest.mark.parametrize("widths", [(3, 4, 5), (5, 7, 9), (3, 6, 5)])
def test_the_estimate_stays(widen, narrow, tmp_path, noise, widths):
    widen(tmp_path / "wide.safetensors", narrow, "--widths", *widths)
    wide = load_model(tmp_path / "wide.safetensors").model.eval()
    waveform = torch.from_numpy(noise(4000)[:1, None]).float()
    with torch.no_grad():
        expected = load_model(narrow).model.eval()(waveform)
        assert torch.allclose(wide(waveform), expected, rtol=0, atol=1e-6)
    assert (expected - waveform[:, None]).square().mean() > 1e-6


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


def test_only_a_two_stage_unet_is_widened(widen, tmp_path):
    save_weights(tmp_path / "other.safetensors", {}, architecture="cae", config={}, provenance={})
    with pytest.raises(SystemExit, match="is a cae; only a two_stage_unet"):
        widen(tmp_path / "wide.safetensors", tmp_path / "other.safetensors", "--widths", 1)


@pytest.mark.parametrize(
    ("widths", "cure"),
    [((2, 4, 5), "give as many, none of them smaller"), ((3, 4), "give as many"), ((5, 5, 6), "must stay so")],
)
def test_widths_that_do_not_fit_are_refused(widen, narrow, tmp_path, widths, cure):
    with pytest.raises(SystemExit, match=rf"widths \[3, 4, 5\]; .*{cure}"):
        widen(tmp_path / "wide.safetensors", narrow, "--widths", *widths)
    assert not (tmp_path / "wide.safetensors").exists()
