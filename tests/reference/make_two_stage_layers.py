"""Writes two_stage_layers.json: layers of the two-stage U-Net computed without torch, by plain sums in numpy.

Weights and inputs come from `wave`, a formula the test repeats, so only the results are stored.

    python tests/reference/make_two_stage_layers.py     (numpy 2.4.6)
"""

import json
from pathlib import Path

import numpy as np


def wave(*shape: int, pace: float) -> np.ndarray:
    """Deterministic numbers of a shape, ±0.5."""
    return 0.5 * np.sin(pace * (1 + np.arange(np.prod(shape)))).reshape(shape)


def elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(x))


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int, before: int, after: int) -> np.ndarray:
    """Correlation of `(channel, frame, freq)` after edge-including mirroring of both axes."""
    padded = np.pad(x, ((0, 0), (before, after), (before, after)), mode="symmetric")
    size = weight.shape[-1]
    frames, freqs = ((n - size) // stride + 1 for n in padded.shape[1:])
    out = np.zeros((len(weight), frames, freqs))
    for o in range(len(weight)):
        for t in range(frames):
            for f in range(freqs):
                patch = padded[:, t * stride : t * stride + size, f * stride : f * stride + size]
                out[o, t, f] = (patch * weight[o]).sum() + bias[o]
    return out


def transposed(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Transposed convolution 4x4, stride 2, unpadded, then one row and column cut from every side."""
    _, frames, freqs = x.shape
    out = np.zeros((weight.shape[1], 2 * frames + 2, 2 * freqs + 2))
    for i in range(len(x)):
        for t in range(frames):
            for f in range(freqs):
                out[:, 2 * t : 2 * t + 4, 2 * f : 2 * f + 4] += x[i, t, f] * weight[i]
    return out[:, 1:-1, 1:-1] + bias[:, None, None]


def i_block(x: np.ndarray, n_out: int, pace: float) -> np.ndarray:
    seen = x
    for i in range(3):
        weight = wave(n_out, len(seen), 3, 3, pace=pace + 0.1 * i)
        newest = elu(convolve(seen, weight, wave(n_out, pace=pace + 0.05), 1, 1, 1))
        seen = np.concatenate([newest, seen])
    shortcut = convolve(x, wave(n_out, len(x), 1, 1, pace=pace + 0.3), wave(n_out, pace=pace + 0.05), 1, 0, 0)
    return newest + shortcut


def decoder_block(x: np.ndarray, skip: np.ndarray, n_out: int, pace: float) -> np.ndarray:
    up = elu(transposed(x, wave(len(x), n_out, 4, 4, pace=pace), wave(n_out, pace=pace + 0.05)))
    short = elu(convolve(x, wave(n_out, len(x), 1, 1, pace=pace + 0.2), wave(n_out, pace=pace + 0.05), 1, 0, 0))
    up = (up + short.repeat(2, axis=1).repeat(2, axis=2))[:, : skip.shape[1], : skip.shape[2]]
    return i_block(np.concatenate([up, skip]), n_out, pace + 0.5)


def main() -> None:
    x = wave(2, 7, 9, pace=0.7)
    results = {
        "conv7": convolve(x, wave(3, 2, 7, 7, pace=0.31), wave(3, pace=0.4), 1, 3, 3),
        "conv4_stride2": convolve(x, wave(3, 2, 4, 4, pace=0.37), wave(3, pace=0.4), 2, 2, 1),
        "i_block": i_block(x, 3, 0.43),
        "decoder_block": decoder_block(wave(4, 4, 5, pace=0.9), wave(3, 7, 9, pace=0.8), 3, 0.53),
    }
    stored = {name: {"shape": list(v.shape), "values": v.round(9).ravel().tolist()} for name, v in results.items()}
    (Path(__file__).parent / "two_stage_layers.json").write_text(json.dumps(stored))


if __name__ == "__main__":
    main()
