"""Songs of any length, rate and number of channels through a network that separates them."""

import numpy as np
import pytest
import torch
from torch import nn

from concertclean.networks.architectures import ARCHITECTURES
from concertclean.restore.separation import separate

RATE = 1000


class Shares(nn.Module):
    """Two stems: a quarter of the mixture and the rest; a window without its context would show."""

    sample_rate, stems, alignment, context = RATE, 2, 8, 16

    def __init__(self, channels=1):
        super().__init__()
        self.channels, self.lengths = channels, []

    def forward(self, waveform):
        assert waveform.shape[1] == self.channels
        self.lengths.append(waveform.shape[-1])
        return torch.stack([0.25 * waveform, 0.75 * waveform], dim=1)


@pytest.mark.parametrize("model_channels", [1, 2])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("n_samples", [0, 1, 159, 160, 161, 1234])
def test_every_sample_of_every_stem(channels, model_channels, n_samples, noise):
    mixture = noise(n_samples, channels=channels)
    model = Shares(model_channels)
    found = separate(model, mixture, RATE, device="cpu", segment_seconds=0.16)
    assert found.shape == (2, channels, n_samples)
    assert np.allclose(found, [0.25 * mixture, 0.75 * mixture], atol=1e-7)
    assert set(model.lengths) <= {160 + 2 * 16}


@pytest.mark.parametrize("rate", [800, 1500])
def test_at_the_rate_of_the_song(rate, noise):
    """A tone well below both limits; resampling there and back is exact to a thousandth away from the ends."""
    time = np.arange(3 * rate + 1) / rate
    mixture = np.sin(2 * np.pi * 50 * time)[None]
    found = separate(Shares(), mixture, rate, device="cpu")
    assert found.shape == (2, 1, 3 * rate + 1)
    assert np.allclose(found[0, 0, rate:-rate], 0.25 * mixture[0, rate:-rate], atol=1e-3)


def test_segments_do_not_show(noise):
    """A real network in pieces and whole; silence lies outside in both, and the grid is the same."""
    torch.manual_seed(0)
    row = ARCHITECTURES["wave_unet_separator"]
    model = row.build(**row.small_config, sample_rate=RATE)
    mixture = noise(2000)
    whole = separate(model, mixture, RATE, device="cpu", segment_seconds=10.0)
    pieces = separate(model, mixture, RATE, device="cpu", segment_seconds=0.3)
    assert np.abs(whole - pieces).max() < 1e-5 * np.abs(whole).max()
