"""Runs a mono network on stereo without moving the image: both channels get one mask, that of their downmix."""

import math

from torch import Tensor

from concertclean.dsp import stft
from concertclean.dsp.array_downmix import GRID_SAMPLES, HOP_LENGTH, N_FFT, REACH_SAMPLES
from concertclean.dsp.local_downmix import downmix_locally
from concertclean.networks.layers.waveform_model import WaveformModel

_MASK_BOUND = 1.2


class SharedGain(WaveformModel):
    """A mono network as a stereo one.

    The network restores the downmix of the two channels, their mean unless one is inverted; the quotient of the two
    spectrograms, its modulus limited to 1.2, is applied to left and right alike. A sound in only one channel stays
    there.

    Args:
        mono: network with `channels == 1` and one stem.
    """

    window: Tensor

    def __init__(self, mono: WaveformModel) -> None:
        super().__init__()
        self.mono = mono
        self.stems, self.channels = 1, 2
        self.sample_rate, self.alignment = mono.sample_rate, math.lcm(mono.alignment, GRID_SAMPLES)
        # room for one more frame, and for the correlation of the channels
        self.context = mono.context + -(-REACH_SAMPLES // self.alignment) * self.alignment
        self.register_buffer("window", stft.window("hann", N_FFT), persistent=False)

    def estimates(self, waveform: Tensor) -> tuple[Tensor]:
        """The only estimate; see `WaveformModel.estimates`."""
        mixed = downmix_locally(waveform)
        restored = self.mono(mixed)[:, 0]
        degraded = stft.spectrogram(mixed, self.window, HOP_LENGTH)
        quotient = stft.spectrogram(restored, self.window, HOP_LENGTH) * degraded.conj()
        mask = quotient / (degraded.abs().square() + 1e-12)
        mask = mask * (_MASK_BOUND / mask.abs().clamp_min(_MASK_BOUND))
        both = stft.spectrogram(waveform, self.window, HOP_LENGTH) * mask
        return (stft.waveform(both, self.window, HOP_LENGTH, waveform.shape[-1]).unsqueeze(1),)
