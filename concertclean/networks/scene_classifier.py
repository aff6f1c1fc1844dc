"""Classifies a stretch of a recording: clean music, music under a crowd, a disc transfer, or speech.

A small convolutional classifier of log-mel images of a few seconds, and of their flatness, for training. The model
"auto" uses its classes and probabilities, computed without torch by `restore.scenes`; measurements without learned
weights are in `restore.analyse`.

*Conventions*: waveforms `(batch, 1, time)`, full scale ±1, any level; images are those of `dsp.scene_images`, so
level and gain do not matter.
"""

import torch
from torch import Tensor, nn

from concertclean.dsp import stft
from concertclean.dsp.scene_images import FLATNESS_SPREAD, POWER_FLOOR, SCENES, SPREAD, WINDOW_SECONDS, SceneImages
from concertclean.networks.layers.pretrained import Pretrained


class SceneClassifier(Pretrained):
    """Classifier of stretches of some seconds, mono.

    Args:
        sample_rate: Hz.
        n_fft: samples of a frame; the window is Hann.
        hop_length: samples between frames.
        n_mels: bands of an image, divisible by 16.
        flatness_n_fft: samples of the frame of a second plane; see `SceneImages`; 0: none.
        widths: channels of the four convolutions, each of which halves both axes.
        hidden: units of the layer before the last.
        dropout: share of them that a training step drops.
    """

    stems, channels = 1, 1
    window: Tensor
    mels: Tensor
    long_window: Tensor
    averages: Tensor

    def __init__(
        self,
        *,
        sample_rate: int = SceneImages.sample_rate,
        n_fft: int = SceneImages.n_fft,
        hop_length: int = SceneImages.hop_length,
        n_mels: int = SceneImages.n_mels,
        flatness_n_fft: int = SceneImages.flatness_n_fft,
        widths: tuple[int, ...] = (16, 32, 48, 64),
        hidden: int = 64,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if n_mels % 2 ** len(widths):
            raise ValueError(f"n_mels={n_mels}, must be divisible by {2 ** len(widths)}")
        self.sample_rate, self.hop_length = sample_rate, hop_length
        images = SceneImages(sample_rate, n_fft, hop_length, n_mels, flatness_n_fft)
        self.register_buffer("window", stft.window("hann", n_fft), persistent=False)
        self.register_buffer("mels", torch.from_numpy(images.filters), persistent=False)
        self.has_flatness = images.n_planes == 2
        if self.has_flatness:
            self.register_buffer("long_window", stft.window("hann", flatness_n_fft), persistent=False)
            self.register_buffer("averages", torch.from_numpy(images.averages), persistent=False)
        self.convolutions = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(n_in, n_out, 3, stride=2, padding=1), nn.BatchNorm2d(n_out), nn.SiLU())
                for n_in, n_out in zip((images.n_planes, *widths), widths, strict=False)
            )
        )
        n_bands = n_mels // 2 ** len(widths)
        self.hidden = nn.Linear(2 * widths[-1] * n_bands, hidden)
        self.dropout = nn.Dropout(dropout)
        self.answer = nn.Linear(hidden, len(SCENES))

    def logits(self, waveform: Tensor) -> Tensor:
        """Logarithms of the odds of `SCENES`, `(batch, scene)` float32, of waveforms `(batch, 1, time)`."""
        found = self.convolutions(self._image(waveform).to(self.answer.weight.dtype))
        # Mean and spread over time: steady sounds, and sounds that come and go.
        pooled = torch.cat([found.mean(2), found.std(2, correction=0)], dim=1).flatten(1)
        answer: Tensor = self.answer(self.dropout(nn.functional.silu(self.hidden(pooled))))
        return answer.float()

    def windows(self, waveform: Tensor) -> Tensor:
        """Cuts `(batch, 1, time)` into `(batch · window, 1, time)` of `WINDOW_SECONDS`; what is shorter stays whole."""
        size = min(round(WINDOW_SECONDS * self.sample_rate), waveform.shape[-1])
        return waveform.unfold(-1, size, size).transpose(1, 2).flatten(0, 1)

    def _image(self, waveform: Tensor) -> Tensor:
        """Images `(batch, plane, frame, mel)`; see `SceneImages.image`."""
        level = torch.log(self._power(waveform, self.window) @ self.mels + POWER_FLOOR)
        planes = [(level - level.mean((1, 2), keepdim=True)) / SPREAD]
        if self.has_flatness:
            power = self._power(waveform, self.long_window) + POWER_FLOOR
            planes.append((torch.log(power) @ self.averages - torch.log(power @ self.averages)) / FLATNESS_SPREAD)
        return torch.stack(planes, dim=1)

    def _power(self, waveform: Tensor, window: Tensor) -> Tensor:
        """Power of the bins, `(batch, frame, freq)`."""
        spectrogram = stft.spectrogram(waveform, window, self.hop_length)[:, 0]
        return torch.view_as_real(spectrogram).square().sum(-1).transpose(1, 2)

    def forward(self, waveform: Tensor) -> Tensor:
        """Probabilities of `SCENES`, `(batch, scene)`, of waveforms `(batch, 1, time)`."""
        return torch.softmax(self.logits(waveform), dim=1)
