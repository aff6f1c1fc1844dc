"""How much of the music was lost, and how much of the noise is left, both in dB relative to the music.

*Conventions*: arrays `(channel, time)`, lower is better, dB; -inf where nothing is lost or left. Both refer to the
power of the music, so they can be compared: music lost at -9 dB and noise left at -12 dB means that the larger part of
the error is missing music.
"""

import numpy as np

from concertclean.dsp.arrays import Array
from concertclean.metrics.pair import Waveform
from concertclean.metrics.sdr import energy, ratio_db

_LOAD = 1e-9  # of the larger power, against waveforms that are silent or equal


def music_lost_db(reference: Waveform, music_part: Waveform) -> float:
    """Power of the music minus what is left of it, over the power of the music.

    Args:
        reference: the music.
        music_part: what is left of it in the estimate.
    """
    return -ratio_db(energy(reference), energy(reference.astype(np.float64) - music_part))


def noise_left_db(reference: Waveform, noise_part: Waveform) -> float:
    """Power of what is left of the noise, over the power of the music.

    Args:
        reference: the music.
        noise_part: what is left of the noise in the estimate.
    """
    return -ratio_db(energy(reference), energy(noise_part))


def projected(estimate: Waveform, reference: Waveform, interference: Waveform) -> tuple[Array, Array]:
    """An estimate split into music and noise, if its gains are not accessible.

    Channel by channel the estimate is projected onto the plane of music and noise; what lies outside are artifacts,
    which count as lost music, as they do in SAR.

    Args:
        estimate: the candidate.
        reference: the music.
        interference: the noise that was mixed in.

    Returns:
        What is left of the music, with the artifacts, and what is left of the noise; their sum is the estimate.

    References:
        Le Roux, Wisdom, Erdogan, Hershey: SDR - half-baked or well done? ICASSP 2019, equations 4 to 6.
    """
    noise: Array = np.zeros(estimate.shape)
    for channel, (found, music, other) in enumerate(zip(estimate, reference, interference, strict=True)):
        basis = np.stack([music, other]).astype(np.float64)
        powers = basis @ basis.T
        powers += _LOAD * powers.diagonal().max() * np.eye(2) + 1e-30 * np.eye(2)
        noise[channel] = np.linalg.solve(powers, basis @ found)[1] * other
    return np.asarray(estimate - noise, np.float64), noise
