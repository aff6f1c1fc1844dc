"""KANUNet-ECA: a U-Net of Kolmogorov-Arnold convolutions with channel attention at its bottom.

Complex spectrogram in, complex spectrogram out. The defaults are the published network (Zhang: 22.05 kHz mono,
1024-sample frames, widths 64 to 512, spline grid 5); the same file builds its ablations, KANUNet (`eca=False`) and
the plain U-Net (`convolution="plain"`), a bounded complex mask instead of the mapping, and the variant of the shipped
weights: joint stereo, magnitudes of bands in and one gain per band out.

References:
    Shijie Zhang, KANUNet-ECA (network, Fig. 1 and 2).
    Wang et al., ECA-Net: efficient channel attention, CVPR 2020, equations 9 to 12.
"""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from concertclean.dsp import stft
from concertclean.networks.layers.band_gains import BandGains, gains
from concertclean.networks.layers.band_recurrence import BandRecurrence
from concertclean.networks.layers.kan_conv import BasisName, KANConv2d
from concertclean.networks.layers.waveform_model import SpectralModel

_LEVELS = 3
# Frames that the levels cover. The means of attention, recurrent layers and level reach further, but one through the
# other, so that half of that is enough: with the shipped weights of `concert`, frames beyond 127 of 191 change mixtures
# by -92 to -109 dB, those beyond 96 by up to -57 dB.
_LEVELS_REACH = 64
_MASK_BOUND = 1.2  # above one, so that "unchanged" is reachable


class EfficientChannelAttention(nn.Module):
    """One sigmoid gain per channel from a short convolution across the channel means (ECA-Net, eq. 12).

    Args:
        channels: channels C of the input; the kernel is the odd number nearest above log2(C)/2 + 1/2.
        n_frames: frames of the mean, centred on each frame; 0 takes the mean over everything, as published.
            A finite number makes the result independent of how a recording is cut into segments.
    """

    def __init__(self, channels: int, n_frames: int = 0) -> None:
        super().__init__()
        size = int(abs(math.log2(channels) / 2 + 0.5))
        size += 1 - size % 2
        self.convolution = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)
        self.n_frames = n_frames

    def forward(self, inputs: Tensor) -> Tensor:
        """Scales `(batch, channel, freq, frame)` channel by channel."""
        mean = inputs.mean(dim=2)
        if self.n_frames:
            margin = self.n_frames // 2
            mean = F.avg_pool1d(mean, 2 * margin + 1, 1, margin, count_include_pad=False)
        else:
            mean = mean.mean(dim=2, keepdim=True)
        batch, channels, frames = mean.shape
        across = mean.transpose(1, 2).reshape(batch * frames, 1, channels)
        gain = torch.sigmoid(self.convolution(across))
        return inputs * gain.reshape(batch, frames, channels).transpose(1, 2).unsqueeze(2)


