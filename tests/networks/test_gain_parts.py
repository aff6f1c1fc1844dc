"""A network's estimate split into what is left of the music and of the noise."""

import pytest
import torch

from concertclean.networks.gain_parts import has_gains, split
from concertclean.networks.kanunet_eca import KANUNetECA

RATE = 44_100


@pytest.fixture
def network():
    torch.manual_seed(0)
    small = {"sample_rate": RATE, "channels": 2, "n_fft": 512, "hop_length": 128, "base": 2, "convolution": "plain"}
    return KANUNetECA(**small, bands=64, output="mask", align_corners=False, eca_frames=9).eval()


def test_the_parts_add_up_to_the_estimate(network):
    torch.manual_seed(1)
    music, noise = 0.1 * torch.randn(1, 2, 6000), 0.1 * torch.randn(1, 2, 6000)
    parts = split(network, music, noise)
    n, margin = 6000, min(network.context, 5999)
    mixture = torch.nn.functional.pad(music + noise, (margin, margin), mode="reflect")
    with torch.inference_mode():
        estimate = network(mixture)[:, 0, :, margin : margin + n]
    assert parts[0] + parts[1] == pytest.approx(estimate, abs=1e-5)
    assert parts[0].shape == parts[1].shape == music.shape


def test_without_noise_all_of_the_estimate_is_music(network):
    music = 0.1 * torch.randn(1, 2, 6000)
    left, noise = split(network, music, torch.zeros_like(music))
    assert noise.abs().max() == 0
    assert left.abs().max() > 0


def test_silence_leaves_silence(network):
    silent = torch.zeros(1, 2, 6000)
    assert all(part.abs().max() == 0 for part in split(network, silent, silent))


def test_networks_without_a_spectrogram_have_no_gains(network):
    assert has_gains(network)
    assert not has_gains(torch.nn.Identity())
