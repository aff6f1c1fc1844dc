"""Writes ddae.json: the denoising autoencoder computed without torch, by plain sums in numpy.

Weights, statistics and inputs come from `wave`, a formula the test repeats, so only the results are stored.

    python tests/reference/make_ddae.py     (numpy 2.4.6)
"""

import json
from pathlib import Path

import numpy as np


def wave(*shape: int, pace: float) -> np.ndarray:
    """Deterministic numbers of a shape, ±0.5."""
    return 0.5 * np.sin(pace * (1 + np.arange(np.prod(shape)))).reshape(shape)


def block(x: np.ndarray, n_out: int, size: int, pace: float) -> np.ndarray:
    """Convolution of `(channel, freq, frame)` without padding, ReLU, batch normalisation with known statistics."""
    weight, bias = wave(n_out, len(x), size, size, pace=pace), wave(n_out, pace=pace + 0.05)
    rows, columns = (n - size + 1 for n in x.shape[1:])
    out = np.zeros((n_out, rows, columns))
    for o in range(n_out):
        for f in range(rows):
            for t in range(columns):
                out[o, f, t] = max((x[:, f : f + size, t : t + size] * weight[o]).sum() + bias[o], 0)
    mean, variance = wave(n_out, pace=pace + 0.1), 1 + wave(n_out, pace=pace + 0.15)
    gain, offset = 1 + wave(n_out, pace=pace + 0.2), wave(n_out, pace=pace + 0.25)
    unit = (out - mean[:, None, None]) / np.sqrt(variance[:, None, None] + 1e-5)
    return unit * gain[:, None, None] + offset[:, None, None]


def pooled(x: np.ndarray) -> np.ndarray:
    out = np.zeros((len(x), x.shape[1] // 2, x.shape[2] // 2))
    for f in range(out.shape[1]):
        for t in range(out.shape[2]):
            out[:, f, t] = x[:, 2 * f : 2 * f + 2, 2 * t : 2 * t + 2].max(axis=(1, 2))
    return out


def doubled(x: np.ndarray, axis: int) -> np.ndarray:
    """Twice as many along an axis: three quarters of the nearer neighbour, one of the other; ends repeat."""
    x = np.moveaxis(x, axis, -1)
    out = np.zeros((*x.shape[:-1], 2 * x.shape[-1]))
    for k in range(out.shape[-1]):
        nearer = k // 2
        other = min(max(nearer + (1 if k % 2 else -1), 0), x.shape[-1] - 1)
        out[..., k] = 0.75 * x[..., nearer] + 0.25 * x[..., other]
    return np.moveaxis(out, -1, axis)


def transposed(x: np.ndarray, pace: float) -> np.ndarray:
    weight, bias = wave(len(x), len(x), 2, 2, pace=pace), wave(len(x), pace=pace + 0.05)
    out = np.zeros((len(x), 2 * x.shape[1], 2 * x.shape[2])) + bias[:, None, None]
    for i in range(len(x)):
        for f in range(x.shape[1]):
            for t in range(x.shape[2]):
                out[:, 2 * f : 2 * f + 2, 2 * t : 2 * t + 2] += x[i, f, t] * weight[i]
    return out


def ddae(magnitude: np.ndarray, *, width: int, size: int, learned: bool) -> np.ndarray:
    hidden = pooled(block(magnitude, width, size, 0.31))
    up = transposed(hidden, 0.41) if learned else doubled(doubled(hidden, 1), 2)
    return block(up, 1, size, 0.51)


def main() -> None:
    magnitude = 1 + wave(1, 17, 13, pace=0.77)
    results = {
        "bilinear": ddae(magnitude, width=1, size=1, learned=False),
        "transposed": ddae(magnitude, width=1, size=1, learned=True),
        "wide": ddae(magnitude, width=3, size=3, learned=False),
        "wide_transposed": ddae(magnitude, width=3, size=3, learned=True),
    }
    stored = {name: {"shape": list(v.shape), "values": v.round(9).ravel().tolist()} for name, v in results.items()}
    (Path(__file__).parent / "ddae.json").write_text(json.dumps(stored))


if __name__ == "__main__":
    main()
