"""Writes open_unmix.json: one network of Open-Unmix computed without torch, by plain sums in numpy.

Weights, statistics and inputs come from `wave`, a formula the test repeats, so only the results are stored. The gates
of an LSTM are in the order input, forget, cell, output, with two biases each, as the public weights have them.

    python tests/reference/make_open_unmix.py     (numpy 2.4.6)
"""

import json
from pathlib import Path

import numpy as np

CHANNELS, SEEN, FREQS, HIDDEN, LAYERS = 2, 6, 9, 4, 2


def wave(*shape: int, pace: float) -> np.ndarray:
    """Deterministic numbers of a shape, ±0.5."""
    return 0.5 * np.sin(pace * (1 + np.arange(np.prod(shape)))).reshape(shape)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def normalised(x: np.ndarray, pace: float) -> np.ndarray:
    """Batch normalisation of `(frame, number)` with known statistics."""
    n = x.shape[1]
    mean, variance = wave(n, pace=pace + 0.1), 1 + wave(n, pace=pace + 0.15)
    return (x - mean) / np.sqrt(variance + 1e-5) * (1 + wave(n, pace=pace)) + wave(n, pace=pace + 0.05)


def one_direction(x: np.ndarray, pace: float) -> np.ndarray:
    """An LSTM over `(frame, number)`."""
    units = HIDDEN // 2
    into, back = wave(4 * units, x.shape[1], pace=pace), wave(4 * units, units, pace=pace + 0.01)
    bias = wave(4 * units, pace=pace + 0.02) + wave(4 * units, pace=pace + 0.03)
    state, cell, found = np.zeros(units), np.zeros(units), []
    for frame in x:
        gates = (into @ frame + back @ state + bias).reshape(4, units)
        cell = sigmoid(gates[1]) * cell + sigmoid(gates[0]) * np.tanh(gates[2])
        state = sigmoid(gates[3]) * np.tanh(cell)
        found.append(state)
    return np.stack(found)


def target(magnitude: np.ndarray) -> np.ndarray:
    """Magnitudes `(channel, freq, frame)` of one stem."""
    frames = magnitude.transpose(2, 0, 1)
    seen = (frames[:, :, :SEEN] + wave(SEEN, pace=0.21)) * (1 + wave(SEEN, pace=0.22))
    hidden = seen.reshape(len(seen), -1) @ wave(HIDDEN, CHANNELS * SEEN, pace=0.23).T
    hidden = np.tanh(normalised(hidden, 0.24))
    over_time = hidden
    for layer in range(LAYERS):
        forward = one_direction(over_time, 0.31 + 0.1 * layer)
        backward = one_direction(over_time[::-1], 0.36 + 0.1 * layer)[::-1]
        over_time = np.concatenate([forward, backward], axis=1)
    both = np.concatenate([hidden, over_time], axis=1)
    joined = np.maximum(normalised(both @ wave(HIDDEN, 2 * HIDDEN, pace=0.61).T, 0.62), 0)
    wide = normalised(joined @ wave(CHANNELS * FREQS, HIDDEN, pace=0.71).T, 0.72).reshape(-1, CHANNELS, FREQS)
    mask = np.maximum(wide * (1 + wave(FREQS, pace=0.81)) + wave(FREQS, pace=0.82), 0)
    return (mask * frames).transpose(1, 2, 0)


def main() -> None:
    found = target(1 + wave(CHANNELS, FREQS, 5, pace=0.77))
    stored = {"target": {"shape": list(found.shape), "values": found.round(9).ravel().tolist()}}
    (Path(__file__).parent / "open_unmix.json").write_text(json.dumps(stored))


if __name__ == "__main__":
    main()
