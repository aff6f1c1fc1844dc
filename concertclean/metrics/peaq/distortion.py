"""Differences between estimate and reference in one frame of one channel, by each measure of PEAQ.

All functions take the reference first and leave the averaging over frames to `movs`.

References:
    ITU-R BS.1387-1 (2001), Annex 2, sections 2.1.9 and 4.2 to 4.7.
    Kabal 2003, section 5. Where the two leave a choice it is that of GstPEAQ 0.6.1.
"""

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.arrays import Array
from concertclean.metrics.peaq.bands import BAND_BARK, N_BANDS, internal_noise
from concertclean.metrics.peaq.ear import group

_INTERNAL_NOISE = internal_noise()
_BAND_BARK = BAND_BARK * np.arange(N_BANDS)
# How far a noise must stay below the masker to be masked: 3 dB, more above 12 Bark.
_MASKING_OFFSET = 10 ** (np.where(_BAND_BARK <= 12, 3.0, 0.25 * _BAND_BARK) / 10)

_FLOOR_LINES = slice(921, 1024)  # 21.6 to 24 kHz: no music, so their level is that of the noise floor
_WIDEST_LINES = 921
_NARROWEST_LINES = 346  # 8.1 kHz: a reference that ends lower does not measure bandwidth


def modulation_difference(reference: Array, estimate: Array, *, offset: float, loss_weight: float) -> Array:
    """Change of modulation, percent of the reference's.

    Args:
        reference: modulation `(frame, band)`.
        estimate: likewise.
        offset: added to the reference's modulation, which avoids division by zero.
        loss_weight: weight of bands that lost modulation beside those that gained, 0 to 1.

    Returns:
        `(frame,)`, mean over bands.
    """
    weight = np.where(estimate >= reference, 1.0, loss_weight)
    return np.asarray(100 * (weight * np.abs(estimate - reference) / (offset + reference)).mean(axis=1))


def modulation_weight(average_loudness: Array) -> Array:
    """Weight of a frame in the means of modulation difference, 0 to 109; quiet frames count less.

    Args:
        average_loudness: of the reference, `(frame, band)`, second result of `modulation`.
    """
    return np.asarray((average_loudness / (average_loudness + 100 * _INTERNAL_NOISE**0.3)).sum(axis=1))


def noise_loudness(patterns: tuple[Array, Array], modulations: tuple[Array, Array]) -> Array:
    """Loudness of what was added, partially masked by the reference, sone.

    Args:
        patterns: adapted excitation of reference and estimate, `(frame, band)` each.
        modulations: of reference and estimate, `(frame, band)` each; a fluctuating masker masks more.

    Returns:
        `(frame,)`; 0 where the estimate adds nothing.
    """
    reference, estimate = patterns
    from_reference, from_estimate = (0.15 * modulation + 0.5 for modulation in modulations)
    masking = np.exp(-1.5 * (estimate - reference) / reference)
    added = np.maximum(from_estimate * estimate - from_reference * reference, 0.0)
    ratio = added / (_INTERNAL_NOISE + from_reference * reference * masking)
    return np.asarray(24 * ((_INTERNAL_NOISE / from_estimate) ** 0.23 * ((1 + ratio) ** 0.23 - 1)).mean(axis=1))


def noise_energy(reference_power: Array, estimate_power: Array) -> Array:
    """Energy of the difference of the magnitudes, band by band; a change of phase alone does not count.

    Args:
        reference_power: ear-weighted energy `(frame, line)`.
        estimate_power: likewise.

    Returns:
        `(frame, band)`, to be set against `mask`.
    """
    return group((np.sqrt(reference_power) - np.sqrt(estimate_power)) ** 2)


def mask(excitation: Array) -> Array:
    """Energy that the reference's excitation masks, `(frame, band)` in and out."""
    return excitation / _MASKING_OFFSET


def detection(reference: Array, estimate: Array) -> tuple[Array, Array]:
    """Probability that a listener notices the difference in a band, and by how many just noticeable steps.

    Args:
        reference: excitation `(frame, band)`, above 0.
        estimate: likewise.

    Returns:
        Probability, 0 to 1, and steps, 0 or more, `(frame, band)` each.
    """
    reference_db, estimate_db = 10 * np.log10(reference), 10 * np.log10(estimate)
    level = 0.3 * np.maximum(reference_db, estimate_db) + 0.7 * estimate_db
    difference = reference_db - estimate_db
    step = _step_db(level)
    steepness = np.where(difference > 0, 4.0, 6.0)
    probability = 1 - 0.5 ** (np.abs(difference / step) ** steepness)
    return probability, np.abs(np.trunc(difference)) / step


def _step_db(level_db: Array) -> Array:
    """Just noticeable change of level, dB; endless at or below the threshold of hearing."""
    audible = level_db > 0
    level = np.where(audible, level_db, 1.0)
    polynomial = np.polynomial.polynomial.polyval(level, [-0.198719, 0.0550197, -0.00102438, 5.05622e-6, 9.01033e-11])
    return np.where(audible, 5.95072 * (6.39468 / level) ** 1.71332 + polynomial, 1e30)


def bandwidths(reference_power: Array, estimate_power: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lines up to which reference and estimate stand out of the estimate's level above 21.6 kHz.

    Args:
        reference_power: energy before ear weighting, `(frame, line)`.
        estimate_power: likewise.

    Returns:
        Number of lines, `(frame,)` each: 10 dB above that level for the reference, 5 dB for the estimate, which is
        never wider than the reference. 0 and 0 if the reference does not reach 8.1 kHz, which means no measurement.
    """
    floor = estimate_power[:, _FLOOR_LINES].max(axis=1, keepdims=True)
    reference = _highest(reference_power[:, :_WIDEST_LINES] > 10 * floor)
    within = np.arange(_WIDEST_LINES) < reference[:, None]
    estimate = _highest((estimate_power[:, :_WIDEST_LINES] >= 10**0.5 * floor) & within)
    is_wide = reference > _NARROWEST_LINES
    return np.where(is_wide, reference, 0), np.where(is_wide, estimate, 0)


def _highest(marks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """One more than the last index marked in every row, 0 where none is."""
    n_lines = marks.shape[1]
    return np.where(marks.any(axis=1), n_lines - marks[:, ::-1].argmax(axis=1), 0)
