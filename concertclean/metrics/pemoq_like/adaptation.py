"""Adaptation of the auditory nerve: changes pass, steady levels are compressed almost to their logarithm.

Five loops in series; each divides its input by its own low-passed output. For a constant input, a loop settles at the
square root of its input, and five at the 32nd root; an onset passes before the low-pass has followed, up to a limit.
The result is scaled to model units (MU): 0 at the threshold of hearing, 100 for an input of 1.

References:
    Püschel: Prinzipien der zeitlichen Analyse beim Hören, Göttingen 1988 (loops).
    Dau, Püschel, Kohlrausch: A quantitative model of the effective signal processing in the auditory system I,
    JASA 1996 (time constants, model units).
    Münkner: Modellentwicklung und Messungen zur Wahrnehmung nichtstationärer Signale, Göttingen 1993, and Dau,
    Kollmeier, Kohlrausch: Modeling auditory processing of amplitude modulation I, JASA 1997 (limit of onsets).
"""

import numpy as np

from concertclean.dsp.arrays import Array
from concertclean.metrics.pemoq_like.cochlea import ENVELOPE_RATE

THRESHOLD = 1e-5  # 0 dB SPL where an amplitude of 1 stands for 100 dB SPL
DELAY = 4  # envelope samples that `Adaptation` is late, 0.8 ms

_TIME_CONSTANTS_SECONDS = np.array([0.005, 0.050, 0.129, 0.253, 0.500])
_N_LOOPS = len(_TIME_CONSTANTS_SECONDS)
_ONSET_RATIO = 10.0

# Output of each loop in silence
_AT_REST = THRESHOLD ** (0.5 ** np.arange(1, _N_LOOPS + 1))
# Headroom of an onset over 1, where the steady output for an input of 1 lies
_HEADROOM = _ONSET_RATIO * (1 - _AT_REST**2) - 1


class Adaptation:
    """The five loops of every band, block after block.

    All loops go one step at once: each takes what the loop before it gave a step ago. That costs a fifth of the time
    and makes the last loop four samples late, for reference and estimate alike.

    Args:
        shape: of one moment of the envelopes, `(signal, band)`.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        per_loop = (slice(None), *(None,) * len(shape))
        self._pace = 1 - np.exp(-1 / (_TIME_CONSTANTS_SECONDS * ENVELOPE_RATE))[per_loop]
        self._headroom = _HEADROOM[per_loop]
        # Input of each loop, followed by the output of the last one
        self._chain = np.empty((_N_LOOPS + 1, *shape))
        self._chain[:] = np.concatenate([[THRESHOLD], _AT_REST])[per_loop]
        self._charge = self._chain[1:].copy()  # low-passed outputs

    def adapted(self, envelopes: Array) -> Array:
        """`(time, signal, band)` to the same in MU; values below the threshold of hearing count as the threshold."""
        result = np.empty_like(envelopes)
        outputs = self._chain[1:]
        for moment, envelope in enumerate(np.maximum(envelopes, THRESHOLD)):
            self._chain[0] = envelope
            np.divide(self._chain[:-1], self._charge, out=outputs)
            # Münkner's 2h / (1 + exp(-2(y - 1) / h)) - (h - 1), for y > 1, is 1 + h tanh((y - 1) / h)
            excess = np.maximum(outputs - 1, 0)
            outputs += self._headroom * np.tanh(excess / self._headroom) - excess
            self._charge += self._pace * (outputs - self._charge)
            result[moment] = outputs[-1]
        return np.asarray((result - _AT_REST[-1]) * (100 / (1 - _AT_REST[-1])))
