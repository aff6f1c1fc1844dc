"""DCCRN: a convolutional recurrent network whose layers multiply as complex numbers do.

Complex spectrogram in, complex mask out. An encoder halves the frequencies six times, a complex LSTM follows the
frames, a decoder with skips gives a mask. The defaults are the published network "CL" at 16 kHz with 3,671,053
parameters; with `complex_lstm=False` it has 4,719,629, with frames of 1024 samples every 256, as a baseline for music
at 22.05 kHz, 4,327,437. The output is as long as the input; that of the authors' code is shorter unless its frames fit.
Their code also limits the output to full scale, which is left to the writer here.

References:
    Hu et al., DCCRN: deep complex convolution recurrent network for phase-aware speech enhancement, Interspeech 2020,
    section 2; sizes, initial values and padding as in the authors' code (huyanxin/DeepComplexCRN, Apache-2.0).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from concertclean.dsp import stft
from concertclean.networks.layers.complex_layers import ComplexConv2d, ComplexConvTranspose2d, ComplexLSTM
from concertclean.networks.layers.waveform_model import SpectralModel

_EPSILON = 1e-8
_MEMORY = 128  # frames; what a fresh LSTM keeps of those further back changes the output by less than -80 dB

MaskMode = Literal["E", "R", "C"]


class DCCRN(SpectralModel):
    """DCCRN, waveform to waveform, mono.

    Attributes:
        alignment: samples; frames of a segment must be those of the whole.
        context: samples on each side of a segment. Frames ahead are exactly those the decoder looks at; of the frames
            behind, which the LSTM remembers without end, as many as change the output.

    Args:
        sample_rate: Hz.
        win_length: samples of the Hann window; the rest of a frame is zero.
        hop_length: samples between frames.
        n_fft: samples of a frame, divisible by twice 2 to the number of `widths`.
        widths: channels of each level, real and imaginary ones together; even numbers.
        rnn_units: of the LSTM; of a complex one half are real.
        rnn_layers: of the LSTM.
        complex_lstm: False: a real LSTM over both parts at once, and a linear layer.
        masking: of the published modes "E" limits the modulus of the mask to 1 by tanh and adds its phase, "C"
            multiplies by it, "R" scales real and imaginary parts separately.

    Raises:
        ValueError: `n_fft` cannot be halved so often.
    """

    stems, channels = 1, 1

    def __init__(  # noqa: PLR0913 - flat keyword arguments, one a line of the config in the weights file
        self,
        *,
        sample_rate: int = 16_000,
        win_length: int = 400,
        hop_length: int = 100,
        n_fft: int = 512,
        widths: Sequence[int] = (32, 64, 128, 256, 256, 256),
        rnn_units: int = 256,
        rnn_layers: int = 2,
        complex_lstm: bool = True,
        masking: MaskMode = "E",
    ) -> None:
        super().__init__()
        n_levels = len(widths)
        if n_fft % 2 ** (n_levels + 1):
            raise ValueError(f"n_fft={n_fft}, must be divisible by {2 ** (n_levels + 1)} for {n_levels} widths")
        self.sample_rate, self.hop_length, self.masking = sample_rate, hop_length, masking
        self.alignment = hop_length
        self.context = hop_length * (_MEMORY + n_levels) + n_fft
        window = F.pad(stft.window("hann", win_length), (0, n_fft - win_length))
        self.register_buffer("window", window, persistent=False)
        ends = [2, *widths]
        self.encoder = nn.ModuleList(
            nn.Sequential(ComplexConv2d(n_in, n_out), nn.BatchNorm2d(n_out), nn.PReLU())
            for n_in, n_out in pairwise(ends)
        )
        n_features = widths[-1] * (n_fft // 2 ** (n_levels + 1))
        self.recurrence = (
            ComplexLSTM(n_features, rnn_units, rnn_layers)
            if complex_lstm
            else _RealLSTM(n_features, rnn_units, rnn_layers)
        )
        self.decoder = nn.ModuleList()
        for n_out, n_in in reversed(list(pairwise(ends))):
            layers: list[nn.Module] = [ComplexConvTranspose2d(2 * n_in, n_out)]
            if n_out != 2:
                layers += [nn.BatchNorm2d(n_out), nn.PReLU()]
            self.decoder.append(nn.Sequential(*layers))

    def stages(self, degraded: Tensor) -> tuple[Tensor]:
        """The only estimate.

        Args:
            degraded: `(batch, 1, freq, frame)` complex, unit scale of `dsp.stft`.

        Returns:
            The estimate, shaped and scaled like `degraded`; zero at 0 Hz, which the network leaves out.
        """
        # The authors' spectrograms are not divided by the sum of the window.
        planes = torch.view_as_real(degraded[:, 0, 1:] * self.window.sum()).permute(0, 3, 1, 2)
        mask = self._mask(planes.contiguous()).float()
        real, imaginary = F.pad(mask, (0, 0, 1, 0)).unbind(1)
        return (self._masked(degraded[:, 0], real, imaginary)[:, None],)

    def _mask(self, planes: Tensor) -> Tensor:
        """Real and imaginary part of the mask, `(batch, 2, freq, frame)`, of those of the spectrogram."""
        skips = []
        for level in self.encoder:
            planes = level(planes)
            skips.append(planes)
        planes = self.recurrence(planes)
        for level, skip in zip(self.decoder, reversed(skips), strict=True):
            # Real parts first, then imaginary ones, as complex layers expect them.
            parts = zip(planes.chunk(2, dim=1), skip.chunk(2, dim=1), strict=True)
            planes = level(torch.cat([each for pair in parts for each in pair], dim=1))
        return planes

    def _masked(self, degraded: Tensor, real: Tensor, imaginary: Tensor) -> Tensor:
        """The mask applied as `masking` says (section 2.4 of the paper)."""
        if self.masking == "R":
            return torch.complex(degraded.real * real, degraded.imag * imaginary)
        if self.masking == "C":
            return degraded * torch.complex(real, imaginary)
        # tanh |M| · e^(iφ) without the angle, whose gradient is infinite where M is zero.
        modulus = (real.square() + imaginary.square() + _EPSILON**2).sqrt()
        gain = torch.tanh(modulus) / modulus
        return degraded * torch.complex(real * gain, imaginary * gain)


class _RealLSTM(nn.Module):
    """Frames of all channels through a real LSTM, and back to as many features.

    Args:
        n_features: channels times frequencies.
        units: of the LSTM.
        n_layers: of the LSTM.
    """

    def __init__(self, n_features: int, units: int, n_layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_features, units, n_layers, batch_first=True)
        self.projection = nn.Linear(units, n_features)

    def forward(self, planes: Tensor) -> Tensor:
        """Maps `(batch, channel, freq, frame)` to the same shape."""
        frames = planes.permute(0, 3, 1, 2)
        found: Tensor = self.projection(self.lstm(frames.flatten(2))[0])
        return found.reshape(frames.shape).permute(0, 2, 3, 1)
