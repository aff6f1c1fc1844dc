"""Base of all restoring networks: a module from waveform to waveform that states how it can be segmented."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from concertclean.dsp import stft
from concertclean.networks.layers.pretrained import Pretrained


class WaveformModel(Pretrained, ABC):
    """A network from waveforms to waveforms; abstract.

    Attributes:
        sample_rate: Hz.
        channels: channels processed together; 1 or 2 for recordings.
        stems: outputs for each channel; 1 for a restoring network.
        instruments: names of the stems, in order; none for a restoring network.
        alignment: samples; segments start on multiples of it.
        context: samples on each side of a segment that its estimate depends on.
    """

    sample_rate: int
    channels: int
    stems: int
    instruments: tuple[str, ...] = ()
    alignment: int
    context: int

    @abstractmethod
    def estimates(self, waveform: Tensor) -> tuple[Tensor, ...]:
        """Estimates of all stages of the network, the result last.

        Args:
            waveform: `(batch, channel, time)`, full scale ±1.

        Returns:
            `(batch, stem, channel, time)` for each stage, float32.
        """

    def inner(self, waveform: Tensor) -> Tensor:
        """Result as training compares it: the centre of a waveform, where the network has all the context it needs.

        Args:
            waveform: `(batch, channel, time)`, full scale ±1.

        Returns:
            `(batch, stem, channel, time)`, the whole waveform unless the network's convolutions are not padded.

        Raises:
            ValueError: the waveform is too short for such a network.
        """
        return self(waveform)

    def __call__(self, waveform: Tensor) -> Tensor:
        """Maps `(batch, channel, time)` to `(batch, stem, channel, time)`."""
        result: Tensor = super().__call__(waveform)
        return result

    def forward(self, waveform: Tensor) -> Tensor:
        """What a call returns."""
        return self.estimates(waveform)[-1]


class SpectralModel(WaveformModel):
    """A network from spectrograms to spectrograms; abstract.

    Attributes:
        window: `(n_fft,)` of its STFT.
        hop_length: of its STFT, samples.
    """

    window: Tensor
    hop_length: int

    @abstractmethod
    def stages(self, degraded: Tensor) -> tuple[Tensor, ...]:
        """Estimates of all stages, the result last.

        Args:
            degraded: `(batch, channel, freq, frame)` complex, in the scale of `dsp.stft`.

        Returns:
            A spectrogram of the shape and scale of `degraded` for each stage.
        """

    def spectrogram(self, waveform: Tensor) -> Tensor:
        """Spectrogram `(..., freq, frame)` of a waveform `(..., time)`, as input of the network."""
        return stft.spectrogram(waveform, self.window, self.hop_length)

    def waveform(self, spectrogram: Tensor, n_samples: int) -> Tensor:
        """Waveform `(..., time)` of a spectrogram, in full precision, whatever that of the inner layers."""
        with torch.autocast(spectrogram.device.type, enabled=False):
            return stft.waveform(spectrogram.to(torch.complex64), self.window, self.hop_length, n_samples)

    def estimates(self, waveform: Tensor) -> tuple[Tensor, ...]:
        """See `WaveformModel.estimates`."""
        stages = self.stages(self.spectrogram(waveform))
        return tuple(self.waveform(stage, waveform.shape[-1]).unsqueeze(1) for stage in stages)

    def forward(self, waveform: Tensor) -> Tensor:
        """Maps `(batch, channel, time)` to `(batch, 1, channel, time)`; only the last stage becomes a waveform."""
        result = self.stages(self.spectrogram(waveform))[-1]
        return self.waveform(result, waveform.shape[-1]).unsqueeze(1)
