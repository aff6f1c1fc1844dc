"""Discriminators that tell spectrograms of clean music from those of estimates.

One for each scale, each on half the rate of the one before. Each is the encoder of the generator without skips, with
layer normalisation over all of an item instead of weight normalisation, and an output of 128 channels that is averaged;
4,585,472 parameters at full width.

References:
    Li et al., Learning to denoise historical music, ISMIR 2020, section 3. The layers follow a public reimplementation
    (Yayzus/Denoise-historical-music). Number of scales, their rates, and that they share nothing, are published
    nowhere: chosen here, as is that normalisation comes before the activations.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from concertclean.dsp import stft
from concertclean.networks.layers.half_rate import halved
from concertclean.networks.layers.strided_blocks import CODE, STRIDES, WIDTHS, checked, step_down, whole_blocks

_INSIDE, _BETWEEN = 0.01, 0.3  # slopes of the activations inside blocks and between them


class SpectralDiscriminator(nn.Module):
    """One discriminator.

    Args:
        n_fft: samples of a frame.
        hop_length: samples between frames.
        widths: channels of the seven levels.
        code: channels of the output.
    """

    window: Tensor

    def __init__(
        self, *, n_fft: int = 2048, hop_length: int = 512, widths: Sequence[int] = WIDTHS, code: int = CODE
    ) -> None:
        super().__init__()
        widths = checked(widths)
        self.hop_length = hop_length
        self.register_buffer("window", stft.window("hann", n_fft), persistent=False)
        layers: list[nn.Module] = [nn.Conv2d(2, widths[0], 7, padding=3), nn.LeakyReLU(_BETWEEN)]
        for n_in, n_out, stride in zip(widths[:-1], widths[1:], STRIDES, strict=True):
            layers += [nn.Conv2d(n_in, n_in, 3, padding=1), _norm(n_in), nn.LeakyReLU(_INSIDE)]
            layers += [step_down(n_in, n_out, stride), _norm(n_out), nn.LeakyReLU(_BETWEEN)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], code, 3, padding=1))

    def forward(self, waveform: Tensor) -> Tensor:
        """Scores of a waveform `(batch, channel, time)`, positive where it sounds clean; a tensor of any shape."""
        unit = self.window.sum()  # as the generator's input: not divided by the sum of the window
        spectrogram = stft.spectrogram(waveform.flatten(0, 1), self.window, self.hop_length) * unit
        planes = torch.view_as_real(spectrogram).permute(0, 3, 2, 1)
        scores: Tensor = self.layers(whole_blocks(planes))
        return scores


class SpectralDiscriminators(nn.Module):
    """A discriminator for each scale.

    Args:
        scales: how many.
        n_fft: see `SpectralDiscriminator`.
        hop_length: see there.
        widths: see there.
        code: see there.
    """

    def __init__(
        self,
        *,
        scales: int = 1,
        n_fft: int = 2048,
        hop_length: int = 512,
        widths: Sequence[int] = WIDTHS,
        code: int = CODE,
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            SpectralDiscriminator(n_fft=n_fft, hop_length=hop_length, widths=widths, code=code) for _ in range(scales)
        )

    def forward(self, waveform: Tensor) -> list[Tensor]:
        """Scores of a waveform `(batch, channel, time)` at every scale."""
        scores = []
        for discriminator in self.scales:
            scores.append(discriminator(waveform))
            waveform = halved(waveform)
        return scores


def _norm(channels: int) -> nn.Module:
    """Layer normalisation over channels, frames and frequencies, without weights."""
    return nn.GroupNorm(1, channels, affine=False)
