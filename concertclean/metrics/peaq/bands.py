"""The 109 bands of the ear, a quarter Bark each from 80 Hz to 18 kHz, and their constants.

Every number is computed from its formula: the printed tables round, and a much-used copy of them has typing errors.
Frequencies inside empirical formulas are in kHz, as their authors fitted them.

References:
    ITU-R BS.1387-1 (2001), Annex 2, sections 2.1.4 to 2.1.8 and Table 6.
    Kabal: An examination and interpretation of ITU-R BS.1387, McGill University 2003, section 2.
"""

import numpy as np

from concertclean.dsp.arrays import Array

SAMPLE_RATE = 48_000
FRAME = 2048  # samples, 42.7 ms
HOP = FRAME // 2
N_LINES = FRAME // 2 + 1
LINE_HZ = SAMPLE_RATE / FRAME
N_BANDS = 109
BAND_BARK = 0.25

_LOWEST_HZ, _HIGHEST_HZ = 80.0, 18_000.0


def bark(frequency_hz: float | Array) -> Array:
    """Position on the Bark scale after Schroeder."""
    return np.asarray(7 * np.arcsinh(np.asarray(frequency_hz) / 650))


def hertz(position_bark: Array) -> Array:
    """Frequency in Hz; inverse of `bark`."""
    return 650 * np.sinh(position_bark / 7)


def band_edges() -> tuple[Array, Array, Array]:
    """Lower edge, centre and upper edge of every band, each `(band,)` in Hz; the last band is cut at 18 kHz."""
    lower = bark(_LOWEST_HZ) + BAND_BARK * np.arange(N_BANDS)
    upper = np.minimum(lower + BAND_BARK, bark(_HIGHEST_HZ))
    return hertz(lower), hertz((lower + upper) / 2), hertz(upper)


LOWER_HZ, CENTRE_HZ, UPPER_HZ = band_edges()


def grouping() -> Array:
    """Share of every spectral line that falls into every band, `(line, band)`, 0 to 1.

    A line stands for the frequencies half a line spacing to both of its sides.
    """
    line = LINE_HZ * np.arange(N_LINES)[:, None]
    top = np.minimum(UPPER_HZ, line + LINE_HZ / 2)
    bottom = np.maximum(LOWER_HZ, line - LINE_HZ / 2)
    return np.asarray(np.maximum(top - bottom, 0.0) / LINE_HZ)


def ear_weight() -> Array:
    """Power gain of the outer and middle ear for every spectral line, `(line,)`; 0 at 0 Hz."""
    khz = LINE_HZ * np.arange(1, N_LINES) / 1000
    gain_db = -2.184 * khz**-0.8 + 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) - 0.001 * khz**3.6
    return np.concatenate([[0.0], 10 ** (gain_db / 10)])


def internal_noise() -> Array:
    """Energy of the noise in the ear itself, `(band,)`, relative to 0 dB SPL."""
    return np.asarray(10 ** (0.1456 * (CENTRE_HZ / 1000) ** -0.8))


def decay(seconds_at_100_hz: float) -> Array:
    """Share of a running mean that is left one frame later, `(band,)`, 0 to 1.

    The time constant falls with frequency from `seconds_at_100_hz` at 100 Hz towards 8 ms.
    """
    seconds = 0.008 + 100 / CENTRE_HZ * (seconds_at_100_hz - 0.008)
    return np.asarray(np.exp(-HOP / (SAMPLE_RATE * seconds)))
