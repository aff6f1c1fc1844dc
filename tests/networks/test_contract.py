"""The contract every network keeps; it runs over the rows of the table of architectures."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from concertclean.dsp import stft
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.networks.layers.shared_gain import SharedGain
from concertclean.networks.layers.waveform_model import SpectralModel, WaveformModel
from concertclean.weights.building import build_model
from concertclean.weights.file_format import load_state, read_header, save_weights

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name, dict(row.small_config)) for name, row in ARCHITECTURES.items()},
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
    "band_split_mono": (
        "band_split_lstm",
        {"channels": 1, "n_fft": 256, "hop_length": 64, "bands": 32, "groups": 4, "features": 4, "hidden": 4,
         "layers": 1},
    ),
    "seanet_scales": (
        "seanet",
        {"n_fft": 256, "hop_length": 64, "widths": [2, 2, 2, 4, 4, 4, 4], "code": 4, "scales": 3},
    ),
    "dccrn_real": (
        "dccrn",
        {"win_length": 200, "hop_length": 64, "n_fft": 256, "widths": [4, 8, 8], "rnn_units": 8, "complex_lstm": False,
         "masking": "C"},
    ),
    "gramophone": (
        "two_stage_unet",
        {"n_fft": 256, "hop_length": 64, "depth": 2, "widths": [2, 4, 4], "padding": "zeros", "bands": 40},
    ),
    "ddae_transposed": ("ddae", {"n_fft": 256, "hop_length": 64, "upsampling": "transposed"}),
    "ddae_128": ("ddae", {"n_fft": 256, "hop_length": 64, "width": 8, "kernel_size": 3}),
    "wave_unet_m1": (
        "wave_unet",
        {"channels": 1, "levels": 3, "filters": 4, "kernel_size": 5, "merge_size": 3, "output": "direct",
         "padded": True, "instruments": ["accompaniment", "vocals"]},
    ),
    "wave_unet_learned": (
        "wave_unet",
        {"levels": 2, "filters": 4, "kernel_size": 7, "upsampling": "learned", "instruments": ["a", "b", "c"]},
    ),
    "wave_unet_batch_norm": (
        "wave_unet_sinc",
        {"features": 4, "levels": 4, "norm": "batch", "instruments": ["a", "b"]},
    ),
    "wave_unet_no_norm": ("wave_unet_sinc", {"channels": 1, "features": 4, "levels": 3, "stride": 2, "norm": "none"}),
}  # fmt: skip
"""The rows of the table, and other settings of the same networks."""
FROM_WAVEFORM_TO_WAVEFORM = [name for name, (row, _) in CASES.items() if row not in ("scene_classifier", "tunet")]


def network_of(name: str) -> Any:
    """A network with the same parameters every time."""
    torch.manual_seed(0)
    architecture, config = CASES[name]
    return ARCHITECTURES[architecture].build(**config).eval()


@pytest.fixture(params=CASES)
def network(request: pytest.FixtureRequest) -> nn.Module:
    return network_of(request.param)


@pytest.fixture(params=FROM_WAVEFORM_TO_WAVEFORM)
def model(request: pytest.FixtureRequest) -> WaveformModel:
    return network_of(request.param)


def noise(network: Any, items: int, n_samples: int) -> torch.Tensor:
    """A waveform the network takes: `n_samples`, or as long as it needs."""
    return 0.1 * torch.randn(items, network.channels, getattr(network, "segment", n_samples))


def test_only_networks_that_restore_or_reduce_bleed_map_waveforms_to_waveforms() -> None:
    for name, row in ARCHITECTURES.items():
        assert isinstance(network_of(name), WaveformModel) or row.task in ("unmix", "detect")


@pytest.mark.parametrize("n_samples", [1, 63, 64, 1000, 4097])
@torch.no_grad()
def test_same_length_out_as_in_and_finite(model: WaveformModel, n_samples: int) -> None:
    waveform = 0.1 * torch.randn(2, model.channels, n_samples)
    estimate = model(waveform)
    assert estimate.shape == (2, model.stems, model.channels, n_samples)
    assert torch.isfinite(estimate).all()


@torch.no_grad()
def test_the_last_stage_is_the_result(model: WaveformModel) -> None:
    waveform = 0.1 * torch.randn(2, model.channels, 3000)
    assert torch.equal(model.estimates(waveform)[-1], model(waveform))
    if not isinstance(model, SpectralModel):
        return
    degraded = stft.spectrogram(waveform, model.window, model.hop_length)
    stages = model.stages(degraded)
    assert all(stage.shape == degraded.shape for stage in stages)
    result = stft.waveform(stages[-1], model.window, model.hop_length, 3000)
    assert torch.equal(model(waveform)[:, 0], result)


def test_every_parameter_gets_a_gradient(network: nn.Module) -> None:
    network.train()
    network(noise(network, 4, 4000)).square().mean().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    # dead splines and ReLU units that no input of this test reaches may stay at zero; nothing may be missing
    assert not [name for name, p in network.named_parameters() if p.grad is None]
    assert len(without) <= 0.1 * len(list(network.parameters()))


@torch.no_grad()
def test_deterministic_and_independent_of_the_batch(network: nn.Module) -> None:
    waveform = noise(network, 2, 3000)
    with torch.inference_mode():
        both, again = network(waveform), network(waveform)
        single = network(waveform[:1])
    assert torch.equal(both, again)
    assert torch.allclose(both[:1], single, atol=1e-5 * float(both.abs().max()))


@torch.no_grad()
def test_inner_result_does_not_depend_on_what_lies_beyond_the_context(model: WaveformModel) -> None:
    """Segments on the alignment grid with the declared context give the whole; that is what inference relies on."""
    whole = 0.1 * torch.randn(1, model.channels, 12 * model.alignment + 4 * model.context)
    start = -(-2 * model.context // model.alignment) * model.alignment
    with torch.inference_mode():
        expected = model(whole)[..., start : start + 2 * model.alignment]
        cut = whole[..., start - model.context : start + 2 * model.alignment + model.context]
        inner = model(cut)[..., model.context : -model.context]
    error_db = 20 * torch.log10((inner - expected).square().mean().sqrt() / expected.square().mean().sqrt())
    # As published, attention, upsampling and group normalisation look at the whole segment; -20 dB is what that costs.
    is_published = getattr(model, "align_corners", False) or "GroupNorm" in str(model)
    assert float(error_db) < (-20 if is_published else -80)


@torch.no_grad()
def test_saved_and_loaded_gives_the_same(network: nn.Module, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    architecture, config = CASES[request.node.callspec.params["network"]]
    path = tmp_path / "model.safetensors"
    save_weights(path, network.state_dict(), architecture=architecture, config=config, provenance={})
    header = read_header(path)
    again = build_model(header.architecture, header.config, path).eval()
    again.load_state_dict(load_state(path))
    waveform = noise(network, 1, 2000)
    assert torch.equal(network(waveform), again(waveform))


@torch.no_grad()
def test_shared_gain_moves_no_image() -> None:
    stereo = SharedGain(network_of("gramophone")).eval()
    waveform = 0.1 * torch.randn(1, 1, 6000) * torch.tensor([1.0, 0.25]).reshape(1, 2, 1)
    left, right = stereo(waveform)[0, 0]
    assert torch.allclose(right, 0.25 * left, atol=1e-6)
    only_left = waveform * torch.tensor([1.0, 0.0]).reshape(1, 2, 1)
    assert float(stereo(only_left)[0, 0, 1].abs().max()) == 0.0
