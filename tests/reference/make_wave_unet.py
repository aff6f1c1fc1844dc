"""Writes wave_unet.json: small Wave-U-Nets of both layouts computed without torch, by plain sums in numpy.

Weights and inputs come from `wave`, a formula the test repeats, so only the results are stored. The layers follow the
paper (section 3) and, where it is silent, the public programs: decimation, interpolation, cropping, the windowed sinc
with its mirrored ends, groups of eight channels.

    python tests/reference/make_wave_unet.py     (numpy 2.4.6)
"""

import json
import math
from pathlib import Path

import numpy as np


def wave(*shape: int, pace: float) -> np.ndarray:
    """Deterministic numbers of a shape, ±0.5."""
    return 0.5 * np.sin(pace * (1 + np.arange(np.prod(shape)))).reshape(shape)


def convolve(x: np.ndarray, n_out: int, taps: int, pace: float) -> np.ndarray:
    """Correlation of `(channel, time)` without padding; weights of one pace, biases of the next."""
    weight, bias = wave(n_out, len(x), taps, pace=pace), wave(n_out, pace=pace + 0.05)
    out = np.zeros((n_out, x.shape[1] - taps + 1))
    for o in range(n_out):
        for t in range(out.shape[1]):
            out[o, t] = (x[:, t : t + taps] * weight[o]).sum() + bias[o]
    return out


def leaky(x: np.ndarray) -> np.ndarray:
    return np.maximum(0.2 * x, x)


def cropped(x: np.ndarray, n_samples: int) -> np.ndarray:
    left = x.shape[1] - n_samples
    assert left % 2 == 0
    return x[:, left // 2 : left // 2 + n_samples]


def interpolated(x: np.ndarray, share: np.ndarray) -> np.ndarray:
    """A sample between every two, `share` of the earlier one."""
    out = np.zeros((len(x), 2 * x.shape[1] - 1))
    for t in range(x.shape[1]):
        out[:, 2 * t] = x[:, t]
        if t + 1 < x.shape[1]:
            out[:, 2 * t + 1] = share * x[:, t] + (1 - share) * x[:, t + 1]
    return out


def wave_unet(mixture: np.ndarray, *, learned: bool) -> np.ndarray:
    """Two levels of 2 and 4 channels, 6 at the bottom, kernels of 5 and 3 taps; two stems, `(stem, 1, time)`."""
    first = leaky(convolve(mixture, 2, 5, 0.31))
    second = leaky(convolve(first[:, ::2], 4, 5, 0.32))
    hidden = leaky(convolve(second[:, ::2], 6, 5, 0.33))
    for number, (skip, n_out) in enumerate(((second, 4), (first, 2))):
        share = np.full(len(hidden), 0.5)
        if learned:
            share = 1 / (1 + np.exp(-wave(len(hidden), pace=0.41 + 0.1 * number)))
        hidden = interpolated(hidden, share)
        hidden = np.concatenate([cropped(skip, hidden.shape[1]), hidden])
        hidden = leaky(convolve(hidden, n_out, 3, 0.34 + 0.01 * number))
    inner = cropped(mixture, hidden.shape[1])
    stem = np.tanh(convolve(np.concatenate([inner, hidden]), 1, 1, 0.36))
    return np.stack([stem, inner - stem])


def sinc_filter(stride: int, taps: int = 15) -> np.ndarray:
    """The public program's filter, as it is written there, the constant in the window included."""
    cutoff, last = 0.5 / stride, taps - 1
    found = np.zeros(taps)
    for i in range(taps):
        if i == last // 2:
            found[i] = 2 * math.pi * cutoff
        else:
            at = i - last // 2
            window = 0.42 - 0.5 * math.cos(2 * math.pi * i / last) + 0.08 * math.cos(4 * math.pi * last)
            found[i] = math.sin(2 * math.pi * cutoff * at) / at * window
    return found / found.sum()


def filtered(x: np.ndarray, stride: int) -> np.ndarray:
    """Low-passed with seven mirrored samples at each end."""
    padded = np.pad(x, ((0, 0), (7, 7)), mode="reflect")
    taps = sinc_filter(stride)
    return np.stack([np.convolve(row, taps, mode="valid") for row in padded])


def downsampled(x: np.ndarray, stride: int) -> np.ndarray:
    assert x.shape[1] % stride == 1
    return filtered(x, stride)[:, ::stride]


def upsampled(x: np.ndarray, stride: int) -> np.ndarray:
    """Zeros inserted between mirrored samples, low-passed, and cut to the first and last sample."""
    padded = np.pad(x, ((0, 0), (7, 7)), mode="reflect")
    spread = np.zeros((len(x), (padded.shape[1] - 1) * stride + 1))
    spread[:, ::stride] = padded
    found = np.stack([np.convolve(row, sinc_filter(stride), mode="same") for row in spread])
    return found[:, 7 * stride : 7 * stride + (x.shape[1] - 1) * stride + 1]


def normalised(x: np.ndarray, pace: float) -> np.ndarray:
    """Groups of eight channels at mean 0 and variance 1, then gains and offsets, then ReLU."""
    groups = x.reshape(-1, 8, x.shape[1])
    centred = groups - groups.mean(axis=(1, 2), keepdims=True)
    unit = centred / np.sqrt((centred**2).mean(axis=(1, 2), keepdims=True) + 1e-5)
    gain, offset = 1 + wave(len(x), pace=pace), wave(len(x), pace=pace + 0.05)
    return np.maximum(unit.reshape(x.shape) * gain[:, None] + offset[:, None], 0)


def sinc_wave_unet(mixture: np.ndarray, stride: int) -> np.ndarray:
    """Two levels of 8 and 16 channels, kernels of 5 taps; `(channel, time)`."""
    skip = normalised(convolve(mixture, 8, 5, 0.51), 0.71)
    hidden = downsampled(normalised(convolve(skip, 16, 5, 0.52), 0.72), stride)
    hidden = normalised(convolve(hidden, 16, 5, 0.53), 0.73)
    hidden = normalised(convolve(upsampled(hidden, stride), 8, 5, 0.54), 0.74)
    merged = np.concatenate([cropped(skip, hidden.shape[1]), hidden])
    return 0.1 * convolve(normalised(convolve(merged, 8, 5, 0.55), 0.75), len(mixture), 1, 0.56)


def main() -> None:
    results = {
        "linear": wave_unet(wave(1, 49, pace=0.77), learned=False),
        "learned": wave_unet(wave(1, 49, pace=0.77), learned=True),
        "sinc_4": sinc_wave_unet(wave(2, 61, pace=0.77), 4),
        "sinc_2": sinc_wave_unet(wave(2, 61, pace=0.77), 2),
    }
    stored = {name: {"shape": list(v.shape), "values": v.round(9).ravel().tolist()} for name, v in results.items()}
    (Path(__file__).parent / "wave_unet.json").write_text(json.dumps(stored))


if __name__ == "__main__":
    main()