class KANUNetECA(SpectralModel):
    """KANUNet-ECA and its ablations, waveform to waveform.

    Attributes:
        alignment: samples; a segment must start on a multiple of it to see the pooling grid of the whole.
        context: samples on each side of a segment that its estimate depends on, to -90 dB.

    Args:
        sample_rate: Hz.
        channels: 1 mono, 2 joint stereo: both channels go in together and each gets its own output.
        n_fft: samples of a frame.
        hop_length: samples between frames.
        base: channels of the first level; doubled on each of three more.
        convolution: "kan" or "plain" (3x3 convolution without bias).
        plain_levels: levels from the top that stay plain; 0: none (published). The top level is most of the cost of a
            KAN, and has the fewest weights.
        basis: edge functions of the KAN convolutions.
        grid_size: intervals of the spline grid.
        first_grid: ends of the spline grid of the first layer.
        inner_grid: ends of the spline grid of every other layer, whose input is never negative.
        eca: channel attention at the bottom.
        eca_frames: bottom-level frames (8 spectrogram frames each) used by the attention; 0: all, as published.
        output: "mapping" predicts the spectrogram (published); "mask" a complex mask with modulus up to 1.2.
        exponent: power of the input magnitude; 1: none (published).
        bands: bands of `BandGains`, which then replaces `output` and `exponent`; 0: none (published).
        recurrent_layers: layers of `BandRecurrence` after the attention; 0: none (published).
        recurrent_units: units of each of their LSTMs in each direction.
        align_corners: of the bilinear upsampling. True (published) stretches with the length of the input, so the
            result depends on where a segment ends; False is local.
    """

    stems = 1

    def __init__(  # noqa: PLR0913 - flat keyword arguments, one a line of the config in the weights file
        self,
        *,
        sample_rate: int = 22050,
        channels: int = 1,
        n_fft: int = 1024,
        hop_length: int = 256,
        base: int = 64,
        convolution: Literal["kan", "plain"] = "kan",
        plain_levels: int = 0,
        basis: BasisName = "bspline",
        grid_size: int = 5,
        first_grid: tuple[float, float] = (-1.0, 1.0),
        inner_grid: tuple[float, float] = (-1.0, 1.0),
        eca: bool = True,
        eca_frames: int = 0,
        output: Literal["mapping", "mask"] = "mapping",
        exponent: float = 1.0,
        bands: int = 0,
        align_corners: bool = True,
        recurrent_layers: int = 0,
        recurrent_units: int = 96,
    ) -> None:
        super().__init__()
        self.sample_rate, self.channels, self.hop_length = sample_rate, channels, hop_length
        self.output, self.exponent, self.align_corners = output, exponent, align_corners
        self.alignment = hop_length * 2**_LEVELS
        self.front = BandGains(n_fft // 2 + 1, bands, channels) if bands else None
        margin = self.front.margin if self.front else 0
        layers = [BandRecurrence(base * 2**_LEVELS, recurrent_units) for _ in range(recurrent_layers)]
        at_bottom = (eca_frames // 2 if eca else 0) + sum(layer.margin for layer in layers)
        self.context = hop_length * (_LEVELS_REACH + (2**_LEVELS * at_bottom + margin) // 2)
        self.register_buffer("window", stft.window("hann", n_fft), persistent=False)

        def block(n_in: int, n_out: int, level: int, *, first: bool = False) -> nn.Module:
            if convolution == "plain" or level < plain_levels:
                layer: nn.Module = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
            else:
                grid = first_grid if first else inner_grid
                layer = KANConv2d(
                    n_in, n_out, basis=basis, grid_size=grid_size, grid_range=grid, nonnegative_input=not first
                )
            return nn.Sequential(layer, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))

        def pair(n_in: int, n_out: int, level: int, *, first: bool = False) -> nn.Module:
            return nn.Sequential(block(n_in, n_out, level, first=first), block(n_out, n_out, level))

        widths = [base * 2**level for level in range(_LEVELS + 1)]
        n_in, n_out = (self.front.n_planes, channels) if self.front else (2 * channels, 2 * channels)
        self.encoder = nn.ModuleList(
            [pair(n_in, base, 0, first=True)] + [pair(widths[i], widths[i + 1], i + 1) for i in range(_LEVELS)]
        )
        self.bottom = block(widths[-1], widths[-1], _LEVELS)
        self.attention = EfficientChannelAttention(widths[-1], eca_frames) if eca else nn.Identity()
        self.recurrence = nn.Sequential(*layers)
        self.decoder = nn.ModuleList([pair(widths[i + 1] + widths[i], widths[i], i) for i in reversed(range(_LEVELS))])
        self.head = nn.Conv2d(base, n_out, 1)
        if self.front or output == "mask":
            self._start_at_identity()

    def _start_at_identity(self) -> None:
        """A mask network that starts by leaving the recording unchanged."""
        with torch.no_grad():
            self.head.weight.mul_(0.1)
        planes = torch.zeros(self.head.out_channels)
        if self.front is None:
            planes[::2] = 1.0  # real parts
        self.head.bias = nn.Parameter(planes)

    def stages(self, degraded: Tensor) -> tuple[Tensor]:
        """The only estimate.

        Args:
            degraded: `(batch, channel, freq, frame)` complex, unit scale of `dsp.stft`.

        Returns:
            The estimate, shaped and scaled like `degraded`.
        """
        if self.front is not None:
            return (self.front.filter(self.core(self.front.features(degraded)), degraded),)
        batch, channels, n_freqs, n_frames = degraded.shape
        planes = torch.view_as_real(_compress(degraded, self.exponent)).permute(0, 1, 4, 2, 3)
        raw = self._network(planes.reshape(batch, 2 * channels, n_freqs, n_frames))
        raw = raw.reshape(batch, channels, 2, n_freqs, n_frames)
        return (degraded * _bounded_mask(raw) if self.output == "mask" else torch.complex(*raw.unbind(2)),)

    def forward(self, waveform: Tensor) -> Tensor:
        """Maps `(batch, channel, time)` to `(batch, 1, channel, time)`."""
        if self.front is None or torch.is_grad_enabled():
            return super().forward(waveform)
        found = self.core(self.front.features(self.spectrogram(waveform)))
        # transformed once more, which takes less than holding the spectrogram while the network works
        filtered = self.front.filter_(found, self.spectrogram(waveform))
        return self.waveform(filtered, waveform.shape[-1]).unsqueeze(1)

    def core(self, planes: Tensor) -> Tensor:
        """See `WithBandGains.core`."""
        return gains(self._network(planes))

    def _network(self, planes: Tensor) -> Tensor:
        """The U-Net between the planes, `(batch, plane, freq, frame)`; float32 out."""
        n_frames = planes.shape[-1]
        planes = F.pad(planes, (0, -n_frames % 2**_LEVELS)).to(self.head.weight.dtype)
        skips: list[Tensor] = []
        hidden = planes.contiguous(memory_format=torch.channels_last)
        del planes
        for level, pair in enumerate(self.encoder):
            hidden = pair(F.max_pool2d(hidden, 2) if level else hidden)
            skips.append(hidden)
        hidden = self.recurrence(self.attention(self.bottom(skips.pop())))
        for pair in self.decoder:
            skip = skips.pop()
            up = F.interpolate(hidden, scale_factor=2, mode="bilinear", align_corners=self.align_corners)
            if up.shape[2:] != skip.shape[2:]:
                up = F.pad(up, (0, skip.shape[3] - up.shape[3], 0, skip.shape[2] - up.shape[2]))
            hidden = torch.cat([up, skip], dim=1)
            del up, skip  # half of the memory while the largest level is computed
            hidden = pair(hidden)
        # The mask in full precision: rounding of bf16 would remain in what is removed.
        with torch.autocast(hidden.device.type, enabled=False):
            result: Tensor = self.head(hidden.to(self.head.weight.dtype))
        return result[..., :n_frames].float()


def _compress(spectrogram: Tensor, exponent: float) -> Tensor:
    """Complex spectrogram with its magnitude raised to `exponent`, phase kept; 1 leaves it unchanged.

    Music spans 60 dB and more; the power 0.3 brings the quiet partials within the reach of a narrow network.
    """
    if exponent == 1.0:
        return spectrogram
    return spectrogram * spectrogram.abs().clamp_min(1e-7) ** (exponent - 1.0)


def _bounded_mask(raw: Tensor) -> Tensor:
    """Complex mask from two real planes, its modulus squashed below 1.2, its phase free.

    Args:
        raw: `(..., 2, freq, frame)` real and imaginary part before the squashing.

    Returns:
        `(..., freq, frame)` complex, modulus `1.2 · tanh(|raw| / 1.2)`.
    """
    real, imaginary = raw.float().unbind(-3)
    modulus = torch.sqrt(real * real + imaginary * imaginary + 1e-8)
    factor = _MASK_BOUND * torch.tanh(modulus / _MASK_BOUND) / modulus
    return torch.complex(real * factor, imaginary * factor)
