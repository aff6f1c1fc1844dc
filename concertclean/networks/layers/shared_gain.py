"""Runs a mono network on stereo without moving the image: both channels get the mask found on their mean."""

from torch import Tensor, nn

from concertclean.dsp import stft

_MASK_BOUND = 1.2
_N_FFT, _HOP_LENGTH = 2048, 512


class SharedGain(nn.Module):
    """A mono network seen as a stereo one.

    The network restores the mean of the two channels; the quotient of the two spectrograms, its modulus held
    below 1.2, is applied to left and right alike. What is only in one channel stays only there.

    Args:
        mono: network with `channels == 1` and one stem.
    """

    stems, channels = 1, 2
    window: Tensor

    def __init__(self, mono: nn.Module) -> None:
        super().__init__()
        self.mono = mono
        self.sample_rate, self.alignment = int(mono.sample_rate), int(mono.alignment)  # type: ignore[arg-type]
        self.context = int(mono.context) + self.alignment  # type: ignore[arg-type] # room for one more frame
        self.register_buffer("window", stft.window("hann", _N_FFT), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Maps `(batch, 2, time)` to `(batch, 1, 2, time)`."""
        mean = waveform.mean(dim=1, keepdim=True)
        restored: Tensor = self.mono(mean)[:, 0]
        degraded = stft.spectrogram(mean, self.window, _HOP_LENGTH)
        quotient = stft.spectrogram(restored, self.window, _HOP_LENGTH) * degraded.conj()
        mask = quotient / (degraded.abs().square() + 1e-12)
        mask = mask * (_MASK_BOUND / mask.abs().clamp_min(_MASK_BOUND))
        both = stft.spectrogram(waveform, self.window, _HOP_LENGTH) * mask
        return stft.waveform(both, self.window, _HOP_LENGTH, waveform.shape[-1]).unsqueeze(1)
