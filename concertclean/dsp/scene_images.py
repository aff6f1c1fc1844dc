"""What the classifier of scenes is given: log-mel images of a few seconds, without torch."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp import array_stft
from concertclean.dsp.mel import mel_filters

SCENES: Final = ("clean", "crowd", "disc", "speech")
"""Its classes, in this order."""

POWER_FLOOR: Final = 1e-13
"""Added to the power of a band: -130 dB of full scale, below the noise of 16 bits in one band."""

SPREAD: Final = 4.0
"""Images are divided by it, for a standard deviation of about one."""

_RANGE_HZ: Final = (30.0, 16_000.0)


@dataclass(frozen=True)
class SceneImages:
    """How images are made: natural logarithms of mel power minus their own mean, so that the level does not matter.

    Attributes:
        sample_rate: Hz.
        n_fft: samples of a frame; the window is Hann.
        hop_length: samples between frames.
        n_mels: bands of an image.
    """

    sample_rate: int = 44_100
    n_fft: int = 2048
    hop_length: int = 1024
    n_mels: int = 64

    @cached_property
    def filters(self) -> NDArray[np.float32]:
        """Filters of the bands, `(freq, mel)`."""
        return mel_filters(self.n_fft, self.sample_rate, self.n_mels, *_RANGE_HZ)

    def image(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Image `(frame, mel)` of a waveform `(time,)`, full scale ±1."""
        window = array_stft.window("hann", self.n_fft)
        (spectra,) = array_stft.spectrogram(waveform[None], window, self.hop_length)
        power = (np.square(spectra.real) + np.square(spectra.imag)) @ self.filters
        image = np.log(power + np.float32(POWER_FLOOR))
        return np.asarray((image - image.mean()) / SPREAD, np.float32)
