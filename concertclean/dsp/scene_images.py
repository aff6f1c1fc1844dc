"""What the classifier of scenes is given: log-mel images of a few seconds, and how tonal they are, without torch."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp import array_stft
from concertclean.dsp.mel import mel_filters

SCENES: Final = ("clean", "crowd", "disc", "speech")
"""Its classes, in this order."""

WINDOW_SECONDS: Final = 4.0
"""How much of a recording is classified at a time."""

POWER_FLOOR: Final = 1e-13
"""Added to the power of a band: -130 dB of full scale, below the noise of 16 bits in one band."""

SPREAD: Final = 4.0
"""Images are divided by it, for a standard deviation of about one."""

FLATNESS_SPREAD: Final = 2.0
"""Likewise the planes of flatness."""

_RANGE_HZ: Final = (30.0, 16_000.0)


@dataclass(frozen=True)
class SceneImages:
    """How images are made: natural logarithms of mel power minus their own mean, so that the level does not matter.

    A second plane has the spectral flatness of each band: the logarithm of the geometric over the arithmetic mean of
    the power of its bins. It is near zero for noise, and far below for partials with nothing between them: a noise
    floor under music shows there first.

    Attributes:
        sample_rate: Hz.
        n_fft: samples of a frame; the window is Hann.
        hop_length: samples between frames.
        n_mels: bands of an image.
        flatness_n_fft: samples of the longer frame of the flatness, whose bins part partials; 0: no such plane.
    """

    sample_rate: int = 44_100
    n_fft: int = 2048
    hop_length: int = 1024
    n_mels: int = 64
    flatness_n_fft: int = 0

    @property
    def n_planes(self) -> int:
        """Planes of an image."""
        return 2 if self.flatness_n_fft else 1

    @cached_property
    def filters(self) -> NDArray[np.float32]:
        """Filters of the bands, `(freq, mel)`."""
        return mel_filters(self.n_fft, self.sample_rate, self.n_mels, *_RANGE_HZ)

    @cached_property
    def averages(self) -> NDArray[np.float32]:
        """Weights of the bins of each band in its flatness, `(freq, mel)`, of sum one."""
        filters = mel_filters(self.flatness_n_fft, self.sample_rate, self.n_mels, *_RANGE_HZ)
        return np.asarray(filters / filters.sum(axis=0), np.float32)

    def image(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Image `(plane, frame, mel)` of a waveform `(time,)`, full scale ±1."""
        level = np.log(self._power(waveform, self.n_fft) @ self.filters + np.float32(POWER_FLOOR))
        planes = [(level - level.mean()) / SPREAD]
        if self.flatness_n_fft:
            power = self._power(waveform, self.flatness_n_fft) + np.float32(POWER_FLOOR)
            planes.append((np.log(power) @ self.averages - np.log(power @ self.averages)) / FLATNESS_SPREAD)
        return np.stack(planes).astype(np.float32, copy=False)

    def _power(self, waveform: NDArray[np.float32], n_fft: int) -> NDArray[np.float32]:
        """Power of the bins, `(frame, freq)`."""
        (spectra,) = array_stft.spectrogram(waveform[None], array_stft.window("hann", n_fft), self.hop_length)
        return np.asarray(np.square(spectra.real) + np.square(spectra.imag))
