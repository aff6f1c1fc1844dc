"""Writes seanet.json: a narrow STFT-SEANet generator and its discriminator, computed without torch, in numpy.

Weights and planes come from `wave`, a formula the test repeats. Only results are stored, eight frequencies apart.

    python tests/reference/make_seanet.py     (numpy 2.4.6)
"""

import json
from pathlib import Path

import numpy as np

WIDTHS = (2, 2, 3, 3, 2, 2, 4)
CODE = 2
STRIDES = ((1, 2), (1, 2), (2, 2), (1, 2), (2, 2), (2, 2))
N_FRAMES, N_FREQS = 8, 64


def wave(*shape: int, name: str) -> np.ndarray:
    """Deterministic numbers of a shape, ±0.5, different for every name."""
    pace = 0.37 + 0.001 * sum(map(ord, name))
    return 0.5 * np.sin(pace * (1 + np.arange(np.prod(shape)))).reshape(shape)


def elu(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, x, np.expm1(x))


def leaky(x: np.ndarray, slope: float) -> np.ndarray:
    return np.where(x > 0, x, slope * x)


def normed(x: np.ndarray) -> np.ndarray:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5)


def convolved(x: np.ndarray, n_out: int, kernel: tuple[int, int], name: str, stride=(1, 1), padding=1) -> np.ndarray:
    """Zero-padded correlation of `(channel, frame, freq)`."""
    weight = wave(n_out, len(x), *kernel, name=f"{name}.weight")
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    sizes = [(n - k) // s + 1 for n, k, s in zip(padded.shape[1:], kernel, stride, strict=True)]
    out = np.zeros((n_out, *sizes))
    for o, t, f in np.ndindex(out.shape):
        t0, f0 = t * stride[0], f * stride[1]
        out[o, t, f] = (weight[o] * padded[:, t0 : t0 + kernel[0], f0 : f0 + kernel[1]]).sum()
    return out + wave(n_out, name=f"{name}.bias")[:, None, None]


def spread(x: np.ndarray, n_out: int, stride: tuple[int, int], name: str) -> np.ndarray:
    """Transposed convolution, kernel two longer than the stride, one row and column cut from every side."""
    kernel = stride[0] + 2, stride[1] + 2
    weight = wave(len(x), n_out, *kernel, name=f"{name}.weight")
    out = np.zeros((n_out, (x.shape[1] - 1) * stride[0] + kernel[0], (x.shape[2] - 1) * stride[1] + kernel[1]))
    for c, t, f in np.ndindex(x.shape):
        t0, f0 = t * stride[0], f * stride[1]
        out[:, t0 : t0 + kernel[0], f0 : f0 + kernel[1]] += x[c, t, f] * weight[c]
    return out[:, 1:-1, 1:-1] + wave(n_out, name=f"{name}.bias")[:, None, None]


def generator(x: np.ndarray) -> np.ndarray:
    x = elu(convolved(x, WIDTHS[0], (7, 7), "first", padding=3))
    skips = []
    for level, stride in enumerate(STRIDES):
        skips.append(x)
        x = elu(convolved(x, len(x), (3, 3), f"encoder.{level}.0"))
        kernel = stride[0] + 2, stride[1] + 2
        x = elu(convolved(x, WIDTHS[level + 1], kernel, f"encoder.{level}.2", stride))
    x = elu(convolved(x, CODE, (3, 3), "bottom.0"))
    x = elu(convolved(x, WIDTHS[-1], (3, 3), "bottom.2"))
    for level, (skip, stride) in enumerate(zip(reversed(skips), reversed(STRIDES), strict=True)):
        up = elu(spread(x, len(skip), stride, f"decoder.{level}.layers.0"))
        up = elu(convolved(up, len(skip), (3, 3), f"decoder.{level}.layers.2"))
        if len(x) != len(skip):
            x = convolved(x, len(skip), (1, 1), f"decoder.{level}.projection", padding=0)
        x = elu(up + x.repeat(stride[0], axis=1).repeat(stride[1], axis=2) + skip)
    return convolved(x, 2, (7, 7), "last", padding=3)


def discriminator(x: np.ndarray) -> np.ndarray:
    x = leaky(convolved(x, WIDTHS[0], (7, 7), "0", padding=3), 0.3)
    for level, stride in enumerate(STRIDES):
        x = leaky(normed(convolved(x, len(x), (3, 3), str(6 * level + 2))), 0.01)
        kernel = stride[0] + 2, stride[1] + 2
        x = leaky(normed(convolved(x, WIDTHS[level + 1], kernel, str(6 * level + 5), stride)), 0.3)
    return convolved(x, CODE, (3, 3), str(6 * len(STRIDES) + 2))


if __name__ == "__main__":
    planes = wave(2, N_FRAMES, N_FREQS, name="planes")
    scores = discriminator(np.concatenate([planes, -planes], axis=1))  # 16 frames, so that layers at the bottom differ
    values = {"generator": generator(planes)[..., ::8].tolist(), "discriminator": scores.tolist()}
    Path(__file__).with_name("seanet.json").write_text(json.dumps(values) + "\n")
