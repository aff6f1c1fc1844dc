"""Noise that the user points at: a stretch of the recording, or another recording, with nothing but noise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concertclean.classical.material import Material
from concertclean.classical.noise_floor import OVERLAP, FixedNoise, NoiseTracker, noise_profile
from concertclean.dsp.resample import resample


@dataclass(frozen=True)
class GivenNoise:
    """Noise given as a waveform of any rate; its mean power is computed when a recording starts, at its rate.

    Attributes:
        waveform: `(channel, time)`, only noise, a tenth of a second or more, full scale ±1.
        sample_rate: of the waveform, Hz.
    """

    waveform: NDArray[np.float64]
    sample_rate: int
    lead_seconds: float = 0.0

    def start(self, lead: NDArray[np.float64], hop_seconds: float) -> NoiseTracker:
        """A tracker that does not learn; raises ConfigError if the waveform is silent or shorter than a frame."""
        n_fft = 2 * (lead.shape[1] - 1)
        hop = n_fft // OVERLAP
        waveform = resample(self.waveform, self.sample_rate, round(hop / hop_seconds))
        return FixedNoise(noise_profile(waveform, n_fft, hop)).start(lead, hop_seconds)


def given_noise(material: Material) -> GivenNoise:
    """Noise given as material that contains only noise."""
    return GivenNoise(material.waveform(), material.sample_rate)
