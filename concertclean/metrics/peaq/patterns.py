"""From excitation to the compared quantities: patterns of equal level, modulation, and loudness.

References:
    ITU-R BS.1387-1 (2001), Annex 2, sections 3.1 to 3.3.
    Kabal 2003, section 4; equation numbers in the code are his. Running means start at 0, as in GstPEAQ.
"""

import numpy as np

from concertclean.dsp.arrays import Array
from concertclean.metrics.peaq.bands import CENTRE_HZ, HOP, N_BANDS, SAMPLE_RATE, decay
from concertclean.metrics.peaq.recursion import accumulated, smoothed

_DECAY = decay(0.050)
_BANDS_BELOW, _BANDS_ABOVE = 3, 4


def _neighbourhood() -> Array:
    """Averaging over three bands below to four above, fewer at the ends: `(band in, band out)`."""
    distance = np.arange(N_BANDS)[:, None] - np.arange(N_BANDS)
    near = ((distance >= -_BANDS_BELOW) & (distance <= _BANDS_ABOVE)).astype(np.float64)
    return np.asarray(near / near.sum(axis=0))


_NEIGHBOURHOOD = _neighbourhood()


def adapted(reference: Array, estimate: Array) -> tuple[Array, Array]:
    """Both excitations without differences of level and slow colouration, which listeners forgive.

    Args:
        reference: excitation `(frame, band)`, above 0.
        estimate: likewise.

    Returns:
        Adapted reference and adapted estimate, `(frame, band)` each.
    """
    reference, estimate = _level_adapted(reference, estimate)
    likeness = accumulated(estimate * reference, _DECAY)
    energy = accumulated(reference**2, _DECAY)
    # The louder of the two is lowered to the other, band by band (60).
    for_reference = np.minimum(likeness / energy, 1.0)
    for_estimate = np.minimum(energy / likeness, 1.0)
    return (
        reference * smoothed(for_reference @ _NEIGHBOURHOOD, _DECAY),
        estimate * smoothed(for_estimate @ _NEIGHBOURHOOD, _DECAY),
    )


def _level_adapted(reference: Array, estimate: Array) -> tuple[Array, Array]:
    """Both excitations at the momentary level of the softer one (56 to 58)."""
    slow_reference, slow_estimate = smoothed(reference, _DECAY), smoothed(estimate, _DECAY)
    overlap = np.sqrt(slow_estimate * slow_reference).sum(axis=1, keepdims=True)
    correction = (overlap / slow_estimate.sum(axis=1, keepdims=True)) ** 2
    return reference / np.maximum(correction, 1.0), estimate * np.minimum(correction, 1.0)


def modulation(unsmeared: Array) -> tuple[Array, Array]:
    """How fast the envelope of every band moves, and the level it moves around.

    Args:
        unsmeared: excitation before time spreading, `(frame, band)`, above 0.

    Returns:
        Modulation and average loudness, `(frame, band)` each (BS.1387-1, equations 54 to 57).
    """
    loudness_of_band = unsmeared**0.3
    previous = np.concatenate([np.zeros((1, N_BANDS)), loudness_of_band[:-1]])
    slope = smoothed(SAMPLE_RATE / HOP * np.abs(loudness_of_band - previous), _DECAY)
    average = smoothed(loudness_of_band, _DECAY)
    return slope / (1 + average / 0.3), average


def loudness(excitation: Array) -> Array:
    """Loudness of every frame in sone as the standard computes it, `(frame, band)` to `(frame,)`.

    A 1 kHz tone of 40 dB SPL gets 0.58 and not 1, as every implementation of the formula finds.
    """
    khz = CENTRE_HZ / 1000
    threshold = 10 ** (0.364 * khz**-0.8)
    index_db = -2 - 2.05 * np.arctan(khz / 4) - 0.75 * np.arctan((khz / 1.6) ** 2)
    s = 10 ** (index_db / 10)
    scale = 1.07664 * (threshold / (s * 1e4)) ** 0.23
    specific = scale * ((1 - s + s * excitation / threshold) ** 0.23 - 1)
    return np.asarray(24 / N_BANDS * np.maximum(specific, 0.0).sum(axis=1))
