"""Wave-U-Net as published: sizes of the table, parity with sums computed without torch, and what its outputs are."""

import pytest
import torch

from concertclean.networks.wave_unet import Interpolation, WaveUNet
from tests.networks.reference_weights import fill, stored, wave

VOICE, FOUR = ["accompaniment", "vocals"], ["bass", "drums", "other", "vocals"]
SMALL = {"channels": 1, "levels": 2, "filters": 2, "kernel_size": 5, "merge_size": 3}


@pytest.mark.parametrize(
    ("config", "n_parameters"),
    [
        ({"channels": 1, "padded": True, "output": "direct", "instruments": VOICE}, 10_263_028),  # M1
        ({"instruments": VOICE}, 10_263_390),  # M4
        ({"instruments": FOUR}, 10_263_498),  # M6
        ({"instruments": VOICE, "upsampling": "learned"}, 10_263_390 + 24 * sum(range(2, 14))),  # M5
        ({}, 10_263_390),  # a denoiser: noise and clean music are two stems, and one of them is returned
    ],
)
def test_published_sizes(config, n_parameters):
    with torch.device("meta"):
        model = WaveUNet(**config)
    assert sum(p.numel() for p in model.parameters()) == n_parameters


@pytest.mark.parametrize("more", [0, 4095, 4096])
@torch.no_grad()
def test_published_lengths(more):
    """The numbers of channels do not matter; an input of another length is cut to the nearest that is possible."""
    found = WaveUNet(filters=1).inner(torch.zeros(1, 2, 147_443 + more))
    assert found.shape == (1, 1, 2, 16_389 + more // 4096 * 4096)


@pytest.mark.parametrize("upsampling", ["linear", "learned"])
def test_equals_plain_sums(upsampling):
    model = WaveUNet(**SMALL, upsampling=upsampling, instruments=VOICE).eval()
    for number, layer in enumerate([*model.downs, model.bottom, *model.merges, model.head]):
        fill(layer, 0.31 + 0.01 * number)
    for number, up in enumerate(model.ups):
        if up.weight is not None:
            up.weight.data.copy_(wave(len(up.weight), pace=0.41 + 0.1 * number))
    with torch.no_grad():
        found = model.inner(wave(1, 1, 49, pace=0.77))
    assert torch.allclose(found, stored("wave_unet", upsampling), atol=2e-6)


class TestInterpolation:
    x = torch.tensor([[[1.0, 3.0, -1.0]]])

    def test_means_between(self):
        assert Interpolation(1, learned=False, padded=False)(self.x).tolist() == [[[1, 2, 3, 1, -1]]]

    def test_padded_as_tensorflow_resizes_without_aligned_corners(self):
        assert Interpolation(1, learned=False, padded=True)(self.x).tolist() == [[[1, 2, 3, 1, -1, -1]]]

    def test_learned_weight_is_that_of_the_earlier_sample(self):
        layer = Interpolation(1, learned=True, padded=False)
        layer.weight.data.fill_(100.0)
        assert layer(self.x).tolist() == [[[1, 1, 3, 3, -1]]]


@torch.no_grad()
def test_stems_add_up_to_the_mixture():
    model = WaveUNet(**SMALL, instruments=FOUR).train()  # in use the last stem is clipped
    mixture = 0.2 * torch.randn(2, 1, 500, generator=torch.Generator().manual_seed(0))
    stems = model(mixture)
    assert stems.shape == (2, 4, 1, 500)
    assert torch.allclose(stems.sum(1), mixture, atol=1e-6)


@torch.no_grad()
def test_a_denoiser_takes_its_noise_from_the_recording():
    model = WaveUNet(**SMALL).eval()
    model.head.weight.zero_()
    model.head.bias.fill_(0.5)
    recording = 0.1 * torch.ones(1, 1, 200)
    assert torch.allclose(model(recording), torch.full((1, 1, 1, 200), 0.1 - float(torch.tanh(torch.tensor(0.5)))))


@torch.no_grad()
def test_the_difference_is_clipped_in_use_only():
    model = WaveUNet(**SMALL, instruments=VOICE)
    model.head.bias.fill_(-9.0)
    loud = torch.ones(1, 1, 200)
    assert float(model.train()(loud)[:, 1].max()) > 1.9
    assert float(model.eval()(loud)[:, 1].max()) == 1.0


def test_too_short_for_context():
    model = WaveUNet(**SMALL)
    with pytest.raises(ValueError, match=f"waveform has 9 samples, must have at least {model.shortest}"):
        model.inner(torch.zeros(1, 1, 9))


@pytest.mark.parametrize("changes", [{"kernel_size": 4}, {"merge_size": 2}, {"instruments": ["vocals"]}])
def test_settings_that_cannot_be(changes):
    with pytest.raises(ValueError, match=r"must be odd|needs two instruments"):
        WaveUNet(**SMALL | changes)
