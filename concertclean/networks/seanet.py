"""STFT-SEANet: a U-Net with additive skips from complex spectrogram to complex spectrogram.

The defaults are the published generator: 9,345,378 parameters, and 4,802 gains of weight normalisation. Its frame is
not published; 2048 samples every 512 at 44.1 kHz are those of the two-stage U-Net, which was compared with it. It can
have several scales, whose number, rates and sharing are published nowhere. Here each scale is such a network with
weights of its own on half the rate of the one before (`scales=3`: three); their estimates are added at the full rate.
`train.adversary` trains it against discriminators.

References:
    Li, Gfeller, Tagliasacchi, Roblek, Learning to denoise historical music, ISMIR 2020, section 3; widths and kernels
    as in a public reimplementation (Yayzus/Denoise-historical-music), its strides read as (frames, frequencies).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from concertclean.dsp import stft
from concertclean.networks.layers import half_rate
from concertclean.networks.layers.strided_blocks import (
    CODE,
    FRAMES,
    STRIDES,
    WIDTHS,
    checked,
    step_down,
    step_up,
    whole_blocks,
)
from concertclean.networks.layers.waveform_model import SpectralModel

_REACH = 80  # frames on each side that a frame depends on, a multiple of FRAMES


class SEANet(SpectralModel):
    """STFT-SEANet, waveform to waveform, mono.

    Attributes:
        alignment: samples; a segment must start on a multiple of it to see the strided grid of the whole.
        context: samples on each side of a segment that its estimate depends on.

    Args:
        sample_rate: Hz.
        n_fft: samples of a frame; the window is Hann.
        hop_length: samples between frames.
        widths: channels of the seven levels.
        code: channels of the narrow convolution at the bottom.
        weight_norm: directions and gains of the weights are trained apart (published).
        scales: networks, each on half the rate of the one before.

    Raises:
        ValueError: `widths` does not have seven numbers.
    """

    stems, channels = 1, 1

    def __init__(
        self,
        *,
        sample_rate: int = 44_100,
        n_fft: int = 2048,
        hop_length: int = 512,
        widths: Sequence[int] = WIDTHS,
        code: int = CODE,
        weight_norm: bool = True,
        scales: int = 1,
    ) -> None:
        super().__init__()
        self.sample_rate, self.hop_length = sample_rate, hop_length
        lowest = 2 ** (scales - 1)  # rates below the first
        self.alignment = hop_length * FRAMES * lowest
        # Scales below the first see their own frames, and the filters between the rates.
        margin = n_fft + half_rate.MARGIN if scales > 1 else 0
        self.context = -(-(hop_length * _REACH + margin) * lowest // self.alignment) * self.alignment
        self.register_buffer("window", stft.window("hann", n_fft), persistent=False)
        self.scales = nn.ModuleList(_Generator(checked(widths), code) for _ in range(scales))
        if weight_norm:
            self.apply(_normalise)

    def stages(self, degraded: Tensor) -> tuple[Tensor]:
        """The only estimate.

        Args:
            degraded: `(batch, 1, freq, frame)` complex, unit scale of `dsp.stft`.

        Returns:
            The estimate, shaped and scaled like `degraded`.
        """
        total = self._estimate(self.scales[0], degraded)
        if len(self.scales) == 1:
            return (total,)
        n_frames = degraded.shape[-1]
        n_samples = (n_frames - 1) * self.hop_length + len(self.window) // 2
        lower = self._lower(half_rate.halved(self.waveform(degraded, n_samples)), 1)
        return (total + self.spectrogram(half_rate.doubled(lower, n_samples))[..., :n_frames],)

    def _lower(self, waveform: Tensor, scale: int) -> Tensor:
        """What one scale and those below it estimate of a waveform `(batch, 1, time)` at its rate."""
        n_samples = waveform.shape[-1]
        estimate = self.waveform(self._estimate(self.scales[scale], self.spectrogram(waveform)), n_samples)
        if scale + 1 == len(self.scales):
            return estimate
        lower = self._lower(half_rate.halved(waveform), scale + 1)
        return estimate + half_rate.doubled(lower, n_samples)

    def _estimate(self, generator: nn.Module, degraded: Tensor) -> Tensor:
        """Spectrogram that one network makes of another, as published not divided by the sum of the window."""
        unit = self.window.sum()
        planes = torch.view_as_real(degraded[:, 0] * unit).permute(0, 3, 2, 1)
        n_frames, n_freqs = planes.shape[2:]
        answer = generator(whole_blocks(planes).contiguous(memory_format=torch.channels_last)).float()
        answer = answer[:, :, :n_frames, :n_freqs].permute(0, 3, 2, 1).contiguous()
        return torch.view_as_complex(answer)[:, None] / unit


class _Generator(nn.Module):
    """The U-Net of one scale, between planes `(batch, 2, frame, freq)`."""

    def __init__(self, widths: Sequence[int], code: int) -> None:
        super().__init__()
        levels = list(zip(widths[:-1], widths[1:], STRIDES, strict=True))
        self.first = nn.Conv2d(2, widths[0], 7, padding=3)
        self.encoder = nn.ModuleList(_Down(n_in, n_out, stride) for n_in, n_out, stride in levels)
        self.bottom = nn.Sequential(
            nn.Conv2d(widths[-1], code, 3, padding=1), nn.ELU(), nn.Conv2d(code, widths[-1], 3, padding=1), nn.ELU()
        )
        self.decoder = nn.ModuleList(_Up(n_out, n_in, stride) for n_in, n_out, stride in reversed(levels))
        self.last = nn.Conv2d(widths[0], 2, 7, padding=3)

    def forward(self, planes: Tensor) -> Tensor:
        """Maps planes to planes of the same shape."""
        planes = F.elu(self.first(planes))
        skips = []
        for block in self.encoder:
            skips.append(planes)
            planes = block(planes)
        planes = self.bottom(planes)
        for block, skip in zip(self.decoder, reversed(skips), strict=True):
            planes = F.elu(block(planes) + skip)
        result: Tensor = self.last(planes)
        return result


class _Down(nn.Sequential):
    """A convolution, and one that goes a level down."""

    def __init__(self, n_in: int, n_out: int, stride: tuple[int, int]) -> None:
        super().__init__(nn.Conv2d(n_in, n_in, 3, padding=1), nn.ELU(), step_down(n_in, n_out, stride), nn.ELU())


class _Up(nn.Module):
    """A transposed convolution that goes a level up and a convolution, beside the nearest neighbours of the input."""

    def __init__(self, n_in: int, n_out: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self._stride = tuple(map(float, stride))
        self.layers = nn.Sequential(
            step_up(n_in, n_out, stride), nn.ELU(), nn.Conv2d(n_out, n_out, 3, padding=1), nn.ELU()
        )
        self.projection = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, planes: Tensor) -> Tensor:
        """Maps `(batch, n_in, frame, freq)` to the level above."""
        shortcut = F.interpolate(self.projection(planes), scale_factor=self._stride, mode="nearest")
        result: Tensor = self.layers(planes) + shortcut
        return result


def _normalise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        weight_norm(module)
