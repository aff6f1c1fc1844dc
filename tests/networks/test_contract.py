"""The contract every network keeps; whoever adds one adds a line to SMALL."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from concertclean.dsp import stft
from concertclean.networks.layers.shared_gain import SharedGain
from concertclean.weights.file_format import load_state, read_header, save_weights
from concertclean.weights.loading import ARCHITECTURES, build_model

SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "cae": ("cae", {"n_fft": 256, "hop_length": 64, "widths": [4, 8], "code": 16}),
    "kanunet_eca": ("kanunet_eca", {"n_fft": 256, "hop_length": 64, "base": 2}),
    "kanunet": ("kanunet_eca", {"n_fft": 256, "hop_length": 64, "base": 2, "eca": False, "basis": "rbf"}),
    "unet": ("kanunet_eca", {"n_fft": 256, "hop_length": 64, "base": 2, "eca": False, "convolution": "plain"}),
    "kanunet_gram": ("kanunet_eca", {"n_fft": 256, "hop_length": 64, "base": 2, "basis": "gram"}),
    "concert": (
        "kanunet_eca",
        {"channels": 2, "n_fft": 256, "hop_length": 64, "base": 2, "grid_size": 3, "inner_grid": [0.0, 3.0],
         "eca_frames": 3, "bands": 40, "align_corners": False},
    ),
    "complex_mask": (
        "kanunet_eca",
        {"channels": 2, "n_fft": 256, "hop_length": 64, "base": 2, "output": "mask", "exponent": 0.3},
    ),
    "unet_local": (
        "kanunet_eca",
        {"n_fft": 256, "hop_length": 64, "base": 2, "eca": False, "convolution": "plain", "align_corners": False},
    ),
    "kan_below": (
        "kanunet_eca",
        {"channels": 2, "n_fft": 256, "hop_length": 64, "base": 2, "plain_levels": 1, "eca_frames": 3, "bands": 40},
    ),
    "recurrent": (
        "kanunet_eca",
        {"channels": 2, "n_fft": 256, "hop_length": 64, "base": 2, "convolution": "plain", "eca_frames": 3, "bands": 40,
         "align_corners": False, "recurrent_layers": 2, "recurrent_units": 4},
    ),
    "noise_detector": ("noise_detector", {"n_fft": 256, "hop_length": 64, "n_mels": 16}),
    "two_stage_unet": ("two_stage_unet", {"n_fft": 256, "hop_length": 64, "depth": 2, "widths": [2, 4, 4]}),
    "gramophone": (
        "two_stage_unet",
        {"n_fft": 256, "hop_length": 64, "depth": 2, "widths": [2, 4, 4], "padding": "zeros", "bands": 40},
    ),
}  # fmt: skip


@pytest.fixture(params=SMALL)
def model(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    architecture, config = SMALL[request.param]
    return ARCHITECTURES[architecture](**config).eval()


def test_every_architecture_is_covered() -> None:
    assert {architecture for architecture, _ in SMALL.values()} == set(ARCHITECTURES)


@pytest.mark.parametrize("n_samples", [1, 63, 64, 1000, 4097])
@torch.no_grad()
def test_same_length_out_as_in_and_finite(model: nn.Module, n_samples: int) -> None:
    waveform = 0.1 * torch.randn(2, model.channels, n_samples)
    estimate = model(waveform)
    assert estimate.shape == (2, model.stems, model.channels, n_samples)
    assert torch.isfinite(estimate).all()


@torch.no_grad()
def test_the_last_stage_is_the_result(model: nn.Module) -> None:
    waveform = 0.1 * torch.randn(2, model.channels, 3000)
    degraded = stft.spectrogram(waveform, model.window, model.hop_length)
    stages = model.stages(degraded)
    assert all(stage.shape == degraded.shape for stage in stages)
    result = stft.waveform(stages[-1], model.window, model.hop_length, 3000)
    assert torch.equal(model(waveform)[:, 0], result)


def test_every_parameter_gets_a_gradient(model: nn.Module) -> None:
    model.train()
    model(0.1 * torch.randn(2, model.channels, 4000)).square().mean().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # dead splines and ReLU units that no input of this test reaches may stay at zero; nothing may be missing
    assert not [name for name, p in model.named_parameters() if p.grad is None]
    assert len(without) <= 0.1 * len(list(model.parameters()))


@torch.no_grad()
def test_deterministic_and_independent_of_the_batch(model: nn.Module) -> None:
    waveform = 0.1 * torch.randn(2, model.channels, 3000)
    with torch.inference_mode():
        both, again = model(waveform), model(waveform)
        single = model(waveform[:1])
    assert torch.equal(both, again)
    assert torch.allclose(both[:1], single, atol=1e-5 * float(both.abs().max()))


@torch.no_grad()
def test_inner_result_does_not_depend_on_what_lies_beyond_the_context(model: nn.Module) -> None:
    """Segments on the alignment grid with the declared context give the whole; that is what inference relies on."""
    whole = 0.1 * torch.randn(1, model.channels, 12 * model.alignment + 4 * model.context)
    start = -(-2 * model.context // model.alignment) * model.alignment
    with torch.inference_mode():
        expected = model(whole)[..., start : start + 2 * model.alignment]
        cut = whole[..., start - model.context : start + 2 * model.alignment + model.context]
        inner = model(cut)[..., model.context : -model.context]
    error_db = 20 * torch.log10((inner - expected).square().mean().sqrt() / expected.square().mean().sqrt())
    # As published, attention and upsampling look at the whole segment; -20 dB is what that costs here.
    is_published = getattr(model, "align_corners", False)
    assert float(error_db) < (-20 if is_published else -80)


@torch.no_grad()
def test_saved_and_loaded_gives_the_same(model: nn.Module, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    architecture, config = SMALL[request.node.callspec.params["model"]]
    path = tmp_path / "model.safetensors"
    save_weights(path, model.state_dict(), architecture=architecture, config=config, provenance={})
    header = read_header(path)
    again = build_model(header.architecture, header.config, path).eval()
    again.load_state_dict(load_state(path))
    waveform = 0.1 * torch.randn(1, model.channels, 2000)
    assert torch.equal(model(waveform), again(waveform))


@torch.no_grad()
def test_shared_gain_moves_no_image() -> None:
    torch.manual_seed(3)
    architecture, config = SMALL["gramophone"]
    stereo = SharedGain(ARCHITECTURES[architecture](**config)).eval()
    waveform = 0.1 * torch.randn(1, 1, 6000) * torch.tensor([1.0, 0.25]).reshape(1, 2, 1)
    left, right = stereo(waveform)[0, 0]
    assert torch.allclose(right, 0.25 * left, atol=1e-6)
    only_left = waveform * torch.tensor([1.0, 0.0]).reshape(1, 2, 1)
    assert float(stereo(only_left)[0, 0, 1].abs().max()) == 0.0
