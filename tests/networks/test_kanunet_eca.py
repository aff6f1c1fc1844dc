"""KANUNet-ECA: size of the published network, channel attention, and what the mask variant promises."""

import pytest
import torch
from torch import nn

from concertclean.networks.kanunet_eca import EfficientChannelAttention, KANUNetECA
from concertclean.networks.layers.kan_conv import KANConv2d

SMALL = {"sample_rate": 44100, "channels": 2, "n_fft": 256, "hop_length": 64, "base": 2, "output": "mask",
         "exponent": 0.3, "eca_frames": 3}  # fmt: skip


def n_parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@torch.no_grad()
def test_published_sizes() -> None:
    """10,138,752 edges: ten numbers each as KAN, one as convolution; the rest is norm, attention and the last layer."""
    with torch.device("meta"):
        kan, kanunet = KANUNetECA(), KANUNetECA(eca=False)
        plain = KANUNetECA(convolution="plain", eca=False)
    others = n_parameters(plain) - 10_138_752
    assert n_parameters(kan) == 101_394_311 == 10 * 10_138_752 + others + 5
    assert n_parameters(kanunet) == n_parameters(kan) - 5
    assert n_parameters(plain) == 10_145_538


@pytest.mark.parametrize(("channels", "size"), [(64, 3), (128, 5), (256, 5), (512, 5)])
@torch.no_grad()
def test_attention_kernel_follows_the_formula(channels: int, size: int) -> None:
    assert EfficientChannelAttention(channels).convolution.kernel_size == (size,)


@torch.no_grad()
def test_attention_equals_its_equation() -> None:
    torch.manual_seed(0)
    attention = EfficientChannelAttention(64)
    inputs = torch.randn(1, 64, 3, 4)
    mean = inputs.mean((2, 3))[0].tolist()
    weight = attention.convolution.weight.flatten().tolist()
    padded = [0.0, *mean, 0.0]
    for c in (0, 20, 63):
        raw = sum(w * padded[c + i] for i, w in enumerate(weight))
        gain = 1 / (1 + torch.exp(torch.tensor(-raw)))
        assert torch.allclose(attention(inputs)[0, c], inputs[0, c] * gain, atol=1e-6)


@torch.no_grad()
def test_local_attention_equals_the_global_one_on_a_steady_input() -> None:
    whole, local = EfficientChannelAttention(64), EfficientChannelAttention(64, 5)
    local.load_state_dict(whole.state_dict())
    inputs = torch.randn(1, 64, 3, 1).expand(-1, -1, -1, 9)
    assert torch.allclose(whole(inputs), local(inputs), atol=1e-6)


@torch.no_grad()
def test_mask_network_keeps_silence_silent_and_an_empty_channel_empty() -> None:
    torch.manual_seed(1)
    model = KANUNetECA(**SMALL).eval()
    waveform = 0.1 * torch.randn(1, 2, 4000)
    waveform[:, 1] = 0
    estimate = model(waveform)[:, 0]
    assert float(estimate[:, 1].abs().max()) == 0.0
    assert float(model(torch.zeros(1, 2, 4000)).abs().max()) == 0.0


@torch.no_grad()
def test_untrained_mask_network_leaves_the_recording_alone() -> None:
    """It starts near the identity: bounded mask 1.2·tanh(1/1.2) = 0.82."""
    torch.manual_seed(2)
    model = KANUNetECA(**SMALL).eval()
    nn.init.zeros_(model.head.weight)
    waveform = 0.1 * torch.randn(1, 2, 8000)
    inner = slice(500, 7500)
    ratio = model(waveform)[0, 0, :, inner] / waveform[0, :, inner]
    assert torch.allclose(ratio, torch.full_like(ratio, 0.8187), atol=2e-3)


@pytest.mark.parametrize(("plain_levels", "n_kan"), [(0, 15), (1, 11), (2, 7), (4, 0)])
def test_plain_levels_count_from_the_top(plain_levels, n_kan):
    """Two convolutions a level down and up, three at the bottom."""
    model = KANUNetECA(base=2, plain_levels=plain_levels)
    assert sum(isinstance(module, KANConv2d) for module in model.modules()) == n_kan
