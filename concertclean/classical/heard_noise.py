"""Noise that somebody points at: a stretch of the recording, or another recording, in which nothing else sounds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concertclean.classical.material import Material
from concertclean.classical.noise_floor import OVERLAP, FixedNoise, NoiseTracker, noise_profile
from concertclean.dsp.resample import resample


@dataclass(frozen=True)
class HeardNoise:
    """Noise as in a waveform of any rate; its mean power is found when a recording starts, at the recording's rate.

    Attributes:
        waveform: `(channel, time)`, noise alone, a tenth of a second and more, full scale ±1.
        sample_rate: of the waveform, Hz.
    """

    waveform: NDArray[np.float64]
    sample_rate: int
    lead_seconds: float = 0.0

    def start(self, lead: NDArray[np.float64], hop_seconds: float) -> NoiseTracker:
        """A tracker that does not learn; ConfigError if the waveform is silent or shorter than a frame."""
        n_fft = 2 * (lead.shape[1] - 1)
        hop = n_fft // OVERLAP
        waveform = resample(self.waveform, self.sample_rate, round(hop / hop_seconds))
        return FixedNoise(noise_profile(waveform, n_fft, hop)).start(lead, hop_seconds)


def heard_noise(material: Material) -> HeardNoise:
    """Noise as in material of noise alone."""
    return HeardNoise(material.waveform(), material.sample_rate)
