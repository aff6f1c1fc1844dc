"""A downmix of channels for networks, whose polarity is looked at for each moment and frequency.

A recording can be inverted in parts: the low end, one instrument, everything after a splice. What a network looks at
can be mixed part by part; what people listen to, or what is truth for training, has one sign a channel (`downmix`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from concertclean.dsp import stft
from concertclean.dsp.downmix import OPPOSITE

_N_FFT, _HOP_LENGTH = 2048, 512
# Looked at together: 33 bins hold many partials, whose phases differ between the channels of an ordinary recording, and
# in 17 frames of it unrelated noise has a correlation within ±0.3.
_SIZE = (33, 17)
_STEP = (8, 4)

GRID_SAMPLES = _STEP[1] * _HOP_LENGTH
"""Parts of a recording that start on multiples of it are mixed like the whole."""

REACH_SAMPLES = (_SIZE[1] + _STEP[1]) // 2 * _HOP_LENGTH + _N_FFT
"""Samples on each side that a sample of the result depends on."""


def downmix_locally(waveform: Tensor) -> Tensor:
    """Mean of the channels; where and when they are of opposite polarity, they are inverted.

    Args:
        waveform: `(batch, channel, time)`.

    Returns:
        `(batch, 1, time)`.
    """
    mean = waveform.mean(dim=1, keepdim=True)
    if waveform.shape[1] == 1:
        return mean
    window = stft.window("hann", _N_FFT).to(waveform)
    channels = stft.spectrogram(waveform, window, _HOP_LENGTH).unbind(1)
    total, inverted = channels[0], torch.zeros_like(channels[0])
    for channel in channels[1:]:
        is_opposite = _are_opposite(total, channel)
        total = torch.where(is_opposite, total - channel, total + channel)
        inverted = torch.where(is_opposite, inverted + channel, inverted)
    if not inverted.any():
        return mean
    change = stft.waveform(inverted, window, _HOP_LENGTH, waveform.shape[-1])
    return mean - 2 / len(channels) * change[:, None]


def _are_opposite(left: Tensor, right: Tensor) -> Tensor:
    """Whether two spectrograms `(batch, freq, frame)` are of opposite polarity around each cell."""
    energies = _around(left, left) * _around(right, right)
    found = _around(left, right) < OPPOSITE * energies.sqrt()
    for axis, step in enumerate(_STEP, start=1):
        nearest = (torch.arange(left.shape[axis], device=left.device) + step // 2) // step
        found = found.index_select(axis, nearest.clamp_max(found.shape[axis] - 1))
    return found


def _around(left: Tensor, right: Tensor) -> Tensor:
    """Mean product around every `_STEP`th cell of `(batch, freq, frame)`."""
    product = left.real * right.real + left.imag * right.imag
    padding = (_SIZE[0] // 2, _SIZE[1] // 2)
    return F.avg_pool2d(product, _SIZE, _STEP, padding, count_include_pad=False)
