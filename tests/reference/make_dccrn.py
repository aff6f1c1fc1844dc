"""Writes dccrn.json: a small DCCRN computed without torch, in complex numbers, by plain sums in numpy.

Weights and the spectrogram come from `wave`, a formula the test repeats, so only the results are stored. Normalisation
is that of a fresh network: mean 0, variance 1.

    python tests/reference/make_dccrn.py     (numpy 2.4.6)
"""

import json
from pathlib import Path

import numpy as np

WIDTHS = (4, 6)  # real and imaginary channels together
UNITS = 4
N_FREQS, N_FRAMES = 8, 6  # without 0 Hz


def wave(*shape: int, name: str) -> np.ndarray:
    """Deterministic numbers of a shape, ±0.25, different for every name."""
    pace = 0.37 + 0.001 * sum(map(ord, name))
    return 0.25 * np.sin(pace * (1 + np.arange(np.prod(shape)))).reshape(shape)


def complex_wave(*shape: int, before: str, after: str) -> np.ndarray:
    return wave(*shape, name=f"{before}real{after}") + 1j * wave(*shape, name=f"{before}imaginary{after}")


def bias(n: int, before: str) -> np.ndarray:
    """Both real layers add theirs to both products: (a - b) + i(a + b)."""
    return (1 + 1j) * complex_wave(n, before=before, after=".bias")


def convolved(x: np.ndarray, n_out: int, before: str) -> np.ndarray:
    """5 frequencies by 2 frames, every second frequency, this frame and the one before."""
    weight = complex_wave(n_out, len(x), 5, 2, before=before, after=".weight")
    padded = np.pad(x, ((0, 0), (2, 2), (1, 0)))
    out = np.zeros((n_out, x.shape[1] // 2, x.shape[2]), complex)
    for o, f, t in np.ndindex(out.shape):
        out[o, f, t] = (weight[o] * padded[:, 2 * f : 2 * f + 5, t : t + 2]).sum()
    return out + bias(n_out, before)[:, None, None]


def spread(x: np.ndarray, n_out: int, before: str) -> np.ndarray:
    """The transposed convolution, without its first frame."""
    weight = complex_wave(len(x), n_out, 5, 2, before=before, after=".weight")
    out = np.zeros((n_out, 2 * x.shape[1] + 4, x.shape[2] + 1), complex)
    for c, f, t in np.ndindex(x.shape):
        out[:, 2 * f : 2 * f + 5, t : t + 2] += x[c, f, t] * weight[c]
    return out[:, 2:-2, 1:] + bias(n_out, before)[:, None, None]


def normed(x: np.ndarray) -> np.ndarray:
    """Batch normalisation and PReLU, each part on its own."""
    x = x / np.sqrt(1 + 1e-5)
    parts = [np.where(part > 0, part, 0.25 * part) for part in (x.real, x.imag)]
    return parts[0] + 1j * parts[1]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def lstm(x: np.ndarray, units: int, before: str) -> np.ndarray:
    """A real LSTM over `(frame, feature)`; gates in the order input, forget, cell, output."""
    w_in = wave(4 * units, x.shape[1], name=f"{before}.weight_ih_l0")
    w_hidden = wave(4 * units, units, name=f"{before}.weight_hh_l0")
    both = wave(4 * units, name=f"{before}.bias_ih_l0") + wave(4 * units, name=f"{before}.bias_hh_l0")
    hidden, cell, out = np.zeros(units), np.zeros(units), []
    for frame in x:
        i, f, g, o = np.split(w_in @ frame + w_hidden @ hidden + both, 4)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        hidden = sigmoid(o) * np.tanh(cell)
        out.append(hidden)
    return np.array(out)


def recurrence(x: np.ndarray) -> np.ndarray:
    frames = x.transpose(2, 0, 1).reshape(x.shape[2], -1)
    for layer in range(2):
        names = f"recurrence.real.{layer}", f"recurrence.imaginary.{layer}"
        (rr, ri), (ir, ii) = ([lstm(part, UNITS // 2, name) for part in (frames.real, frames.imag)] for name in names)
        frames = rr - ii + 1j * (ri + ir)
    parts = []
    for name, part in (("real", frames.real), ("imaginary", frames.imag)):
        projection = wave(x.shape[0] * x.shape[1], UNITS // 2, name=f"recurrence.{name}_projection.weight")
        parts.append(part @ projection.T + wave(len(projection), name=f"recurrence.{name}_projection.bias"))
    return (parts[0] + 1j * parts[1]).reshape(x.shape[2], *x.shape[:2]).transpose(1, 2, 0)


def mask(x: np.ndarray) -> np.ndarray:
    """The mask of a spectrogram `(freq, frame)`, not yet limited."""
    planes, skips = x[None], []
    for level, width in enumerate(WIDTHS):
        planes = normed(convolved(planes, width // 2, f"encoder.{level}.0."))
        skips.append(planes)
    planes = recurrence(planes)
    for level, (skip, n_out) in enumerate(zip(reversed(skips), [WIDTHS[0] // 2, 1], strict=True)):
        planes = spread(np.concatenate([planes, skip]), n_out, f"decoder.{level}.0.")
        planes = normed(planes) if n_out > 1 else planes
    return planes[0]


if __name__ == "__main__":
    degraded = 4 * complex_wave(N_FREQS + 1, N_FRAMES, before="spectrogram ", after="")
    window_sum = N_FREQS  # half of the frame of 2 · N_FREQS samples: that of a Hann window
    found = np.pad(mask(degraded[1:] * window_sum), ((1, 0), (0, 0)))
    modulus = np.abs(found)
    limited = np.where(modulus > 0, np.tanh(modulus) * found / np.where(modulus > 0, modulus, 1), 0)
    estimates = {
        "E": degraded * limited,
        "C": degraded * found,
        "R": degraded.real * found.real + 1j * degraded.imag * found.imag,
    }
    values = {name: [estimate.real.tolist(), estimate.imag.tolist()] for name, estimate in estimates.items()}
    Path(__file__).with_name("dccrn.json").write_text(json.dumps(values) + "\n")
