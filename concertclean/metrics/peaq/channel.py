"""One channel of a pair in the ear model: everything needed for the averages over frames.

Spectra are processed in blocks of frames and discarded, so memory grows with 109 bands per frame and not with 1025
lines.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.arrays import Array
from concertclean.metrics.peaq import distortion
from concertclean.metrics.peaq.ear import excitation, framed, group, power_spectrum, unsmeared, weighted
from concertclean.metrics.peaq.gating import is_energetic
from concertclean.metrics.peaq.harmonics import harmonic_structure
from concertclean.metrics.peaq.patterns import adapted, loudness, modulation

_BLOCK = 128  # frames, 2.7 s
_AUDIBLE_SONE = 0.1


@dataclass(frozen=True)
class Channel:
    """Measurements of the estimate in one channel, frame by frame.

    Attributes:
        reference_bandwidth: lines, `(frame,)`; 0 where it could not be measured.
        estimate_bandwidth: likewise.
        noise_to_mask: energy of the error over what the reference masks, `(frame, band)`.
        modulation_difference: percent, gains and losses alike, `(frame,)`.
        modulation_gain: percent, losses a tenth, `(frame,)`.
        modulation_weight: weight of the two above, `(frame,)`.
        noise_loudness: sone, `(frame,)`.
        is_audible: whether reference and estimate are audible at all, `(frame,)`.
        harmonics: strength of a harmonic pattern in the error, `(frame,)`.
        is_energetic: whether `harmonics` has a meaning, `(frame,)`.
        probability: of noticing the error, 0 to 1, `(frame, band)`.
        steps: just noticeable differences in the error, `(frame, band)`.
    """

    reference_bandwidth: NDArray[np.int64]
    estimate_bandwidth: NDArray[np.int64]
    noise_to_mask: Array
    modulation_difference: Array
    modulation_gain: Array
    modulation_weight: Array
    noise_loudness: Array
    is_audible: NDArray[np.bool_]
    harmonics: Array
    is_energetic: NDArray[np.bool_]
    probability: Array
    steps: Array


class _Spectral(NamedTuple):
    """Measurements on the spectra themselves, for a block of frames or for all."""

    reference_unsmeared: Array
    estimate_unsmeared: Array
    noise: Array
    reference_bandwidth: NDArray[np.int64]
    estimate_bandwidth: NDArray[np.int64]
    harmonics: Array
    is_energetic: NDArray[np.bool_]


def listen(reference: Array, estimate: Array) -> Channel:
    """All measurements of one channel.

    Args:
        reference: `(time,)` at 48 kHz, full scale ±1.
        estimate: likewise, as long.
    """
    spectral = _spectral(reference, estimate)
    reference_modulation, average_loudness = modulation(spectral.reference_unsmeared)
    modulations = reference_modulation, modulation(spectral.estimate_unsmeared)[0]
    excitations = excitation(spectral.reference_unsmeared), excitation(spectral.estimate_unsmeared)
    probability, steps = distortion.detection(*excitations)
    return Channel(
        reference_bandwidth=spectral.reference_bandwidth,
        estimate_bandwidth=spectral.estimate_bandwidth,
        noise_to_mask=spectral.noise / distortion.mask(excitations[0]),
        modulation_difference=distortion.modulation_difference(*modulations, offset=1.0, loss_weight=1.0),
        modulation_gain=distortion.modulation_difference(*modulations, offset=0.01, loss_weight=0.1),
        modulation_weight=distortion.modulation_weight(average_loudness),
        noise_loudness=distortion.noise_loudness(adapted(*excitations), modulations),
        is_audible=(loudness(excitations[0]) > _AUDIBLE_SONE) & (loudness(excitations[1]) > _AUDIBLE_SONE),
        harmonics=spectral.harmonics,
        is_energetic=spectral.is_energetic,
        probability=probability,
        steps=steps,
    )


def _spectral(reference: Array, estimate: Array) -> _Spectral:
    """Measurements on the spectra of all frames, block by block."""
    reference_frames, estimate_frames = framed(reference), framed(estimate)
    blocks = [
        _block(reference_frames[start : start + _BLOCK], estimate_frames[start : start + _BLOCK])
        for start in range(0, len(reference_frames), _BLOCK)
    ]
    return _Spectral(*(np.concatenate(column) for column in zip(*blocks, strict=True)))


def _block(reference_frames: Array, estimate_frames: Array) -> _Spectral:
    """Measurements on the spectra of a few frames, `(frame, 2048)` each."""
    powers = power_spectrum(reference_frames), power_spectrum(estimate_frames)
    reference, estimate = (weighted(power) for power in powers)
    return _Spectral(
        unsmeared(group(reference)),
        unsmeared(group(estimate)),
        distortion.noise_energy(reference, estimate),
        *distortion.bandwidths(*powers),
        harmonic_structure(reference, estimate),
        is_energetic(reference_frames) | is_energetic(estimate_frames),
    )
