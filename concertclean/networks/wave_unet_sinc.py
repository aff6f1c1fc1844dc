"""Wave-U-Net, the authors' later layout in PyTorch: few levels, a stride of four, fixed low-passes between them.

A network of its own for each instrument, and one for clean music where there are none. Levels of 32 to 1024 channels,
kernels of five taps without padding, group normalisation and ReLU. Before samples are dropped, and after zeros are
inserted, a windowed sinc of 15 taps removes what lies above the new limit; it is not trained. Its window is meant to be
Blackman's, but the last term of the public code is constant, so it is nearly Hann's. Inserted zeros are not
compensated: upsampling divides by the stride.

The group normalisation takes its statistics from a whole segment, as published: two seconds there.

References:
    Stoller, Ewert, Dixon: Wave-U-Net: a multi-scale neural network for end-to-end audio source separation, ISMIR 2018.
    github.com/f90/Wave-U-Net-Pytorch, MIT (sizes, filters and normalisation; nothing of it is copied).
    As a denoiser: own.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from concertclean.networks.layers.valid_waveform import Pyramid, ValidModel, centre, covering

_TAPS = 15
_HALF = _TAPS // 2
_NORMALISED_TOGETHER = 8  # channels

Norm = Literal["group", "batch", "none"]


def sinc_filter(stride: int) -> Tensor:
    """Low-pass at the limit of a rate `stride` times lower, `(15,)`, sum 1."""
    place = torch.arange(_TAPS, dtype=torch.float64)
    window = 0.42 - 0.5 * torch.cos(2 * math.pi * place / (_TAPS - 1)) + 0.08  # sic: the last term lacks its cosine
    taps = torch.sinc((place - _HALF) / stride) * window
    return (taps / taps.sum()).float()


class _LowPass(nn.Module):
    """The filter between two levels, the same for every channel."""

    taps: Tensor

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, stride
        self.register_buffer("taps", sinc_filter(stride), persistent=False)

    @property
    def kernel(self) -> Tensor:
        """Its taps as weights of a convolution, `(channel, 1, tap)`."""
        return self.taps.expand(self.channels, 1, -1)


class Downsampling(_LowPass):
    """Every `stride`th sample after a low-pass; beyond the ends lies the mirror image."""

    def forward(self, waves: Tensor) -> Tensor:
        """Maps `(batch, channel, time)` to `(batch, channel, 1 + (time - 1) / stride)`."""
        padded = F.pad(waves, (_HALF, _HALF), "reflect")
        return F.conv1d(padded, self.kernel, stride=self.stride, groups=self.channels)


class Upsampling(_LowPass):
    """Zeros between the samples, then a low-pass; beyond the ends lies the mirror image."""

    def forward(self, waves: Tensor) -> Tensor:
        """Maps `(batch, channel, time)` to `(batch, channel, 1 + (time - 1) * stride)`."""
        n_beyond = _HALF // self.stride  # as many as the filter reaches
        padded = F.pad(waves, (n_beyond, n_beyond), "reflect")
        spread = F.conv_transpose1d(padded, self.kernel, stride=self.stride, groups=self.channels)
        first = n_beyond * self.stride + _HALF
        return spread[..., first : first + 1 + (waves.shape[-1] - 1) * self.stride]


def _convolution(n_in: int, n_out: int, kernel_size: int, norm: Norm) -> nn.Sequential:
    """Convolution without padding, normalisation and rectifier; a leaky one where nothing is normalised."""
    layer = nn.Conv1d(n_in, n_out, kernel_size)
    if norm == "none":
        return nn.Sequential(layer, nn.LeakyReLU())
    if norm == "batch":
        return nn.Sequential(layer, nn.BatchNorm1d(n_out), nn.ReLU())
    return nn.Sequential(layer, nn.GroupNorm(n_out // _NORMALISED_TOGETHER, n_out), nn.ReLU())


class _Source(nn.Module):
    """The network of one source."""

    def __init__(self, channels: int, widths: Sequence[int], kernel_size: int, stride: int, norm: Norm) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        befores = [channels, *widths[1:-1]]
        self.skips = nn.ModuleList(
            _convolution(before, n, kernel_size, norm) for before, n in zip(befores, widths[:-1], strict=True)
        )
        self.downs = nn.ModuleList(
            nn.Sequential(_convolution(n, wider, kernel_size, norm), Downsampling(wider, stride)) for n, wider in pairs
        )
        self.bottom = _convolution(widths[-1], widths[-1], kernel_size, norm)
        self.ups = nn.ModuleList(
            nn.Sequential(Upsampling(wider, stride), _convolution(wider, n, kernel_size, norm))
            for n, wider in reversed(pairs)
        )
        self.merges = nn.ModuleList(_convolution(2 * n, n, kernel_size, norm) for n, _ in reversed(pairs))
        self.head = nn.Conv1d(widths[0], channels, 1)

    def forward(self, waveform: Tensor) -> Tensor:
        """Estimate of the centre, `(batch, channel, time)`."""
        hidden, skips = waveform, list[Tensor]()
        for skip, down in zip(self.skips, self.downs, strict=True):
            skips.append(skip(hidden))
            hidden = down(skips[-1])
        hidden = self.bottom(hidden)
        for up, merge in zip(self.ups, self.merges, strict=True):
            hidden = up(hidden)
            hidden = merge(torch.cat([centre(skips.pop(), hidden.shape[-1]), hidden], dim=1))
        # The output in full precision, whatever that of the inner layers: its rounding would be audible.
        with torch.autocast(waveform.device.type, enabled=False):
            found: Tensor = self.head(hidden.to(waveform.dtype))
        return found if self.training else found.clamp(-1, 1)


class SincWaveUNet(ValidModel):
    """Wave-U-Net with fixed low-passes, waveform to waveform.

    Args:
        sample_rate: Hz.
        channels: 1 mono, 2 stereo.
        instruments: a stem for each, with a network of its own; empty: one stem, the clean music.
        features: channels of the first level, doubled from level to level; a multiple of 8 with `norm` "group".
        levels: of different rates.
        kernel_size: taps of a convolution, odd.
        stride: factor between the rates of levels.
        norm: of the convolutions: "group" (published), "batch" or "none".

    Raises:
        ValueError: `features` or `kernel_size` is another number, or there are fewer than two levels.
    """

    def __init__(
        self,
        *,
        sample_rate: int = 44_100,
        channels: int = 2,
        instruments: Sequence[str] = (),
        features: int = 32,
        levels: int = 6,
        kernel_size: int = 5,
        stride: int = 4,
        norm: Norm = "group",
    ) -> None:
        super().__init__()
        if norm == "group" and features % _NORMALISED_TOGETHER:
            raise ValueError(f"features={features}, must be a multiple of {_NORMALISED_TOGETHER}")
        if not kernel_size % 2 or levels < 2:
            raise ValueError(f"kernel_size={kernel_size}, levels={levels}; must be odd, and 2 or more")
        self.sample_rate, self.channels = sample_rate, channels
        self.instruments, self.stems = tuple(instruments), len(instruments) or 1
        loss = kernel_size - 1
        pyramid = Pyramid(levels - 1, stride, 2 * loss, loss, 2 * loss)
        # The low-passes mirror seven samples, so every map needs more than that.
        self.shortest, n_out = pyramid.lengths(max(_HALF + 1, pyramid.least_bottom))
        self.margin, self.alignment = (self.shortest - n_out) // 2, pyramid.grid
        # Sizes do not count the low-passes, which reach half their taps further on every level, down and up.
        reach = 2 * _HALF * sum(stride**level for level in range(levels - 1))
        self.context = covering(self.margin + reach, self.alignment)
        widths = [features * 2**level for level in range(levels)]
        self.sources = nn.ModuleList(_Source(channels, widths, kernel_size, stride, norm) for _ in range(self.stems))

    def valid(self, waveform: Tensor) -> Tensor:
        """See `ValidModel.valid`; at most full scale unless training, as published."""
        return torch.stack([source(waveform) for source in self.sources], dim=1)
