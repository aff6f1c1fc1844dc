"""Layers at the bottom of a U-Net that see the whole spectrum and a longer time.

Three levels of 3x3 convolutions see an eighth of the bands and about a second. A clap fills all bands at once, and
a singer's harmonics are far apart: only the whole of a frame distinguishes them. Here an LSTM runs over the bands of
every frame, up and down, then a convolution over neighbouring frames of each channel. Both are added to the input and
start near zero, so a trained network with such layers added starts from the same output.

References:
    Luo, Yu, Music source separation with band-split RNN, IEEE/ACM TASLP 31, 2023, for the recurrence over bands; a
    convolution replaces its recurrence over time, which keeps the result independent of how a recording is cut.
"""

from typing import Final

import torch
from torch import Tensor, nn

_START: Final = 1e-4  # initial contribution of a layer: inaudible, but enough for a gradient


class BandRecurrence(nn.Module):
    """One layer: a bidirectional LSTM over bands, then a convolution over frames, each added to its input.

    Attributes:
        margin: frames on each side that a frame depends on.

    Args:
        channels: of the input.
        hidden: units of the LSTM in each direction.
        n_frames: length of the convolution, odd.
    """

    def __init__(self, channels: int, hidden: int, n_frames: int = 9) -> None:
        super().__init__()
        if n_frames % 2 == 0:
            raise ValueError(f"n_frames={n_frames}, must be odd")
        self.margin = n_frames // 2
        self.band_norm = nn.LayerNorm(channels)
        self.lstm = nn.LSTM(channels, hidden, batch_first=True, bidirectional=True)
        self.band_out = nn.Linear(2 * hidden, channels)
        self.frame_norm = nn.LayerNorm(channels)
        self.frames = nn.Conv1d(channels, channels, n_frames, padding=self.margin, groups=channels)
        self.frame_out = nn.Linear(channels, channels)
        for layer in (self.band_out, self.frame_out):
            nn.init.normal_(layer.weight, std=_START)
            nn.init.zeros_(layer.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Maps `(batch, channel, band, frame)` to the same shape."""
        batch, channels, n_bands, n_frames = inputs.shape
        rows = inputs.permute(0, 3, 2, 1)  # (batch, frame, band, channel)
        across, _ = self.lstm(self.band_norm(rows).reshape(batch * n_frames, n_bands, channels))
        rows = rows + self.band_out(across).reshape(rows.shape)
        along = self.frame_norm(rows).permute(0, 2, 3, 1).reshape(batch * n_bands, channels, n_frames)
        moved = torch.nn.functional.silu(self.frames(along)).reshape(batch, n_bands, channels, n_frames)
        rows = rows + self.frame_out(moved.permute(0, 3, 1, 2))
        result: Tensor = rows.permute(0, 3, 2, 1).contiguous(memory_format=torch.channels_last)
        return result
