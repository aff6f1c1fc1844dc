"""The later Wave-U-Net: published sizes, parity with sums computed without torch, low-passes, one network a stem."""

import pytest
import torch

from concertclean.networks.wave_unet_sinc import Downsampling, SincWaveUNet, Upsampling
from tests.networks.reference_weights import fill, stored, wave

FOUR = ["bass", "drums", "other", "vocals"]
SMALL = {"features": 8, "levels": 2}


@pytest.mark.parametrize("n_sources", [1, 4])
def test_published_size(n_sources):
    """The public code counts its low-passes, one copy of 15 taps a channel, among the parameters."""
    with torch.device("meta"):
        model = SincWaveUNet(instruments=FOUR if n_sources == 4 else [])
    trained = sum(p.numel() for p in model.parameters())
    filters = [m for m in model.modules() if isinstance(m, Downsampling | Upsampling)]
    fixed = sum(15 * one.channels for one in filters)
    assert (trained, trained + fixed) == (n_sources * 17_477_538, n_sources * 17_537_058)


@torch.no_grad()
def test_published_lengths():
    """The numbers of channels do not matter."""
    model = SincWaveUNet(features=8)
    assert model.inner(torch.zeros(1, 2, 97_961)).shape == (1, 1, 2, 88_409)
    assert (model.margin, model.alignment) == (4776, 1024)


@pytest.mark.parametrize("stride", [2, 4])
def test_equals_plain_sums(stride):
    model = SincWaveUNet(**SMALL, stride=stride).eval()
    (source,) = model.sources
    blocks = [source.skips[0], source.downs[0][0], source.bottom, source.ups[0][1], source.merges[0]]
    for number, (convolution, norm, _) in enumerate(blocks):
        fill(convolution, 0.51 + 0.01 * number)
        fill(norm, 0.71 + 0.01 * number, one=1.0)
    fill(source.head, 0.56)
    for parameter in source.head.parameters():
        parameter.data *= 0.1
    with torch.no_grad():
        found = model.inner(wave(1, 2, 61, pace=0.77))
    assert torch.allclose(found[:, 0], stored("wave_unet", f"sinc_{stride}"), atol=2e-6)


def test_low_passes():
    """Constants pass when samples are dropped; inserted zeros take their share of the level, as published."""
    ones = torch.ones(1, 3, 41)
    assert torch.allclose(Downsampling(3, 4)(ones), torch.ones(1, 3, 11))
    up = Upsampling(3, 4)(ones[..., :11])
    assert up.shape == (1, 3, 41)
    assert float(up.mean()) == pytest.approx(0.25, rel=0.05)


@torch.no_grad()
def test_a_network_for_each_stem():
    torch.manual_seed(0)
    model = SincWaveUNet(**SMALL, instruments=["bass", "vocals"]).eval()
    mixture = 0.1 * torch.randn(1, 2, 300)
    before = model(mixture)
    model.sources[1].head.bias += 0.5
    after = model(mixture)
    assert torch.equal(after[:, 0], before[:, 0])
    assert not torch.allclose(after[:, 1], before[:, 1])


@torch.no_grad()
def test_full_scale_is_the_limit_in_use_only():
    model = SincWaveUNet(**SMALL)
    model.sources[0].head.bias.fill_(3.0)
    assert float(model.train()(torch.zeros(1, 2, 100)).min()) > 1
    assert float(model.eval()(torch.zeros(1, 2, 100)).max()) == 1


@pytest.mark.parametrize("changes", [{"features": 12}, {"kernel_size": 4}, {"levels": 1}])
def test_settings_that_cannot_be(changes):
    with pytest.raises(ValueError, match="must be"):
        SincWaveUNet(**SMALL | changes)
