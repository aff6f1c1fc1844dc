"""K-weighting of a stream of blocks: the loudness of the ear at moderate levels, a shelf and a high-pass.

Both filters run at once on rows of 32 samples. What a row adds to its own output is one matrix product; what the rows
before it left behind are four numbers a row, added up in steps of 1, 2, 4 … rows. In numpy that takes half the time of
`scipy.signal.lfilter`, whose import alone costs half a second of every run.

References:
    ITU-R BS.1770-4, annex 1: coefficients at 48 kHz. De Man, "Evaluation of implementations of the EBU R128 loudness
    measurement", 145th AES Convention, 2018: the analogue prototypes, for any sample rate.
"""

import math

import numpy as np

from concertclean.dsp.arrays import Array

_ROW = 32  # samples
_LARGEST_PRODUCT = 2**17  # multiplications
_SHELF_DB, _SHELF_Q, _SHELF_HZ = 3.99984385397, 0.7071752369554193, 1681.9744509555319
_SHELF_MIDDLE = 0.499666774155  # exponent of the gain at the shelf's own frequency
_LEAST_SHELF_RATE = 2.05 * _SHELF_HZ
_HIGH_PASS_Q, _HIGH_PASS_HZ = 0.5003270373253953, 38.13547087613982


class KWeighting:
    """Both filters, with what they remember between blocks.

    Args:
        sample_rate: Hz.
        channels: number of channels.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        # Columns: the response to each sample of a row, then to each of the four numbers left from before.
        outputs, states = _responses(biquads(sample_rate))
        self._from_row = np.concatenate([outputs, states[-1]])[:, :_ROW].T.copy()
        self._from_state = outputs[:, _ROW:].T.copy()
        self._states = states
        self._state = np.zeros((channels, 4))

    def __call__(self, block: Array) -> Array:
        """Returns the next `(channel, time)` block, weighted."""
        n_whole = block.shape[1] // _ROW * _ROW
        found = _product(block[:, :n_whole].reshape(len(block), -1, _ROW), self._from_row)
        states = np.concatenate([self._state[:, None], found[..., _ROW:]], axis=1)
        distance, transition = 1, self._states[-1][:, _ROW:].T
        while distance < states.shape[1]:
            states[:, distance:] += states[:, :-distance] @ transition  # the right side is computed before it is added
            distance, transition = 2 * distance, transition @ transition
        whole = (found[..., :_ROW] + _product(states[:, :-1], self._from_state)).reshape(len(block), n_whole)
        self._state = states[:, -1]
        return np.concatenate([whole, self._rest(block[:, n_whole:])], axis=1)

    def _rest(self, samples: Array) -> Array:
        """Output of less than a row."""
        n_samples = samples.shape[1]
        if not n_samples:
            return samples
        output: Array = samples @ self._from_row[:n_samples, :n_samples]
        output += self._state @ self._from_state[:, :n_samples]
        after = self._states[n_samples - 1]
        self._state = samples @ after[:, :n_samples].T + self._state @ after[:, _ROW:].T
        return output


def _product(rows: Array, matrix: Array) -> Array:
    """`rows @ matrix` of `(channel, row, column)`, a few rows at a time.

    OpenBLAS spreads larger products over threads, which then spin for milliseconds on every core.
    """
    found = np.empty((*rows.shape[:2], matrix.shape[1]))
    n_rows = _LARGEST_PRODUCT // matrix.size
    for start in range(0, rows.shape[1], n_rows):
        part = slice(start, start + n_rows)
        np.matmul(rows[:, part], matrix, out=found[:, part])
    return found


def biquads(sample_rate: int) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Numerator and denominator `(3,)` of the shelf and of the high-pass, the denominators starting with 1.

    Where the shelf lies above half the sample rate it is left out: as a bilinear filter it would not be stable.

    Args:
        sample_rate: Hz.
    """
    if sample_rate <= _LEAST_SHELF_RATE:
        flat = np.array([1.0, 0.0, 0.0])
        return (flat, flat), _high_pass(sample_rate)
    k = math.tan(math.pi * _SHELF_HZ / sample_rate)
    high = 10 ** (_SHELF_DB / 20)
    middle = high**_SHELF_MIDDLE * k / _SHELF_Q
    shelf = np.array([high + middle + k * k, 2 * (k * k - high), high - middle + k * k])
    first, denominator = _denominator(k, _SHELF_Q)
    return (shelf / first, denominator), _high_pass(sample_rate)


def _high_pass(sample_rate: int) -> tuple[Array, Array]:
    _, denominator = _denominator(math.tan(math.pi * _HIGH_PASS_HZ / sample_rate), _HIGH_PASS_Q)
    return np.array([1.0, -2.0, 1.0]), denominator


def _denominator(k: float, q: float) -> tuple[float, Array]:
    """First coefficient of a bilinear second-order denominator, and all three divided by it."""
    first = 1 + k / q + k * k
    return first, np.array([first, 2 * (k * k - 1), 1 - k / q + k * k]) / first


def _responses(sections: tuple[tuple[Array, Array], ...]) -> tuple[Array, Array]:
    """Outputs `(time, column)` of a row and states `(time, 4, column)` after each sample; see `KWeighting` for columns.

    The sections are in transposed direct form II, two numbers of the state each.
    """
    inputs = np.concatenate([np.eye(_ROW), np.zeros((_ROW, 4))], axis=1)
    state = np.concatenate([np.zeros((4, _ROW)), np.eye(4)], axis=1)
    outputs, states = [], []
    for samples in inputs:
        value = samples
        for (b, a), (first, second) in zip(sections, (state[:2], state[2:]), strict=True):
            given, value = value, b[0] * value + first
            first[:], second[:] = b[1] * given - a[1] * value + second, b[2] * given - a[2] * value
        outputs.append(value)
        states.append(state.copy())
    return np.stack(outputs), np.stack(states)
