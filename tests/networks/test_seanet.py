"""STFT-SEANet: parameters as published, values of an independent computation, scales."""

import json
from pathlib import Path

import pytest
import torch

from concertclean.dsp import stft
from concertclean.networks.layers.spectral_discriminator import SpectralDiscriminator, SpectralDiscriminators
from concertclean.networks.seanet import SEANet
from tests.networks.reference_weights import named_wave

REFERENCE = Path(__file__).parents[1] / "reference"
SMALL = {"n_fft": 126, "hop_length": 32, "widths": (2, 2, 3, 3, 2, 2, 4), "code": 2}


def fill(network: torch.nn.Module) -> None:
    for name, parameter in network.named_parameters():
        parameter.data.copy_(named_wave(*parameter.shape, name=name))


def stored(name: str) -> torch.Tensor:
    return torch.tensor(json.loads((REFERENCE / "seanet.json").read_text())[name])


def n_parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_as_many_parameters_as_published():
    assert n_parameters(SEANet(weight_norm=False)) == 9_345_378
    assert n_parameters(SEANet()) == 9_350_180
    assert n_parameters(SEANet(scales=3, weight_norm=False)) == 3 * 9_345_378
    assert n_parameters(SpectralDiscriminator()) == 4_585_472


@torch.no_grad()
def test_the_generator_gives_the_values_of_an_independent_computation():
    network = SEANet(**SMALL, weight_norm=False).eval()
    fill(network.scales[0])
    planes = named_wave(2, 8, 64, name="planes")
    degraded = torch.view_as_complex(planes.permute(2, 1, 0).contiguous())[None, None] / network.window.sum()
    (estimate,) = network.stages(degraded)
    found = torch.view_as_real(estimate[0, 0] * network.window.sum()).permute(2, 1, 0)
    expected = stored("generator")
    assert float((found[..., ::8] - expected).abs().max()) < 1e-4 * float(expected.abs().max())


@torch.no_grad()
def test_the_discriminator_gives_the_values_of_an_independent_computation():
    network = SpectralDiscriminator(n_fft=126, hop_length=32, widths=SMALL["widths"], code=2).eval()
    fill(network.layers)
    planes = named_wave(2, 8, 64, name="planes")
    expected = stored("discriminator")
    found = network.layers(torch.cat([planes, -planes], dim=1)[None])[0]
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) < 1e-4 * float(expected.abs().max())


@torch.no_grad()
def test_weight_norm_changes_no_fresh_estimate():
    waveform = 0.1 * torch.randn(1, 1, 3000)
    torch.manual_seed(0)
    plain = SEANet(**SMALL, weight_norm=False).eval()(waveform)
    torch.manual_seed(0)
    assert torch.allclose(SEANet(**SMALL).eval()(waveform), plain, atol=1e-6)


@torch.no_grad()
def test_the_estimates_of_all_scales_are_added_at_the_full_rate():
    """Networks that return their input: a tone that every rate holds comes out three times, a high one once."""
    network = SEANet(sample_rate=8000, n_fft=128, hop_length=32, widths=(2,) * 7, code=2, scales=3).eval()
    for scale in network.scales:
        scale.forward = lambda planes: planes
    time = torch.arange(8000) / 8000
    for frequency, times in ((440.0, 3), (1500.0, 2), (3000.0, 1)):
        tone = 0.1 * torch.sin(2 * torch.pi * frequency * time)[None, None]
        estimate = network(tone)[0]
        middle = slice(1000, 7000)
        assert torch.allclose(estimate[..., middle], times * tone[0, :, middle], atol=2e-4), frequency


@torch.no_grad()
def test_each_discriminator_looks_at_half_the_rate_of_the_one_before():
    discriminators = SpectralDiscriminators(scales=3, n_fft=126, hop_length=32, widths=SMALL["widths"], code=2)
    seen = []
    for each in discriminators.scales:
        each.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    tone = 0.5 * torch.sin(2 * torch.pi * 0.01 * torch.arange(4000))[None, None]
    scores = discriminators(tone)
    assert [waveform.shape[-1] for waveform in seen] == [4000, 2000, 1000]
    for step, waveform in zip((1, 2, 4), seen, strict=True):
        assert torch.allclose(waveform[..., 200:-200], tone[..., ::step][..., 200:-200], atol=2e-4)
    assert [score.shape[1] for score in scores] == [2, 2, 2]


def test_seven_widths_are_needed():
    with pytest.raises(ValueError, match="has 3 numbers, must have 7"):
        SEANet(widths=(2, 2, 2))


def test_levels_are_divided_by_the_sum_of_no_window():
    """A full-scale sine has half the sum of the window in the planes the network receives."""
    network = SEANet(**SMALL).eval()
    seen = []
    network.scales[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    time = torch.arange(4000)
    network(torch.cos(2 * torch.pi * 10 / 126 * time)[None, None])
    assert float(seen[0][0, :, 40].norm(dim=0).max()) == pytest.approx(0.5 * 63, rel=1e-3)
    assert stft.window("hann", 126).sum() == pytest.approx(63)
