"""Wave-U-Net as published: a U-Net on waveforms of twelve levels, each half the rate of the one before.

Convolutions of 15 taps on the way down, every second sample dropped after each; linear interpolation and convolutions
of five taps on the way up; skip connections are cropped to the centre. With `output` "difference" the last stem is the
mixture minus the others. The table of the paper:

====  ==========================================================  ==================================================
M1    mono, zeros around every convolution, every stem estimated  `channels=1, padded=True, output="direct"`
M2    M1 with difference output                                   `channels=1, padded=True`
M3    M2 with context                                             `channels=1`
M4    M3 in stereo                                                the defaults
M5    M4 with learned interpolation                               `upsampling="learned"`
M6    M4 for four stems                                           the defaults
====  ==========================================================  ==================================================

M1 to M5 separate `instruments=["accompaniment", "vocals"]`, M6 `["bass", "drums", "other", "vocals"]`. Without
instruments the network is a denoiser (own): it estimates the noise and returns the difference.

References:
    Stoller, Ewert, Dixon: Wave-U-Net: a multi-scale neural network for end-to-end audio source separation, ISMIR 2018,
    section 3 and Table 1.
    github.com/f90/Wave-U-Net, MIT (first weights, interpolation, output; nothing of it is copied).
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from concertclean.networks.layers.valid_waveform import Pyramid, ValidModel, centre, covering

_LEAK = 0.2


class Interpolation(nn.Module):
    """A sample between every two: their mean, or for each channel a weighted mean whose weight is learned.

    Args:
        channels: of the input.
        learned: weights are learned.
        padded: there is one more sample after the last, towards itself, or towards zero where weights are learned.
    """

    def __init__(self, channels: int, *, learned: bool, padded: bool) -> None:
        super().__init__()
        self.padded = padded
        self.weight = nn.Parameter(torch.empty(channels)) if learned else None
        if self.weight is not None:
            nn.init.uniform_(self.weight, -math.sqrt(3 / channels), math.sqrt(3 / channels))

    def forward(self, waves: Tensor) -> Tensor:
        """Maps `(batch, channel, time)` to `(batch, channel, 2 * time - 1)`, or twice the time if padded."""
        share = 0.5 if self.weight is None else torch.sigmoid(self.weight)[:, None]
        beyond = waves[..., -1:] if self.weight is None else torch.zeros_like(waves[..., -1:])
        between = share * waves + (1 - share) * torch.cat([waves[..., 1:], beyond], dim=-1)
        both = torch.stack([waves, between], dim=-1).flatten(-2)
        return both if self.padded else both[..., :-1]


class WaveUNet(ValidModel):
    """Wave-U-Net, waveform to waveform.

    Args:
        sample_rate: Hz.
        channels: 1 mono, 2 stereo.
        instruments: a stem for each; empty: one stem, the clean music.
        levels: how often the rate is halved.
        filters: channels of the first level, and how many more each has than the one above.
        kernel_size: taps of the convolutions on the way down, odd.
        merge_size: of those on the way up, odd.
        upsampling: "linear" (published) or "learned" interpolation.
        output: "difference": the last stem, or the clean music, is what is left of the mixture; "direct": it is
            estimated as well.
        padded: zeros around every convolution instead of context around the waveform.

    Raises:
        ValueError: a number of taps is even, or a difference would leave nothing to estimate.
    """

    def __init__(  # noqa: PLR0913 - flat keyword arguments, one a line of the config in the weights file
        self,
        *,
        sample_rate: int = 22_050,
        channels: int = 2,
        instruments: Sequence[str] = (),
        levels: int = 12,
        filters: int = 24,
        kernel_size: int = 15,
        merge_size: int = 5,
        upsampling: Literal["linear", "learned"] = "linear",
        output: Literal["direct", "difference"] = "difference",
        padded: bool = False,
    ) -> None:
        super().__init__()
        if not kernel_size % 2 or not merge_size % 2:
            raise ValueError(f"kernel_size={kernel_size}, merge_size={merge_size}; must be odd")
        if len(instruments) == 1 and output == "difference":
            raise ValueError("the difference output needs two instruments or more, or none")
        self.sample_rate, self.channels, self.output = sample_rate, channels, output
        self.instruments, self.stems = tuple(instruments), len(instruments) or 1
        pyramid = Pyramid(levels, 2, kernel_size - 1, kernel_size - 1, merge_size - 1)
        n_in, n_out = pyramid.lengths(pyramid.least_bottom)
        self.alignment, margin = pyramid.grid, (n_in - n_out) // 2
        self.shortest, self.margin = (self.alignment, 0) if padded else (n_in, margin)
        # Sizes do not count the interpolation, which reaches a sample further on every level.
        self.context = covering(margin + self.alignment - 1, self.alignment)
        widths = [filters * (level + 1) for level in range(levels + 1)]

        def convolution(before: int, after: int, taps: int) -> nn.Conv1d:
            layer = nn.Conv1d(before, after, taps, padding=taps // 2 if padded else 0)
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(cast(Tensor, layer.bias))
            return layer

        layers = [convolution(*pair, kernel_size) for pair in pairwise([channels, *widths])]
        self.downs, self.bottom = nn.ModuleList(layers[:-1]), layers[-1]
        below = [(wide, n) for n, wide in reversed(list(pairwise(widths)))]
        self.ups = nn.ModuleList(
            Interpolation(wide, learned=upsampling == "learned", padded=padded) for wide, _ in below
        )
        self.merges = nn.ModuleList(convolution(wide + n, n, merge_size) for wide, n in below)
        self.n_heads = self.stems - 1 or 1 if output == "difference" else self.stems
        self.head = convolution(filters + channels, self.n_heads * channels, 1)

    def valid(self, waveform: Tensor) -> Tensor:
        """See `ValidModel.valid`; what is left of the mixture is at most full scale unless training, as published."""
        hidden, skips = waveform, list[Tensor]()
        for down in self.downs:
            skips.append(F.leaky_relu(down(hidden), _LEAK))
            hidden = skips[-1][..., ::2]
        hidden = F.leaky_relu(self.bottom(hidden), _LEAK)
        for up, merge in zip(self.ups, self.merges, strict=True):
            hidden = up(hidden)
            hidden = F.leaky_relu(merge(_joined(skips.pop(), hidden)), _LEAK)
        # The output in full precision, whatever that of the inner layers: its rounding would be audible.
        with torch.autocast(waveform.device.type, enabled=False):
            found = torch.tanh(self.head(_joined(waveform, hidden.to(waveform.dtype))))
        stems = found.reshape(len(found), self.n_heads, self.channels, -1)
        if self.output == "direct":
            return stems
        left = centre(waveform, stems.shape[-1])[:, None] - stems.sum(1, keepdim=True)
        left = left if self.training else left.clamp(-1, 1)
        return torch.cat([stems, left], dim=1) if self.instruments else left


def _joined(skip: Tensor, hidden: Tensor) -> Tensor:
    """The centre of a map from the way down, then the map from the way up."""
    return torch.cat([centre(skip, hidden.shape[-1]), hidden], dim=1)
