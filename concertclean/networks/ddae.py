"""DDAE: a denoising autoencoder of a handful of numbers, from magnitudes to magnitudes.

Convolution, ReLU and batch normalisation, in this order; the maximum of every two by two; upsampling; convolution, ReLU
and batch normalisation again. In the final model convolutions are 1x1 and have one channel: eight numbers with bilinear
upsampling, thirteen with a transposed convolution. The phase is that of the recording.

Nothing is padded: in training the target is cut to the centre that the network returns. In use the whole spectrogram is
needed (own): below zero and above half the sample rate the magnitudes of a real signal are their own mirror image, and
before the first and after the last frame that frame is repeated. Normalisation after the last ReLU allows negative
magnitudes; in use they are zero (own).

Published nowhere, so chosen here: mono; magnitudes, not powers; a kernel of 3 for the variant of 128 channels
(`width=128, kernel_size=3`); transposed convolutions of 2x2. Behind a first weight below zero the ReLU would return
nothing but zeros, so the one of the final model starts positive.

References:
    Yazhou Li: denoising autoencoder in front of Wave-U-Net (network, initial weights and training).
"""

from typing import Literal, cast

import torch.nn.functional as F
from torch import Tensor, nn

from concertclean.dsp import stft
from concertclean.networks.layers.valid_waveform import covering
from concertclean.networks.layers.waveform_model import SpectralModel

_EPSILON = 1e-12
_POOLED = 2


class DDAE(SpectralModel):
    """Denoising autoencoder, mono.

    Args:
        sample_rate: Hz.
        n_fft: samples of a frame; the window is Hann.
        hop_length: samples between frames.
        width: channels inside.
        kernel_size: of both convolutions, odd.
        upsampling: "bilinear" or "transposed".

    Raises:
        ValueError: `kernel_size` is even, or too large for the frames.
    """

    stems, channels = 1, 1

    def __init__(
        self,
        *,
        sample_rate: int = 44_100,
        n_fft: int = 1024,
        hop_length: int = 512,
        width: int = 1,
        kernel_size: int = 1,
        upsampling: Literal["bilinear", "transposed"] = "bilinear",
    ) -> None:
        super().__init__()
        if not kernel_size % 2 or kernel_size >= n_fft // 4:
            raise ValueError(f"kernel_size={kernel_size}, must be odd and below {n_fft // 4}")
        self.sample_rate, self.hop_length, self.alignment = sample_rate, hop_length, _POOLED * hop_length
        self._lost = kernel_size - 1  # at each end
        # Upsampling looks at the neighbours of a pair of frames, and each frame overlaps with those around it.
        reach = (self._lost + 2 * _POOLED + 1) * hop_length + n_fft
        self.context = covering(reach, self.alignment)
        self.register_buffer("window", stft.window("hann", n_fft), persistent=False)
        self.encoder = nn.Sequential(nn.Conv2d(1, width, kernel_size), nn.ReLU(), nn.BatchNorm2d(width))
        self.up: nn.Module = nn.Upsample(scale_factor=_POOLED, mode="bilinear")
        if upsampling == "transposed":
            self.up = nn.ConvTranspose2d(width, width, _POOLED, stride=_POOLED)
        self.decoder = nn.Sequential(nn.Conv2d(width, 1, kernel_size), nn.ReLU(), nn.BatchNorm2d(1))
        self._begin(width)

    def _begin(self, width: int) -> None:
        """First weights by He, biases zero."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        if width == 1:
            first = cast(nn.Conv2d, self.encoder[0]).weight
            first.data.abs_()

    def magnitude(self, waveform: Tensor) -> Tensor:
        """Magnitudes `(batch, channel, freq, frame)` of a waveform, not divided by the sum of the window."""
        return self.spectrogram(waveform).abs() * self.window.sum()

    def rebuilt(self, magnitude: Tensor) -> Tensor:
        """Magnitudes of the clean music, for the centre of the input.

        Args:
            magnitude: `(batch, 1, freq, frame)`, from `magnitude`.

        Returns:
            `(batch, 1, 1, freq, frame)`, both axes even and shorter than those of the input, or as long; may be
            negative.
        """
        hidden = F.max_pool2d(self.encoder(magnitude), _POOLED)
        found: Tensor = self.decoder(self.up(hidden))
        return found[:, None].float()

    def stages(self, degraded: Tensor) -> tuple[Tensor]:
        """The only estimate; see `SpectralModel.stages`."""
        n_freqs, n_frames = degraded.shape[-2:]
        magnitude = degraded.abs() * self.window.sum()
        high, late = (self._lost + (n + self._lost) % _POOLED for n in (n_freqs, n_frames))
        wider = F.pad(magnitude, (0, 0, self._lost, high), "reflect")
        longer = F.pad(wider, (self._lost, late, 0, 0), "replicate")
        found = self.rebuilt(longer)[:, 0, :, :n_freqs, :n_frames].clamp_min(0)
        return (degraded * (found / magnitude.clamp_min(_EPSILON)),)
