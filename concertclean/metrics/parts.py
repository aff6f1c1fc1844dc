"""How much of the music went, and how much of the noise stayed, both in dB of the music.

*Conventions*: arrays `(channel, time)`, lower is better, dB; -inf where nothing is lost or left. Both refer to the
power of the music, so that they can be compared: music lost at -9 dB beside noise left at -12 dB means that the
larger part of the error is missing music.
"""

import numpy as np

from concertclean.metrics.pair import Waveform
from concertclean.metrics.sdr import energy, ratio_db


def music_lost_db(reference: Waveform, music_part: Waveform) -> float:
    """Power of the music less what is left of it, over the power of the music.

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
