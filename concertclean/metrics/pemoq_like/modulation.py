"""The modulation filter bank: how fast a band's adapted envelope fluctuates.

A low-pass and seven resonators of one complex pole each. Up to 10 Hz they keep the phase of a modulation; above, where
it is inaudible, only their envelope counts.

References:
    Dau, Kollmeier, Kohlrausch: Modeling auditory processing of amplitude modulation I, JASA 1997.
    Huber, Kollmeier: PEMO-Q, IEEE TASLP 2006 (eight filters, up to 129 Hz).
"""

import numpy as np
from scipy.signal import lfilter

from concertclean.dsp.arrays import Array
from concertclean.metrics.pemoq_like.cochlea import ENVELOPE_RATE

CENTRES_HZ = np.concatenate([[0.0, 5.0], 10 * (5 / 3) ** np.arange(6)])
WIDTHS_HZ = np.maximum(5.0, CENTRES_HZ / 2)  # of half power: Q is 2 from 10 Hz up
_PHASE_UP_TO_HZ = 10.0

_POLES = np.exp((2j * CENTRES_HZ - WIDTHS_HZ) * np.pi / ENVELOPE_RATE)


class ModulationBank:
    """The eight filters of every band, block after block.

    Args:
        shape: of one moment of the envelopes, `(signal, band)`.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._low_pass = np.zeros((*shape, 1))
        self._resonators = np.zeros((len(_POLES) - 1, *shape, 1), dtype=np.complex128)

    def filtered(self, adapted: Array) -> Array:
        """`(time, signal, band)` to `(modulation, signal, band, time)`, same unit.

        A constant passes the first filter with 0 dB. So does a complex modulation at the centre of another; the mirror
        image of a real one adds up to 0.7 dB, in the filter at 5 Hz.
        """
        time_last = np.ascontiguousarray(np.moveaxis(adapted, 0, -1))
        result = np.empty((len(_POLES), *time_last.shape))
        pole = _POLES[0].real
        result[0], self._low_pass = lfilter([1 - pole], [1, -pole], time_last, zi=self._low_pass)
        for k in range(1, len(_POLES)):
            gain = 2 * (1 - abs(_POLES[k]))  # a real modulation contributes half its amplitude at the centre
            output, self._resonators[k - 1] = lfilter([gain], [1, -_POLES[k]], time_last, zi=self._resonators[k - 1])
            keeps_phase = CENTRES_HZ[k] <= _PHASE_UP_TO_HZ
            result[k] = output.real if keeps_phase else np.sqrt(output.real**2 + output.imag**2)
        return result
