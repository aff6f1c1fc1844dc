"""A downmix of channels for networks, whose polarity is looked at for each moment and frequency.

A recording can be inverted in parts: the low end, one instrument, everything after a splice. What a network looks at
can be mixed part by part; what people listen to, or what is truth for training, has one sign a channel (`downmix`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from concertclean.dsp import stft
from concertclean.dsp.array_downmix import HOP_LENGTH, N_FFT, SIZE, STEP
from concertclean.dsp.downmix import OPPOSITE


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
    window = stft.window("hann", N_FFT).to(waveform)
    channels = stft.spectrogram(waveform, window, HOP_LENGTH).unbind(1)
    total, inverted = channels[0], torch.zeros_like(channels[0])
    for channel in channels[1:]:
        is_opposite = _are_opposite(total, channel)
        total = torch.where(is_opposite, total - channel, total + channel)
        inverted = torch.where(is_opposite, inverted + channel, inverted)
    if not inverted.any():
        return mean
    change = stft.waveform(inverted, window, HOP_LENGTH, waveform.shape[-1])
    return mean - 2 / len(channels) * change[:, None]


def _are_opposite(left: Tensor, right: Tensor) -> Tensor:
    """Whether two spectrograms `(batch, freq, frame)` are of opposite polarity around each cell."""
    energies = _around(left, left) * _around(right, right)
    found = _around(left, right) < OPPOSITE * energies.sqrt()
    for axis, step in enumerate(STEP, start=1):
        nearest = (torch.arange(left.shape[axis], device=left.device) + step // 2) // step
        found = found.index_select(axis, nearest.clamp_max(found.shape[axis] - 1))
    return found


def _around(left: Tensor, right: Tensor) -> Tensor:
    """Mean product around every `STEP`th cell of `(batch, freq, frame)`."""
    product = left.real * right.real + left.imag * right.imag
    padding = (SIZE[0] // 2, SIZE[1] // 2)
    return F.avg_pool2d(product, SIZE, STEP, padding, count_include_pad=False)
