"""Waveforms at half and at twice the sample rate, differentiable, without delay."""

from functools import lru_cache
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

_REACH: Final = 16  # samples of the low rate on each side of the filter
_BETA: Final = 8.0  # of its Kaiser window: 80 dB

MARGIN: Final = 2 * _REACH
"""Samples of the high rate on each side that a sample depends on."""


def halved(waveform: Tensor) -> Tensor:
    """Every second sample of the low-passed waveform, the first one included.

    Args:
        waveform: `(..., time)`, silent outside.

    Returns:
        `(..., ceil(time / 2))`.
    """
    flat = waveform.reshape(-1, 1, waveform.shape[-1])
    low = F.conv1d(flat, _taps(waveform.device, waveform.dtype), stride=2, padding=2 * _REACH)
    return low.reshape(*waveform.shape[:-1], -1)


def doubled(waveform: Tensor, n_samples: int) -> Tensor:
    """The waveform at twice the rate; the first sample stays where it is.

    Args:
        waveform: `(..., time)`, silent outside.
        n_samples: of the result, one or two for the last sample of the waveform.

    Returns:
        `(..., n_samples)`.
    """
    flat = waveform.reshape(-1, 1, waveform.shape[-1])
    high = F.conv_transpose1d(flat, 2 * _taps(waveform.device, waveform.dtype), stride=2, padding=2 * _REACH)
    return F.pad(high, (0, n_samples - high.shape[-1])).reshape(*waveform.shape[:-1], n_samples)


@lru_cache(maxsize=8)
def _taps(device: torch.device, dtype: torch.dtype) -> Tensor:
    """A windowed sinc of half amplitude at a quarter of the rate, sum one, `(1, 1, tap)`."""
    with torch.inference_mode(mode=False):  # kept for training too, whoever asks first
        return _sinc().to(device, dtype)


def _sinc() -> Tensor:
    """The same on the CPU, in double precision."""
    place = torch.arange(-2 * _REACH, 2 * _REACH + 1, dtype=torch.float64)
    taps = torch.sinc(place / 2) * torch.kaiser_window(len(place), periodic=False, beta=_BETA, dtype=torch.float64)
    return (taps / taps.sum())[None, None]
