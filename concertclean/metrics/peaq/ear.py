"""From samples to excitation: the energy of a sound in each band of the ear, frame by frame.

Spectra are calibrated so that a full-scale sine of 1019.5 Hz has 92 dB SPL, whatever the music's own level: PEAQ is a
model of listening at a fixed volume, and a pair must not be normalised before it. Energies are linear, 1 at 0 dB SPL.

References:
    ITU-R BS.1387-1 (2001), Annex 2, section 2.1.
    Kabal 2003, section 2; equation numbers in the code are his.
"""

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.arrays import Array
from concertclean.metrics.peaq.bands import (
    BAND_BARK,
    CENTRE_HZ,
    FRAME,
    HOP,
    N_BANDS,
    SAMPLE_RATE,
    decay,
    ear_weight,
    grouping,
    internal_noise,
)
from concertclean.metrics.peaq.recursion import smoothed

_LEVEL_DB = 92.0  # SPL of a full-scale sine
_CALIBRATION_HZ = 1019.5
_LEAST_ENERGY = 1e-12
_WINDOW = 0.5 * (1 - np.cos(2 * np.pi * np.arange(FRAME) / (FRAME - 1)))
_EAR_WEIGHT = ear_weight()
# A band holds a dozen of the 1025 lines: its shares are added up alone, which no matrix product does.
_BAND_OF_SHARE, _LINE_OF_SHARE = np.nonzero(grouping().T)
_SHARE = grouping()[_LINE_OF_SHARE, _BAND_OF_SHARE]
_FIRST_SHARE = np.searchsorted(_BAND_OF_SHARE, np.arange(N_BANDS))
_INTERNAL_NOISE = internal_noise()
_EXCITATION_DECAY = decay(0.030)


def count_frames(n_samples: int) -> int:
    """Number of frames of a recording: all that contain 1024 samples of it, and at least one."""
    return max(1, n_samples // HOP)


def framed(waveform: Array) -> NDArray[np.float64]:
    """Frames of 2048 samples, 1024 apart, the last one filled up with zeros.

    Args:
        waveform: `(time,)`, full scale ±1.

    Returns:
        `(frame, 2048)`, read-only.
    """
    n_frames = count_frames(len(waveform))
    padded = np.pad(waveform, (0, max(0, (n_frames + 1) * HOP - len(waveform))))
    return np.lib.stride_tricks.sliding_window_view(padded, FRAME)[: n_frames * HOP : HOP]


def _calibration() -> float:
    """Gain on a magnitude of the windowed Fourier transform that gives a full-scale sine 92 dB."""
    position = _CALIBRATION_HZ / SAMPLE_RATE * FRAME
    distance = min(np.ceil(position) - position, position - np.floor(position)) * (FRAME - 1) / FRAME
    # a sine between two lines peaks lower than one on a line
    scallop = np.sin(np.pi * distance) / (np.pi * distance * (1 - distance**2))
    return float(10 ** (_LEVEL_DB / 20) / (scallop * (FRAME - 1) / 4))


def power_spectrum(frames: Array) -> Array:
    """Energy of every spectral line.

    Args:
        frames: `(frame, 2048)`, full scale ±1.

    Returns:
        `(frame, line)`, 1 at 0 dB SPL.
    """
    return np.asarray(np.abs(_calibration() * np.fft.rfft(frames * _WINDOW)) ** 2)


def weighted(power: Array) -> Array:
    """An energy spectrum after the outer and middle ear, `(frame, line)` in and out."""
    return power * _EAR_WEIGHT


def group(power: Array) -> Array:
    """Energy in every band, at least 1e-12: `(frame, line)` to `(frame, band)`."""
    return np.maximum(np.add.reduceat(power[:, _LINE_OF_SHARE] * _SHARE, _FIRST_SHARE, axis=1), _LEAST_ENERGY)


def spread(energy: Array) -> Array:
    """Energy as it spreads along the basilar membrane: steeply downwards, upwards the less steeply the louder it is.

    Args:
        energy: `(frame, band)`, above 0.

    Returns:
        `(frame, band)`, the "unsmeared" excitation; equal energy in all bands at 0 dB SPL is returned unchanged.
    """
    return _spread(energy) / _spread(np.ones((1, N_BANDS)))


def _spread(energy: Array) -> Array:
    """Sum of all bands' contributions in the domain of the power 0.4, before normalisation (Kabal 23 to 28)."""
    band = np.arange(N_BANDS)
    lower = 10 ** (-2.7 * BAND_BARK)
    upper = 10 ** ((-2.4 - 23 / CENTRE_HZ) * BAND_BARK) * energy ** (0.2 * BAND_BARK)
    area = (1 - lower ** (band + 1)) / (1 - lower) + (1 - upper ** (N_BANDS - band)) / (1 - upper) - 1
    own = (energy / area) ** 0.4
    total = own.copy()
    for index in range(N_BANDS - 2, -1, -1):
        total[:, index] += lower**0.4 * total[:, index + 1]
    reach, slope = own, upper**0.4
    for distance in range(1, N_BANDS):
        reach = reach[:, :-1] * slope[:, : N_BANDS - distance]
        total[:, distance:] += reach
    return np.asarray(total**2.5)


def unsmeared(band_energy: Array) -> Array:
    """Excitation before it lingers in time, from the energy in the bands; `(frame, band)` in and out."""
    return spread(band_energy + _INTERNAL_NOISE)


def excitation(unsmeared_excitation: Array) -> Array:
    """Excitation that lingers after a sound has ended (forward masking); `(frame, band)` in and out."""
    return np.maximum(smoothed(unsmeared_excitation, _EXCITATION_DECAY), unsmeared_excitation)
