"""Finds where a recording contains only noise: a small convolutional classifier of log-mel images.

Every frame is classified by the image of the forty frames around it. The network maps waveforms to waveforms like all
others, so it is trained and stored like them: frames with only noise are silenced, the rest passes. Its output in use
is `noise_probability`.

*Conventions*: spectrograms are complex `(batch, 1, freq, frame)` in the scale of `dsp.stft`; images are `(frame, mel)`,
natural logarithm of power, minus their own mean, so the level of a recording does not matter.

References:
    Sehgal, Kehtarnavaz: A convolutional neural network smartphone app for real-time voice activity detection, IEEE
    Access 6, 2018: the layers, forty frames by forty bands there, at 16 kHz.
    Moliner, Välimäki, ICASSP 2022: such a classifier finds the noise of gramophone records.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from concertclean.dsp import stft
from concertclean.dsp.mel import mel_filters
from concertclean.networks.layers.waveform_model import SpectralModel

FRAMES = 40  # of an image
_FEW = 5  # frames with music that still count as only noise
_WIDTHS = (40, 20, 10)
_HIDDEN = 100
_POWER_FLOOR = 1e-13  # -130 dB of full scale: below the noise of 16 bits in one bin
_AUDIBLE = 0.5  # music is audible if a band has at least half as much of it as of noise


class SameConv(nn.Conv2d):
    """Convolution of 5 by 5 with stride 2 and a rectifier, padded (1, 2) as TensorFlow's SAME does for even sizes."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, 5, stride=2)

    def forward(self, inputs: Tensor) -> Tensor:
        """Maps `(batch, n_in, height, width)`, both even, to half the height and width; odd ones are rounded up."""
        height, width = inputs.shape[-2:]
        # An odd length lacks one sample more, and gets it in front.
        sides = (1 + width % 2, 2, 1 + height % 2, 2)
        return F.relu(super().forward(F.pad(inputs, sides)))


class NoiseDetector(SpectralModel):
    """Classifier of frames, only noise or music, mono.

    Attributes:
        alignment: samples; segments start on multiples of it.
        context: samples on each side of a segment that its result depends on.

    Args:
        sample_rate: Hz.
        n_fft: samples of a frame; the window is Hann.
        hop_length: samples between frames.
        n_mels: bands of an image, divisible by 8.
        lowest_hz: lower edge of the lowest band.
        highest_hz: upper edge of the highest band.
        dropout: share of the hidden units that a training step drops.
    """

    stems, channels = 1, 1
    mels: Tensor

    def __init__(
        self,
        *,
        sample_rate: int = 44100,
        n_fft: int = 2048,
        hop_length: int = 1024,
        n_mels: int = 64,
        lowest_hz: float = 40.0,
        highest_hz: float = 16_000.0,
        dropout: float = 0.25,
    ) -> None:
        super().__init__()
        if n_mels % 8:
            msg = f"n_mels={n_mels} is not divisible by 8"
            raise ValueError(msg)
        self.sample_rate, self.hop_length, self.alignment = sample_rate, hop_length, hop_length
        self.context = (FRAMES // 2 + -(-n_fft // hop_length)) * hop_length
        self.register_buffer("window", stft.window("hann", n_fft), persistent=False)
        bank = mel_filters(n_fft, sample_rate, n_mels, lowest_hz, highest_hz)
        self.register_buffer("mels", torch.from_numpy(bank), persistent=False)
        self.convolutions = nn.Sequential(*(SameConv(*pair) for pair in zip((1, *_WIDTHS), _WIDTHS, strict=False)))
        self.hidden = nn.Linear(_WIDTHS[-1] * (FRAMES // 8) * (n_mels // 8), _HIDDEN)
        self.dropout = nn.Dropout(dropout)
        self.answer = nn.Linear(_HIDDEN, 1)

    def stages(self, degraded: Tensor) -> tuple[Tensor]:
        """The only estimate: every frame times the probability that it contains music.

        Args:
            degraded: `(batch, 1, freq, frame)` complex.

        Returns:
            The same shape.
        """
        return (degraded * torch.sigmoid(-self.noise_logits(degraded))[:, None, None],)

    def noise_probability(self, waveform: Tensor) -> Tensor:
        """Probability that there is only noise around each frame.

        Args:
            waveform: `(batch, 1, time)`, full scale ±1, of any level.

        Returns:
            `(batch, frame)`, 0 to 1; frame k is centred on sample `k * hop_length`.
        """
        return torch.sigmoid(self.noise_logits(self.spectrogram(waveform)))

    def noise_logits(self, degraded: Tensor, every: int = 1) -> Tensor:
        """Logarithm of the odds of only noise.

        Args:
            degraded: `(batch, 1, freq, frame)` complex.
            every: classify only every `every`th frame.

        Returns:
            `(batch, frame)` float32; beyond the ends the first and last frame are repeated.
        """
        images = _around(torch.log(self._mel_power(degraded) + _POWER_FLOOR), every)
        images = images - images.mean((-1, -2), keepdim=True)
        n_batch, n_images = images.shape[:2]
        flat = images.flatten(0, 1)[:, None].to(self.answer.weight.dtype)
        hidden = F.relu(self.hidden(self.convolutions(flat).flatten(1)))
        logits: Tensor = self.answer(self.dropout(hidden))
        return logits.reshape(n_batch, n_images).float()

    @torch.no_grad()
    def is_noise_alone(self, clean: Tensor, noise: Tensor, every: int = 1) -> Tensor:
        """Target of `noise_logits`: no more than five frames of an image contain audible music.

        Args:
            clean: `(batch, 1, freq, frame)` complex spectrogram of the music.
            noise: of what was added to it.
            every: classify only every `every`th frame.

        Returns:
            `(batch, frame)`, 1 for only noise, 0 for music.
        """
        audible = self.is_audible(clean, noise)[..., None].float()
        return (_around(audible, every).sum((-1, -2)) <= _FEW).float()

    @torch.no_grad()
    def is_audible(self, clean: Tensor, noise: Tensor) -> Tensor:
        """Whether the music has at least half the power of the noise in some band.

        Args:
            clean: `(batch, 1, freq, frame)` complex spectrogram of the music.
            noise: of what was added to it.

        Returns:
            `(batch, frame)`.
        """
        return (self._mel_power(clean) > _AUDIBLE * self._mel_power(noise) + _POWER_FLOOR).any(-1)

    def _mel_power(self, spectrogram: Tensor) -> Tensor:
        """Power in each band, `(batch, frame, mel)`."""
        return torch.view_as_real(spectrogram[:, 0]).square().sum(-1).transpose(1, 2) @ self.mels


def _around(frames: Tensor, every: int) -> Tensor:
    """For every `every`th frame the forty around it: `(batch, frame, band)` to `(batch, image, FRAMES, band)`."""
    half = FRAMES // 2
    padded = torch.cat([frames[:, :1].expand(-1, half, -1), frames, frames[:, -1:].expand(-1, half - 1, -1)], 1)
    return padded.unfold(1, FRAMES, every).transpose(2, 3)
