"""DDAE: its handful of parameters, parity with sums computed without torch, and how it fills a whole spectrogram."""

import pytest
import torch

from concertclean.config.training import LossSettings
from concertclean.networks.ddae import DDAE
from concertclean.train.objective import Objective
from tests.networks.reference_weights import fill, stored, wave


@pytest.mark.parametrize(
    ("config", "n_parameters"),
    [
        ({}, 8),
        ({"upsampling": "transposed"}, 13),
        # 128 kernels of nine weights and a bias on either side, and gain and offset of 128 channels and of one
        ({"width": 128, "kernel_size": 3}, (9 * 128 + 128) + 2 * 128 + (9 * 128 + 1) + 2),
    ],
)
def test_sizes(config, n_parameters):
    assert sum(p.numel() for p in DDAE(**config).parameters()) == n_parameters


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("bilinear", {}),
        ("transposed", {"upsampling": "transposed"}),
        ("wide", {"width": 3, "kernel_size": 3}),
        ("wide_transposed", {"width": 3, "kernel_size": 3, "upsampling": "transposed"}),
    ],
)
@torch.no_grad()
def test_equals_plain_sums(name, config):
    model = DDAE(n_fft=64, hop_length=16, **config).eval()
    for block, pace in ((model.encoder, 0.31), (model.decoder, 0.51)):
        fill(block[0], pace)
        fill(block[2], pace + 0.2, one=1.0)
        n_channels = len(block[2].weight)
        block[2].running_mean.copy_(wave(n_channels, pace=pace + 0.1))
        block[2].running_var.copy_(1 + wave(n_channels, pace=pace + 0.15))
    if "upsampling" in config:
        fill(model.up, 0.41)
    found = model.rebuilt(1 + wave(1, 1, 17, 13, pace=0.77))
    assert torch.allclose(found[:, 0], stored("ddae", name), atol=2e-6)


def identity(**config):
    """A model that returns the largest magnitude of every two by two, as they are."""
    model = DDAE(n_fft=64, hop_length=32, **config).eval()
    middle = config.get("kernel_size", 1) // 2
    for block in (model.encoder, model.decoder):
        block[0].weight.data.zero_()
        block[0].weight.data[..., middle, middle] = 1
        block[2].eps = 0.0
    return model


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@torch.no_grad()
def test_the_whole_spectrogram_is_found_though_nothing_is_padded(kernel_size):
    """A magnitude that is constant everywhere stays so in every bin, also the outermost, and the phase is kept."""
    model = identity(kernel_size=kernel_size)
    phases = torch.rand(2, 1, 33, 7, generator=torch.Generator().manual_seed(0)) * 6
    degraded = torch.polar(torch.full_like(phases, 0.2), phases)
    assert torch.allclose(model.stages(degraded)[0], degraded, atol=1e-6)


@torch.no_grad()
def test_training_compares_the_centre_of_the_target():
    """With a kernel of 3 the outermost two bins and frames of 33 by 9 are not returned, and one of each for pooling."""
    model = identity(kernel_size=3)
    waveform = 0.1 * torch.randn(2, 1, 8 * 32, generator=torch.Generator().manual_seed(0))
    loss, _ = Objective(model, "spectrogram_mse", LossSettings())(waveform, 2 * waveform, 0, 0.0)
    magnitude = model.magnitude(waveform)
    assert magnitude.shape == (2, 1, 33, 9)
    found = model.rebuilt(magnitude)
    assert found.shape == (2, 1, 1, 28, 4)
    expected = (found[:, 0] - 2 * magnitude[..., 2:30, 2:6]).square().mean()
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


@torch.no_grad()
def test_negative_magnitudes_are_silence_and_silence_stays_silent():
    model = identity()
    model.decoder[2].bias.fill_(-1e3)
    assert not model(torch.randn(1, 1, 500)).any()
    model.decoder[2].bias.fill_(1.0)
    assert not model(torch.zeros(1, 1, 500)).any()


def test_a_lone_channel_never_starts_dead():
    """Half of all first weights would be negative, and nothing behind the ReLU would ever get a gradient."""
    for seed in range(20):
        torch.manual_seed(seed)
        assert float(DDAE().encoder[0].weight.detach()) > 0


@pytest.mark.parametrize("kernel_size", [2, 17])
def test_kernels_that_cannot_be(kernel_size):
    with pytest.raises(ValueError, match=f"kernel_size={kernel_size}, must be odd and below 16"):
        DDAE(n_fft=64, kernel_size=kernel_size)
