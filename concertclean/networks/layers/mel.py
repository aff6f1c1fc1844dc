"""Bands of equal width to the ear, for classifiers."""

from typing import Any

import torch
from torch import Tensor


def mel_filters(n_fft: int, sample_rate: int, n_mels: int, lowest_hz: float, highest_hz: float) -> Tensor:
    """Triangular filters, evenly spaced in mel, `1125 · ln(1 + f / 700)`.

    A band narrower than the distance of two bins takes the bin nearest to its centre.

    Returns:
        `(freq, mel)` float32 weights, 0 to 1.

    References:
        Sehgal and Kehtarnavaz 2018, section on features.
    """
    # On the CPU even where networks are built without memory: their numbers are looked at here.
    exact: dict[str, Any] = {"dtype": torch.float64, "device": "cpu"}
    ends = 1125 * torch.log1p(torch.tensor([lowest_hz, highest_hz], **exact) / 700)
    edges = 700 * torch.expm1(torch.linspace(float(ends[0]), float(ends[1]), n_mels + 2, **exact) / 1125)
    hz = torch.arange(n_fft // 2 + 1, **exact)[:, None] * sample_rate / n_fft
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    filters = torch.minimum((hz - left) / (centre - left), (right - hz) / (right - centre)).clamp(min=0)
    nearest = (hz - centre).abs().argmin(0)
    empty = filters.sum(0) == 0
    filters[nearest[empty], torch.arange(n_mels, device="cpu")[empty]] = 1
    return filters.float()
