"""Classifies a stretch of a recording: clean music, music under a crowd, a disc transfer, or speech.

A small convolutional classifier of log-mel images of a few seconds, for training. The model "auto" uses its classes and
probabilities, computed without torch by `restore.scenes`; measurements without learned weights are in
`restore.analyse`.

*Conventions*: waveforms `(batch, 1, time)`, full scale ±1, any level; images are natural logarithms of mel power minus
their own mean, so level and gain do not matter.
"""

import torch
from torch import Tensor, nn

from concertclean.dsp import stft
from concertclean.dsp.scene_images import POWER_FLOOR, SCENES, SPREAD, SceneImages
from concertclean.networks.layers.pretrained import Pretrained


class SceneClassifier(Pretrained):
    """Classifier of stretches of some seconds, mono.

    Args:
        sample_rate: Hz.
        n_fft: samples of a frame; the window is Hann.
        hop_length: samples between frames.
        n_mels: bands of an image, divisible by 16.
        widths: channels of the four convolutions, each of which halves both axes.
        hidden: units of the layer before the last.
        dropout: share of them that a training step drops.
    """

    stems, channels = 1, 1
    window: Tensor
    mels: Tensor

    def __init__(
        self,
        *,
        sample_rate: int = SceneImages.sample_rate,
        n_fft: int = SceneImages.n_fft,
        hop_length: int = SceneImages.hop_length,
        n_mels: int = SceneImages.n_mels,
        widths: tuple[int, ...] = (16, 32, 48, 64),
        hidden: int = 64,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if n_mels % 2 ** len(widths):
            raise ValueError(f"n_mels={n_mels}, must be divisible by {2 ** len(widths)}")
        self.sample_rate, self.hop_length = sample_rate, hop_length
        self.register_buffer("window", stft.window("hann", n_fft), persistent=False)
        bank = SceneImages(sample_rate, n_fft, hop_length, n_mels).filters
        self.register_buffer("mels", torch.from_numpy(bank), persistent=False)
        self.convolutions = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(n_in, n_out, 3, stride=2, padding=1), nn.BatchNorm2d(n_out), nn.SiLU())
                for n_in, n_out in zip((1, *widths), widths, strict=False)
            )
        )
        n_bands = n_mels // 2 ** len(widths)
        self.hidden = nn.Linear(2 * widths[-1] * n_bands, hidden)
        self.dropout = nn.Dropout(dropout)
        self.answer = nn.Linear(hidden, len(SCENES))

    def logits(self, waveform: Tensor) -> Tensor:
        """Logarithms of the odds of `SCENES`, `(batch, scene)` float32, of waveforms `(batch, 1, time)`."""
        spectrogram = stft.spectrogram(waveform, self.window, self.hop_length)[:, 0]
        power = torch.view_as_real(spectrogram).square().sum(-1).transpose(1, 2) @ self.mels
        image = torch.log(power + POWER_FLOOR)
        image = (image - image.mean((1, 2), keepdim=True)) / SPREAD
        found = self.convolutions(image[:, None].to(self.answer.weight.dtype))
        # Mean and spread over time: steady sounds, and sounds that come and go.
        pooled = torch.cat([found.mean(2), found.std(2, correction=0)], dim=1).flatten(1)
        answer: Tensor = self.answer(self.dropout(nn.functional.silu(self.hidden(pooled))))
        return answer.float()

    def forward(self, waveform: Tensor) -> Tensor:
        """Probabilities of `SCENES`, `(batch, scene)`, of waveforms `(batch, 1, time)`."""
        return torch.softmax(self.logits(waveform), dim=1)
