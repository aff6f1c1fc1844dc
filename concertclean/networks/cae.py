"""CAE: a convolutional autoencoder trained on one instrument, which passes only that.

It takes the magnitudes of three consecutive frames, stacked along frequency, encodes them into a short code and
rebuilds the nearest sound of its instrument. The phase is that of the microphone. Nearly all of its parameters are in
the two dense layers around the code.

Three windows contain each frame, and the estimate is the mean of the three; the paper uses one and discards two. After
the last normalisation magnitudes may be negative, which would invert the phase: they are clipped at zero. The loss uses
the final output (own). In the paper it uses the rebuilt magnitudes, so being too loud costs as much as being too quiet,
although nothing is ever made louder than the recording. `average=False`, `clamp=False` and the loss "windows" leave the
published system.

References:
    Rajesh, Rajan: Neural networks for interference reduction in multi-track recordings, WASPAA 2023, section 3.1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from concertclean.dsp import stft
from concertclean.networks.layers.waveform_model import SpectralModel

_FRAMES = 3
_LAYER = 3_200_000  # numbers in a layer of windows that are rebuilt at once; more do not fit in the cache
_FEW = 8  # products of channels, of which a convolution is added up one by one
_EPSILON = 1e-12


def _magnitudes(spectrogram: Tensor) -> Tensor:
    """Magnitudes, not differentiable at zero; three times as fast as `abs`, which guards against overflow."""
    return (spectrogram.real.square() + spectrogram.imag.square()).sqrt()


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Parts concatenated along the second axis; a single part without a copy."""
    return torch.cat(list(parts), dim=1) if len(parts) > 1 else parts[0]


class _TwoTaps(nn.Conv1d):
    """Convolution of two taps; few channels are added up one by one, on a CPU 2 to 16 times as fast as the library.

    Args:
        in_channels, out_channels: as in `nn.Conv1d`.
        widening: the result is one longer than what goes in, not one shorter.
    """

    bias: Tensor

    def __init__(self, in_channels: int, out_channels: int, *, widening: bool = False) -> None:
        super().__init__(in_channels, out_channels, 2, padding=int(widening))
        self._widening = widening
        with torch.no_grad():
            self.weight.abs_()  # own: two negative taps are dead on magnitudes, and with few channels each is needed

    def forward(self, waves: Tensor) -> Tensor:
        """Maps `(batch, in, length)` to `(batch, out, length ± 1)`."""
        if self.in_channels * self.out_channels > _FEW:
            return super().forward(waves)
        parts = waves.unbind(1)
        return _joined([self._channel(parts, out)[:, None] for out in range(self.out_channels)])

    def _channel(self, waves: Sequence[Tensor], out: int) -> Tensor:
        """One channel of the result, `(batch, length ± 1)`."""
        batch, length = waves[0].shape
        total = self.bias[out].expand(batch, length + (1 if self._widening else -1)).clone()
        for wave, (earlier, later) in zip(waves, self.weight[out], strict=True):
            if self._widening:
                total[:, 1:].addcmul_(wave, earlier)
                total[:, :-1].addcmul_(wave, later)
            else:
                total.addcmul_(wave[:, :-1], earlier).addcmul_(wave[:, 1:], later)
        return total


class _Norm(nn.BatchNorm1d):
    """Batch normalisation; in evaluation it runs in place, by a product and a sum, in three quarters of the time."""

    def forward(self, waves: Tensor) -> Tensor:
        """Maps `(batch, channel, length)` to the same shape."""
        if self.training or torch.is_grad_enabled() or self.running_var is None or self.running_mean is None:
            return super().forward(waves)
        gain = self.weight * (self.running_var + self.eps).rsqrt()
        return waves.mul_(gain[:, None]).add_((self.bias - gain * self.running_mean)[:, None])


