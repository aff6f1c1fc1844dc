"""Output of 33 places in the inner ear: band-pass filters, and the envelopes that hair cells make of their outputs.

Filters and hair cells run at 44.1 kHz. Their envelopes leave as means of nine samples, at 4.9 kHz. All that follows is
slow (the fastest adaptation 5 ms, the highest modulation filter 129 Hz), so that only what the mean folds down to
modulations matters: parts within 161 Hz of a multiple of 4.9 kHz. The mean has zeros at those multiples and leaves less
than 4 % there, after the hair cell's own low-pass has left a fifth. Unlike a steeper filter it neither rings nor lets
an envelope become negative.

References:
    Glasberg, Moore: Derivation of auditory filter shapes from notched-noise data, Hearing Research 1990 (bandwidths).
    Hohmann: Frequency analysis and synthesis using a Gammatone filterbank, Acta Acustica 2002.
    Dau, Püschel, Kohlrausch: A quantitative model of the effective signal processing in the auditory system I,
    JASA 1996 (hair cell).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from concertclean.dsp.arrays import Array

ComplexArray = NDArray[np.complex128]

SAMPLE_RATE = 44_100
DECIMATION = 9
ENVELOPE_RATE = SAMPLE_RATE // DECIMATION  # 4.9 kHz
FRAME = ENVELOPE_RATE // 100  # envelope samples, 10 ms
ORDER = 4

_LOWEST_HZ, _HIGHEST_HZ = 235.0, 14_500.0
_NARROWEST_HZ, _QUALITY = 24.7, 9.265
_HAIR_CELL_HZ = 1000.0


def bandwidth_hz(centre_hz: Array) -> Array:
    """Equivalent rectangular bandwidth (ERB) of the ear at a frequency, Hz."""
    return _NARROWEST_HZ + centre_hz / _QUALITY


def centre_frequencies() -> Array:
    """`(band,)` in Hz, one equivalent rectangular bandwidth apart."""
    corner_hz = _NARROWEST_HZ * _QUALITY
    lowest, highest = _QUALITY * np.log1p(np.array([_LOWEST_HZ, _HIGHEST_HZ]) / corner_hz)
    return np.asarray(corner_hz * np.expm1(np.arange(lowest, highest) / _QUALITY))


def gammatone_poles(centre_hz: Array) -> ComplexArray:
    """Pole of each band's filter, `(band,)`."""
    # The envelope t³ exp(-2πbt) of order 4 has an equivalent rectangular bandwidth of π 6! 2⁻⁶ / 3!² times b
    damping_hz = bandwidth_hz(centre_hz) / (np.pi * 720 / 64 / 36)
    return np.asarray(np.exp(2 * np.pi * (1j * centre_hz - damping_hz) / SAMPLE_RATE))


def gammatone(waveforms: Array, pole: complex, state: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """Output of one band, whose real part is the motion, and the state for the next block.

    Args:
        waveforms: `(signal, time)` at 44.1 kHz.
        pole: of the band.
        state: `(order, signal, 1)`; zeros at rest.

    Returns:
        `(signal, time)`, with a gain of 0 dB for a tone at the centre, and the state.
    """
    following = np.empty_like(state)
    output: ComplexArray = 2 * waveforms.astype(
        np.complex128
    )  # a real tone contributes half its amplitude at the centre
    for stage in range(ORDER):
        output, following[stage] = lfilter([1 - abs(pole)], [1, -pole], output, axis=1, zi=state[stage])
    return output, following


def hair_cell(motion: Array, state: Array) -> tuple[Array, Array]:
    """Envelope of one band, and the state for the next block.

    Args:
        motion: `(signal, time)` at 44.1 kHz, `time` a multiple of 9.
        state: `(signal, 1)`; zeros at rest.

    Returns:
        `(signal, time / 9)`, not negative: half-wave rectified, low-passed at 1 kHz, at 4.9 kHz; and the state.
    """
    memory = np.exp(-2 * np.pi * _HAIR_CELL_HZ / SAMPLE_RATE)
    smooth, following = lfilter([1 - memory], [1, -memory], np.maximum(motion, 0), axis=1, zi=state)
    return smooth.reshape(len(motion), -1, DECIMATION).mean(axis=2), following


class Cochlea:
    """All bands, block after block.

    Args:
        n_signals: waveforms processed at once.
    """

    def __init__(self, n_signals: int) -> None:
        self._poles = gammatone_poles(centre_frequencies())
        self._motion = np.zeros((len(self._poles), ORDER, n_signals, 1), dtype=np.complex128)
        self._cells = np.zeros((len(self._poles), n_signals, 1))

    def envelopes(self, waveforms: Array) -> Array:
        """`(signal, time)` at 44.1 kHz, `time` a multiple of 9, to `(time, signal, band)` at 4.9 kHz."""
        n_signals, n_samples = waveforms.shape
        result = np.empty((n_samples // DECIMATION, n_signals, len(self._poles)))
        for band, pole in enumerate(self._poles):
            output, self._motion[band] = gammatone(waveforms, pole, self._motion[band])
            envelope, self._cells[band] = hair_cell(output.real, self._cells[band])
            result[:, :, band] = envelope.T
        return result
