"""Two-stage U-Net with a supervised attention module: a first estimate guides a second network.

Complex spectrogram in, complex spectrogram out, mono at 44.1 kHz. The defaults are the network of the published
weights (depth 6, 71,408,196 parameters); `depth=4` with `attention_kernel=1` is the network of the paper (10,938,436).
Module and parameter names are those of the published checkpoint, so converted weights load as they are. The variant of
the shipped weights is narrower, pads with zeros, and has magnitudes of bands as input and one gain per band as output.

References:
    Moliner and Välimäki, A two-stage U-Net for high-fidelity denoising of historical recordings, ICASSP 2022,
    Fig. 1 and 2 and section 3; padding, depth and widths as in the authors' published code (MIT licence).
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from concertclean.dsp import stft
from concertclean.networks.layers.band_gains import BandGains, gains
from concertclean.networks.layers.two_stage_blocks import (
    Decoder,
    Encoder,
    OutputBlock,
    PaddedConv,
    Padding,
    SupervisedAttention,
)
from concertclean.networks.layers.waveform_model import SpectralModel

_N_EMBEDDINGS = 10


class TwoStageUNet(SpectralModel):
    """Two-stage U-Net, waveform to waveform, mono.

    Attributes:
        alignment: samples; a segment must start on a multiple of it to see the strided grid of the whole.
        context: samples on each side of a segment that its estimate depends on, to -88 dB.

    Args:
        sample_rate: Hz.
        n_fft: samples of a frame; the window is Hamming.
        hop_length: samples between frames.
        depth: levels down and up; 6 published weights, 4 paper.
        widths: channels of each level and of the bottom, `depth + 1` numbers.
        padding: of the convolutions; "symmetric" (published) or "zeros".
        bands: each stage returns gains of this many bands (`BandGains`); 0: real and imaginary part of the unscaled
            spectrogram (published).
        attention_kernel: of the convolution that makes the attention from the first estimate; 3 in the authors' code
            and weights, 1 in the paper.
        initial_std: of the first weights; 0.05 as published; None: by the number of inputs (own), which at small
            widths neither vanishes nor explodes.

    Raises:
        ValueError: `widths` does not have `depth + 1` numbers.
    """

    stems, channels = 1, 1
    embeddings: Tensor

    def __init__(  # noqa: PLR0913 - flat keyword arguments, one a line of the config in the weights file
        self,
        *,
        sample_rate: int = 44100,
        n_fft: int = 2048,
        hop_length: int = 512,
        depth: int = 6,
        widths: Sequence[int] = (32, 64, 64, 128, 128, 256, 512),
        padding: Padding = "symmetric",
        bands: int = 0,
        attention_kernel: int = 3,
        initial_std: float | None = None,
    ) -> None:
        super().__init__()
        if len(widths) != depth + 1:
            msg = f"widths={tuple(widths)} has {len(widths)} numbers, depth={depth} needs {depth + 1}"
            raise ValueError(msg)
        self.sample_rate, self.hop_length, self.depth = sample_rate, hop_length, depth
        self.alignment = hop_length * 2**depth
        self.register_buffer("window", stft.window("hamming", n_fft), persistent=False)
        n_bins = n_fft // 2 + 1
        self.register_buffer("embeddings", _frequency_embeddings(bands or n_bins), persistent=False)
        self.front = BandGains(n_bins, bands, 1) if bands else None
        # The receptive field is 17 to 34 s at depth 6. Frames beyond 128 change the output by -88 dB;
        # with the shipped weights, frames beyond 96 change it by -96 dB.
        self.context = -(-(96 if bands else 128) // 2**depth) * self.alignment
        n_in, n_out = (self.front.n_planes, 1) if self.front else (2, 2)
        width = widths[0]
        self.conv2d_1 = PaddedConv(n_in + _N_EMBEDDINGS, width, 7, padding=padding)
        self.conv2d_2 = PaddedConv(n_in + _N_EMBEDDINGS, width, 7, padding=padding)
        self.encoder_s1 = Encoder(width, widths, padding)
        self.decoder_s1 = Decoder(widths, padding)
        self.encoder_s2 = Encoder(2 * width, widths, padding)
        self.decoder_s2 = Decoder(widths, padding)
        self.sam_1 = SupervisedAttention(width, n_out, padding, attention_kernel)
        self.finalblock = OutputBlock(width, n_out, padding)
        self.apply(partial(_initialise, std=initial_std))
        if bands:  # start by leaving the recording unchanged
            for convolution in (self.sam_1.conv2, self.finalblock.conv2):
                nn.init.trunc_normal_(convolution.weight, std=0.01)

    def stages(self, degraded: Tensor) -> tuple[Tensor, Tensor]:
        """The estimates of both stages.

        Args:
            degraded: `(batch, 1, freq, frame)` complex, unit scale of `dsp.stft`.

        Returns:
            First and second estimate, shaped and scaled like `degraded`.
        """
        n_frames = degraded.shape[-1]
        degraded = degraded[:, 0]
        # The deepest level needs two frames, and whole ones.
        padded = F.pad(degraded, (0, max(-n_frames % 2**self.depth, 2 ** (self.depth + 1) - n_frames)))
        if self.front is None:
            first, second = self._mapping(padded)
        else:
            first, second = self._gains(padded, self.front)
        return first[:, None, :, :n_frames], second[:, None, :, :n_frames]

    def _mapping(self, degraded: Tensor) -> tuple[Tensor, Tensor]:
        """Both estimates as published: the first stage returns what to add, the second the spectrogram itself."""
        unit = self.window.sum()
        planes = torch.view_as_real(degraded * unit).permute(0, 3, 2, 1)
        first, second = self._network(planes, lambda raw: planes + raw)

        def estimate(answer: Tensor) -> Tensor:
            return torch.view_as_complex(answer.permute(0, 3, 2, 1).contiguous()) / unit

        return estimate(planes + first), estimate(second)

    def _gains(self, degraded: Tensor, front: BandGains) -> tuple[Tensor, Tensor]:
        """Both estimates as gains of bands."""
        first, second = self._both(front.features(degraded[:, None]))
        return front.filter(first, degraded[:, None])[:, 0], front.filter(second, degraded[:, None])[:, 0]

    def core(self, planes: Tensor) -> Tensor:
        """See `WithBandGains.core`."""
        return self._both(planes)[1]

    def _both(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Gains of both stages, from features as `core` takes them."""
        planes = features.transpose(2, 3)
        first, second = self._network(planes, lambda raw: gains(raw) * planes[:, :1])
        return gains(first.transpose(2, 3)), gains(second.transpose(2, 3))

    def _network(self, planes: Tensor, first_planes: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
        """Both stages between planes.

        Args:
            planes: `(batch, plane, frame, freq)`.
            first_planes: maps the output of the first stage to the input of the attention.

        Returns:
            The outputs of both stages, `(batch, n_out, frame, freq)` float32.
        """
        embedded = torch.cat([planes, self.embeddings.expand(len(planes), -1, planes.shape[2], -1)], 1)
        embedded = self._prepared(embedded)
        features = self.decoder_s1(*self.encoder_s1(F.elu(self.conv2d_1(embedded))))
        first = self.sam_1.conv2(features).float()
        attention = torch.sigmoid(self.sam_1.conv3(self._prepared(first_planes(first))))
        guided = self.sam_1.conv1(features) * attention + features
        second_inputs = torch.cat([F.elu(self.conv2d_2(embedded)), guided], dim=1)
        features = self.decoder_s2(*self.encoder_s2(second_inputs))
        return first, self.finalblock.conv2(features).float()

    def _prepared(self, planes: Tensor) -> Tensor:
        """Planes in the network's precision and memory format."""
        return planes.to(self.conv2d_1.weight.dtype).contiguous(memory_format=torch.channels_last)


def _frequency_embeddings(n_freqs: int) -> Tensor:
    """`cos(2^k · π · f / (n_freqs - 1))`, k = 0..9, `(10, 1, freq)`; float32, as the weights were trained."""
    position = torch.arange(n_freqs, dtype=torch.float32) / (n_freqs - 1)
    rows = [torch.cos(2.0**k * math.pi * position) for k in range(_N_EMBEDDINGS)]
    return torch.stack(rows)[:, None]


def _initialise(module: nn.Module, std: float | None) -> None:
    """Zero biases; normal weights by the fan-in, or of a standard deviation, at twice which they are truncated."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        fan_in = module.weight[0].numel() if isinstance(module, nn.Conv2d) else module.weight[:, 0].numel() // 4
        if std is None:
            nn.init.trunc_normal_(module.weight, std=1.0 / math.sqrt(fan_in))
        else:
            nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
