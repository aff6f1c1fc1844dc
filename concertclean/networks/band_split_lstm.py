"""Band-split LSTM: features of groups of bands, LSTMs over time and over the groups in turn, one gain per band out.

A recurrence over time follows a held note through applause, one over the groups sees that a clap fills all bands at
once and that partials belong together. Both cost the same in every frame, so it is several times faster than a U-Net
whose first levels work on every band. The published network takes complex bins and separates with a complex mask; here
(own) the bands, features and gains are those of `BandGains`, and a layer adds nothing at first, so training begins
with a network that leaves the recording as it is.

The LSTMs over time run in both directions. A recording is restored in pieces with three seconds of context on both
sides, after which the states have forgotten where they began.

References:
    Luo, Yu: Music source separation with band-split RNN, IEEE/ACM TASLP 31, 2023, section III (split, alternating
    residual LSTMs, one estimator per group).
"""

import torch
from torch import Tensor, nn

from concertclean.dsp import stft
from concertclean.networks.layers.band_gains import BandGains, gains
from concertclean.networks.layers.waveform_model import SpectralModel

_MEMORY = 128  # frames of context: 3 s
_LEAST_SPREAD = 1e-2
_START = 1e-2  # initial contribution of a layer, relative to PyTorch's own initialisation


class _Recurrence(nn.Module):
    """A bidirectional LSTM along the second to last axis, added to its input."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(features)
        self.lstm = nn.LSTM(features, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, features)
        with torch.no_grad():
            self.out.weight.mul_(_START)
            self.out.bias.zero_()

    def forward(self, rows: Tensor) -> Tensor:
        """Maps `(batch, row, step, feature)` to the same shape."""
        batch, n_rows, n_steps, features = rows.shape
        along, _ = self.lstm(self.norm(rows).reshape(batch * n_rows, n_steps, features))
        result: Tensor = rows + self.out(along).reshape(rows.shape)
        return result


class BandSplitLSTM(SpectralModel):
    """Band-split LSTM, waveform to waveform.

    Args:
        sample_rate: Hz.
        channels: 1 mono, 2 joint stereo.
        n_fft: samples of a frame.
        hop_length: samples between frames.
        bands: bands of `BandGains`, a multiple of `groups`.
        groups: neighbouring bands are joined into so many groups.
        features: numbers for each group and frame inside.
        hidden: units of an LSTM in each direction.
        layers: pairs of LSTMs, one over time and one over groups.

    Raises:
        ValueError: `bands` is no multiple of `groups`.
    """

    stems = 1

    def __init__(  # noqa: PLR0913 - flat keyword arguments, one a line of the config in the weights file
        self,
        *,
        sample_rate: int = 44_100,
        channels: int = 2,
        n_fft: int = 4096,
        hop_length: int = 1024,
        bands: int = 640,
        groups: int = 32,
        features: int = 64,
        hidden: int = 64,
        layers: int = 5,
    ) -> None:
        super().__init__()
        if bands % groups:
            raise ValueError(f"bands={bands}, must be a multiple of groups={groups}")
        self.sample_rate, self.channels, self.hop_length = sample_rate, channels, hop_length
        self.front = BandGains(n_fft // 2 + 1, bands, channels)
        self.alignment, self.context = hop_length, hop_length * (_MEMORY + self.front.margin)
        self.register_buffer("window", stft.window("hann", n_fft), persistent=False)
        self._width = bands // groups
        n_in, n_out = (self.front.n_planes - 1) * self._width + 2, channels * self._width  # without the place of a band
        self.split = _PerGroup(groups, n_in, features)
        self.place = nn.Parameter(0.1 * torch.randn(groups, features))
        self.over_time = nn.ModuleList(_Recurrence(features, hidden) for _ in range(layers))
        self.over_groups = nn.ModuleList(_Recurrence(features, hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(features)
        # The bands themselves beside what the LSTMs make of their group: few features cannot carry every band.
        self.widen = _PerGroup(groups, features + n_in, 2 * features)
        self.head = _PerGroup(groups, 2 * features, n_out)
        with torch.no_grad():
            self.head.weight.mul_(0.1)

    def stages(self, degraded: Tensor) -> tuple[Tensor]:
        """The only estimate.

        Args:
            degraded: `(batch, channel, freq, frame)` complex, unit scale of `dsp.stft`.

        Returns:
            The estimate, shaped and scaled like `degraded`.
        """
        return (self.front.filter(self.core(self.front.features(degraded)), degraded),)

    def core(self, planes: Tensor) -> Tensor:
        """See `WithBandGains.core`."""
        planes = planes[:, :-1]
        batch, n_planes, n_bands, n_frames = planes.shape
        # (batch, group, frame, plane and band of the group)
        groups = planes.reshape(batch, n_planes, -1, self._width, n_frames).permute(0, 2, 4, 1, 3).flatten(3)
        groups = _standardised(groups)
        hidden = self.split(groups) + self.place[:, None]
        for over_time, over_groups in zip(self.over_time, self.over_groups, strict=True):
            hidden = over_time(hidden)
            hidden = over_groups(hidden.transpose(1, 2)).transpose(1, 2)
        wide = torch.nn.functional.silu(self.widen(torch.cat([self.norm(hidden), groups], dim=-1)))
        # The gains in full precision: rounding of bf16 would remain in what is removed.
        with torch.autocast(hidden.device.type, enabled=False):
            raw = self.head(wide.to(self.head.weight.dtype))
        raw = raw.reshape(batch, -1, n_frames, self.channels, self._width).permute(0, 3, 1, 4, 2)
        return gains(raw.reshape(batch, self.channels, n_bands, n_frames))


def _standardised(groups: Tensor) -> Tensor:
    """Numbers of a group with mean 0 and spread 1, then both: compressed magnitudes are all alike without that."""
    spread, mean = torch.std_mean(groups, dim=-1, keepdim=True)
    return torch.cat([(groups - mean) / (spread + _LEAST_SPREAD), mean - 1, spread], dim=-1)


class _PerGroup(nn.Module):
    """A linear layer of its own for every group."""

    def __init__(self, groups: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(groups, n_in, n_out).uniform_(-1, 1) / n_in**0.5)
        self.bias = nn.Parameter(torch.zeros(groups, 1, n_out))

    def forward(self, inputs: Tensor) -> Tensor:
        """Maps `(batch, group, frame, n_in)` to `(batch, group, frame, n_out)`."""
        result: Tensor = torch.matmul(inputs, self.weight) + self.bias
        return result