class CAE(SpectralModel):
    """Network of one instrument.

    Args:
        sample_rate: Hz.
        n_fft: samples of a frame.
        hop_length: samples between frames.
        widths: channels of the two convolutions.
        code: units in the middle.
        average: the estimate is the mean of three windows (own); False: of each window its first frame counts, of the
            last all three, as published.
        clamp: nothing is made louder than the recording, or negative (own); False: the rebuilt magnitudes with the
            phase of the recording, as published.
    """

    stems, channels = 1, 1

    def __init__(
        self,
        *,
        sample_rate: int = 22_050,
        n_fft: int = 2048,
        hop_length: int = 512,
        widths: tuple[int, int] = (32, 64),
        code: int = 100,
        average: bool = True,
        clamp: bool = True,
    ) -> None:
        super().__init__()
        self.sample_rate, self.hop_length, self.alignment = sample_rate, hop_length, hop_length
        self.average, self.clamp = average, clamp
        self.context = n_fft + _FRAMES * hop_length
        self.register_buffer("window", stft.window("hann", n_fft), persistent=False)
        first, second = widths
        self._n_freqs, self._widest = n_fft // 2 + 1, max(widths)
        length = _FRAMES * self._n_freqs - 2
        self._inner = (second, length)
        self.encoder = nn.Sequential(
            _TwoTaps(1, first), nn.ReLU(inplace=True), _Norm(first),
            _TwoTaps(first, second), nn.ReLU(inplace=True), _Norm(second),
        )  # fmt: skip
        self.squeeze = nn.Linear(second * length, code)
        self.unfold = nn.Linear(code, second * length)
        # Published as transposed: for two taps the same as plain ones with reversed taps, ten times as fast.
        self.decoder = nn.Sequential(
            _TwoTaps(second, first, widening=True), nn.ReLU(inplace=True), _Norm(first),
            _TwoTaps(first, 1, widening=True), nn.ReLU(inplace=True), _Norm(1),
        )  # fmt: skip

    def rebuilt(self, frames: Tensor) -> Tensor:
        """Magnitudes rebuilt from the instrument's code.

        Windows overlap, and convolutions see two neighbours: each frame is encoded once for all windows that contain
        it.

        Args:
            frames: `(batch, frame, freq)`, from `frames`, at least three.

        Returns:
            `(batch, frame - 2, 3 · freq)`, one window for every three consecutive frames; may be negative.
        """
        in_a_row = self.encoder(frames.flatten(1)[:, None])
        encoded = in_a_row.unfold(2, self._inner[1], self._n_freqs)  # (batch, channel, window, place)
        code = self.squeeze(encoded.transpose(1, 2).flatten(2)).relu_()
        inner = self.unfold(code).relu_().reshape(-1, *self._inner)
        windows: Tensor = self.decoder(inner)
        return windows.reshape(*code.shape[:2], -1)

    def frames(self, magnitude: Tensor) -> Tensor:
        """Frames for the windows, `(batch, frame + 4, freq)`, from magnitudes `(batch, freq, frame)`.

        Two silent ones at both ends, so that three windows contain each frame; without `average` none, unless there
        would be no window. The paper's spectrogram is not divided by the sum of the window: its magnitudes are about
        as large as the initial values of the last normalisation.
        """
        silent = (_FRAMES - 1, _FRAMES - 1) if self.average else (0, max(0, _FRAMES - magnitude.shape[2]))
        return F.pad(magnitude.mT * self.window.sum(), (0, 0, *silent))

    def windows(self, frames: Tensor) -> Tensor:
        """Three consecutive frames each, `(batch, frame - 2, 3 · freq)`, of frames `(batch, frame, freq)`."""
        return frames.flatten(1).unfold(1, _FRAMES * self._n_freqs, self._n_freqs)

    def estimate(self, found: Tensor, n_frames: int) -> Tensor:
        """Magnitudes `(batch, freq, frame)` from all rebuilt windows, in the scale of the spectrogram."""
        parts = found.reshape(*found.shape[:2], _FRAMES, self._n_freqs)
        if not self.average:
            single = torch.cat([parts[:, :, 0], parts[:, -1, 1:]], dim=1)
            return single[:, :n_frames].mT / self.window.sum()
        # Frame t is the last of window t, the middle of window t + 1, the first of window t + 2.
        first, middle, last = (parts[:, _FRAMES - 1 - k : _FRAMES - 1 - k + n_frames, k] for k in range(_FRAMES))
        return (first + middle + last).mT / (_FRAMES * self.window.sum())

    def stage(self, degraded: Tensor, found: Tensor) -> Tensor:
        """Spectrogram of the estimate `(batch, 1, freq, frame)`, from that of the recording and all rebuilt windows.

        A microphone picks up its own instrument and more, so its magnitudes are only ever lowered, unless `clamp` is
        off.
        """
        estimate = self.estimate(found, degraded.shape[3])
        if not self.clamp:
            return torch.polar(estimate.float(), degraded[:, 0].angle())[:, None]
        gains = (estimate / _magnitudes(degraded[:, 0]).clamp_min(_EPSILON)).clamp(0, 1)
        return degraded * gains[:, None]

    def stages(self, degraded: Tensor) -> tuple[Tensor, ...]:
        """The estimate as a spectrogram.

        Args:
            degraded: `(batch, 1, freq, frame)` complex.

        Returns:
            One spectrogram, same shape.
        """
        frames = self.frames(_magnitudes(degraded[:, 0]))
        n_windows = frames.shape[1] - _FRAMES + 1
        at_once = _LAYER // (self._widest * self._inner[1] * len(frames))
        size = n_windows if self.training else max(1, at_once)  # statistics of a batch are those of all its windows
        pieces = [frames[:, k : k + size + _FRAMES - 1] for k in range(0, n_windows, size)]
        found = _joined([self.rebuilt(piece) for piece in pieces])
        return (self.stage(degraded, found),)
