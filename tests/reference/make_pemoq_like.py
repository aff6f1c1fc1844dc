"""Writes pemoq_like.json: similarity of a few pairs by plain loops, sample by sample at the full rate.

The equations of the papers once more, sharing no line with the package: gammatones by their impulse responses, no
decimated envelopes, no blocks, one loop after the other, correlations by numpy's `corrcoef`. It is no PEMO-Q either.

    python tests/reference/make_pemoq_like.py     (numpy 2.4.6, about two minutes)
"""

import json
from cmath import exp as cexp
from math import exp, log, pi, sqrt
from pathlib import Path

import numpy as np

RATE = 44_100
N_SAMPLES = 35_280  # 0.8 s
FRAME = 441


def plucked(seed: int) -> np.ndarray:
    """Three tones with partials that set in one after the other and fade, `(1, time)`, peaks near 0.3."""
    rng = np.random.default_rng(seed)
    time = np.arange(N_SAMPLES) / RATE
    out = np.zeros(N_SAMPLES)
    for onset in (0.02, 0.3, 0.55):
        base, since = rng.uniform(200, 700), np.maximum(time - onset, 0)
        for partial in range(1, 9):
            fading = np.exp(-since * (3 + partial)) * np.minimum(since / 0.003, 1)
            out += fading / partial * np.sin(2 * np.pi * base * partial * since)
    return 0.15 * out[None]


def with_noise(reference: np.ndarray, ratio_db: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(-1, 1, reference.shape)
    return reference + noise * sqrt((reference**2).sum() / (noise**2).sum() / 10 ** (ratio_db / 10))


def pairs() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Reference and estimate, `(1, time)`, by name."""
    first, second = plucked(1), plucked(2)
    return {
        "noise, 35 dB": (first, with_noise(first, 35, 3)),
        "noise, 15 dB": (second, with_noise(second, 15, 4)),
        "clipped": (first, 0.5 * np.clip(first, -0.1, 0.1)),
        "another tune": (first, second),
    }


def centres() -> list[float]:
    low, high = (9.265 * log(1 + f / (24.7 * 9.265)) for f in (235, 14_500))
    return [(exp((low + k) / 9.265) - 1) * 24.7 * 9.265 for k in range(int(high - low) + 1)]


def motion(waveform: np.ndarray, centre: float) -> list[float]:
    """Real part of four equal one-pole filters, whose impulse response is (n + 1)(n + 2)(n + 3) / 6 times a power."""
    damping = 2 * pi * (24.7 + centre / 9.265) / (pi * 720 * 2**-6 / 36) / RATE
    n = np.arange(len(waveform))
    response = (n + 1) * (n + 2) * (n + 3) / 6 * np.exp(-damping * n) * np.cos(2 * pi * centre / RATE * n)
    response *= 2 * (1 - exp(-damping)) ** 4
    padded = 2 * len(waveform)
    return np.fft.irfft(np.fft.rfft(waveform, padded) * np.fft.rfft(response, padded))[: len(waveform)].tolist()


def adapted(moving: list[float]) -> list[float]:
    keep = exp(-2 * pi * 1000 / RATE)
    smooth, cell = [], 0.0
    for value in moving:
        cell = keep * cell + (1 - keep) * max(value, 0.0)
        smooth.append(max(cell, 1e-5))
    rest = 1e-5
    for seconds in (0.005, 0.05, 0.129, 0.253, 0.5):
        head = 10 * (1 - rest) - 1  # `rest` still is what comes in, the square of what goes out
        rest = sqrt(rest)
        keep, charge, out = exp(-1 / (seconds * RATE)), rest, []
        for value in smooth:
            divided = value / charge
            if divided > 1:
                divided = 2 * head / (1 + exp(-2 * (divided - 1) / head)) - (head - 1)
            charge = keep * charge + (1 - keep) * divided
            out.append(divided)
        smooth = out
    return [(value - rest) / (1 - rest) * 100 for value in smooth]


def modulations(values: list[float]) -> np.ndarray:
    """`(8, time)`."""
    rows = []
    for centre in (0.0, 5.0, 10.0, *(10 * (5 / 3) ** k for k in range(1, 6))):
        pole = cexp((2j * centre - max(5.0, centre / 2)) * pi / RATE)
        gain, state, row = (1 - abs(pole)) * (2 if centre else 1), 0j, []
        for value in values:
            state = pole * state + gain * value
            row.append(abs(state) if centre > 10 else state.real)
        rows.append(row)
    return np.array(rows)


def representation(waveform: np.ndarray) -> np.ndarray:
    """`(modulation, band, time)`."""
    return np.stack([modulations(adapted(motion(waveform, centre))) for centre in centres()], axis=1)


def psm(x: np.ndarray, y: np.ndarray) -> float:
    alike = [float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in zip(x, y, strict=True)]
    energies = (y**2).sum(axis=(1, 2))
    return float(alike @ energies / energies.sum())


def similarity(reference: np.ndarray, estimate: np.ndarray) -> dict[str, float]:
    x = representation(reference)
    y = representation(estimate * sqrt((reference**2).mean() / (estimate**2).mean()))
    y = np.where(abs(y) < abs(x), (x + y) / 2, y)
    parts = [slice(t, t + FRAME) for t in range(0, x.shape[2], FRAME)]
    frames = sorted((psm(x[..., part], y[..., part]), float(abs(y[..., part]).mean())) for part in parts)
    heard, limit = 0.0, 0.05 * sum(activity for _, activity in frames)
    for value, activity in frames:
        heard += activity
        if heard >= limit:
            return {"psm": psm(x, y), "psmt": value}
    raise AssertionError


if __name__ == "__main__":
    found = {name: similarity(reference[0], estimate[0]) for name, (reference, estimate) in pairs().items()}
    Path(__file__).with_name("pemoq_like.json").write_text(json.dumps(found, indent=1) + "\n")
