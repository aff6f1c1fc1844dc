"""A mono network on stereo: both channels get the quotient of what it makes of their mean."""

import pytest
import torch

from concertclean.networks.layers.shared_gain import SharedGain
from concertclean.networks.layers.waveform_model import WaveformModel


class Gain(WaveformModel):
    """A mono "network" that multiplies."""

    def __init__(self, gain):
        super().__init__()
        self.gain = gain
        self.sample_rate, self.channels, self.stems, self.alignment, self.context = 44_100, 1, 1, 512, 512

    def estimates(self, waveform):
        return (self.gain * waveform.unsqueeze(1),)


@pytest.mark.parametrize(("gain", "shared"), [(1.0, 1.0), (0.5, 0.5), (-1.0, -1.0), (0.0, 0.0), (3.0, 1.2)])
@torch.no_grad()
def test_a_gain_found_on_the_mean_is_that_of_both_channels(gain, shared):
    """The quotient of the spectrograms is the gain itself, at any phase; its modulus is held below 1.2.

    A floor of 1e-12 lies under the power of the mean and changes a bin by 1e-12 over that power. Of 12 000 bins of 4e-4
    on average, the quietest has about 3e-8.
    """
    waveform = torch.randn(1, 2, 6000, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(SharedGain(Gain(gain))(waveform)[:, 0], shared * waveform, rtol=0, atol=1e-12 / 3e-8)


@pytest.mark.parametrize("right", [-1.0, -0.6, -1.5])
@torch.no_grad()
def test_a_gain_is_found_also_where_one_channel_is_inverted(right):
    """The mean of such channels holds little or nothing; where it is silent, the quotient of the spectrograms is 0."""
    left = torch.randn(1, 1, 20_000, generator=torch.Generator().manual_seed(0))
    waveform = torch.cat([left, right * left], dim=1)
    assert torch.allclose(SharedGain(Gain(0.5))(waveform)[:, 0], 0.5 * waveform, rtol=0, atol=1e-4)
