"""Base of U-Nets on waveforms whose convolutions see no padding, so their result is shorter than their input.

In training a network gets context on both sides and the loss compares what it finds for the centre, as published. In
use the waveform is extended by zeros, as the public programs do at the ends of a song.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from concertclean.networks.layers.waveform_model import WaveformModel


@dataclass(frozen=True)
class Pyramid:
    """How the sizes of a U-Net's feature maps depend on each other, samples.

    Attributes:
        levels: how often it halves, or whatever the stride is.
        stride: factor between levels; the first and last sample of a map are kept.
        down_loss: samples that the convolutions of a level take away on the way down.
        bottom_loss: those at the bottom.
        up_loss: those of a level on the way up.
    """

    levels: int
    stride: int
    down_loss: int
    bottom_loss: int
    up_loss: int

    @property
    def grid(self) -> int:
        """Inputs whose lengths differ by a multiple of this are all possible."""
        return int(self.stride**self.levels)

    @property
    def least_bottom(self) -> int:
        """Size at the bottom from which no map on the way up becomes shorter than one sample."""
        return 1 - -self.up_loss // (self.stride - 1)

    def lengths(self, bottom: int) -> tuple[int, int]:
        """Lengths of input and result for a size at the bottom, after the convolutions there."""
        n_in, n_out = bottom + self.bottom_loss, bottom
        for _ in range(self.levels):
            n_in = (n_in - 1) * self.stride + 1 + self.down_loss
            n_out = (n_out - 1) * self.stride + 1 - self.up_loss
        return n_in, n_out


class ValidModel(WaveformModel):
    """A network whose result lacks a margin on both sides; abstract.

    Attributes:
        shortest: samples of its shortest input; longer ones differ from it by multiples of `alignment`.
        margin: samples at each end of an input for which there is no result.
    """

    shortest: int
    margin: int

    @abstractmethod
    def valid(self, waveform: Tensor) -> Tensor:
        """Estimate of the centre of a waveform.

        Args:
            waveform: `(batch, channel, time)`, of a length that is possible.

        Returns:
            `(batch, stem, channel, time - 2 * margin)`, float32.
        """

    def inner(self, waveform: Tensor) -> Tensor:
        """See `WaveformModel.inner`; the waveform is cut on both sides to the nearest possible length."""
        excess = waveform.shape[-1] - self.shortest
        if excess < 0:
            raise ValueError(f"waveform has {waveform.shape[-1]} samples, must have at least {self.shortest}")
        return self.valid(centre(waveform, waveform.shape[-1] - excess % self.alignment))

    def estimates(self, waveform: Tensor) -> tuple[Tensor]:
        """See `WaveformModel.estimates`."""
        n_samples = waveform.shape[-1]
        beyond = n_samples - (self.shortest - 2 * self.margin)
        missing = max(-beyond, -beyond % self.alignment)
        return (self.valid(F.pad(waveform, (self.margin, self.margin + missing)))[..., :n_samples],)


def centre(waveform: Tensor, n_samples: int) -> Tensor:
    """The middle `n_samples` of `(..., time)`; if what is left over is odd, the end loses one sample more."""
    start = (waveform.shape[-1] - n_samples) // 2
    return waveform[..., start : start + n_samples]


def covering(n_samples: int, alignment: int) -> int:
    """The least multiple of `alignment` from `n_samples` on."""
    return -(-n_samples // alignment) * alignment
