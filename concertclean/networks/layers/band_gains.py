"""Band magnitudes in, one gain per band out: a light input and output for networks.

A complex mask of 2049 bins is too expensive for a network that must run, and be trained, on a laptop. Here neighbouring
bins share a gain where the ear and the music allow it: one bin a band at the bottom, where partials lie close, and
bands of constant relative width above. 320 bands of a 4096-sample frame cost 0.4 to 0.6 dB of SI-SDR compared with one
gain per bin, if the gains are ideal; four neighbouring bins of a 2048-sample frame cost 1.8 dB (`recipes/ceiling.py`).
"""

from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from concertclean.dsp import bands
from concertclean.dsp.bands import EXPONENT, FLOOR, LEAST_POWER

_FRAMES_TOGETHER = 64  # more would only need more memory
_OPEN = 3.0  # a network starts with every gain at 0.95


def band_edges(n_bins: int, n_bands: int) -> Tensor:
    """First bin of every band, and the end of the last, `(n_bands + 1,)` int64; see `bands.band_edges`."""
    return torch.from_numpy(bands.band_edges(n_bins, n_bands))


class BandGains(nn.Module):
    """Features of a spectrogram for a network, and gains from its output.

    The features are magnitudes of the bands to the power 0.3, divided by their level around each frame, so a
    recording's volume does not matter; the same averaged over the surrounding frames, which shows the floor of a steady
    noise; and the position of each band. For stereo, mid and side are added to left and right.

    Attributes:
        floor: least gain, 0 to 1; see `hold_gains`.
        n_planes: planes of the features; the first `channels` are the magnitudes of the channels.
        margin: frames on each side used for level and average.

    Args:
        n_bins: bins of a frame.
        n_bands: bands.
        channels: 1 or 2.
        margin: frames, see above.
    """

    band_of_bin: Tensor
    averaging: Tensor
    place: Tensor

    def __init__(self, n_bins: int, n_bands: int, channels: int, margin: int = 31) -> None:
        super().__init__()
        self.channels, self.margin, self.floor = channels, margin, 0.0
        self.n_planes = channels + (2 if channels == 2 else 0) + 2
        widths = band_edges(n_bins, n_bands).diff()
        band_of_bin = torch.repeat_interleave(torch.arange(n_bands), widths, output_size=n_bins)
        averaging = F.one_hot(band_of_bin, n_bands).float() / widths
        self.register_buffer("band_of_bin", band_of_bin, persistent=False)
        self.register_buffer("averaging", averaging.T.contiguous(), persistent=False)
        self.register_buffer("place", torch.linspace(-1, 1, n_bands)[:, None], persistent=False)

    def features(self, degraded: Tensor) -> Tensor:
        """Maps `(batch, channel, freq, frame)` complex to `(batch, n_planes, band, frame)` real."""
        parts = torch.split(degraded, _FRAMES_TOGETHER, dim=3)
        magnitude = torch.cat([self._magnitudes(part) for part in parts], dim=3)
        level_source = magnitude[:, : self.channels].mean(1)
        level = level_source.mean(1, keepdim=True)
        # weighted by itself: a pause, or the silence outside the recording, does not lower the level
        level = self._around(level.square()) / (self._around(level) + FLOOR) + FLOOR
        floor = self._around(level_source) / level
        place = self.place.expand_as(floor)
        return torch.cat([magnitude / level[:, None], floor[:, None], place[:, None]], dim=1)

    def _magnitudes(self, degraded: Tensor) -> Tensor:
        """Compressed magnitudes of the bands, of the channels and of mid and side."""
        if self.channels == 2:
            left, right = degraded.unbind(1)
            degraded = torch.stack([left, right, (left + right) / 2, (left - right) / 2], dim=1)
        power = degraded.real.square() + degraded.imag.square()
        # full precision: autocast would round the powers of neighbouring partials together
        with torch.autocast(power.device.type, enabled=False):
            magnitude: Tensor = (self.averaging @ power + LEAST_POWER) ** (EXPONENT / 2)
        return magnitude

    def filter(self, gains: Tensor, degraded: Tensor) -> Tensor:
        """Spectrogram `(batch, channel, freq, frame)` times gains `(batch, channel, band, frame)`, floored."""
        return degraded * gains.clamp_min(self.floor).index_select(2, self.band_of_bin)

    def filter_(self, gains: Tensor, degraded: Tensor) -> Tensor:
        """The same in place, without gradients, in little more memory than the spectrogram."""
        parts = (torch.split(each, _FRAMES_TOGETHER, dim=3) for each in (degraded, gains.clamp_min(self.floor)))
        for spectrum, factors in zip(*parts, strict=True):
            spectrum.mul_(factors.index_select(2, self.band_of_bin))
        return degraded

    def _around(self, rows: Tensor) -> Tensor:
        """Mean over `margin` frames on each side, `(batch, row, frame)`."""
        return F.avg_pool1d(rows, 2 * self.margin + 1, 1, self.margin, count_include_pad=False)


def hold_gains(network: nn.Module, floor: float) -> None:
    """Limit the gains of a network to `floor`, so music mistaken for noise is lowered and not lost.

    Networks without band gains stay unchanged.

    Args:
        network: changed in place.
        floor: least gain, 0 (none) to 1.
    """
    for module in network.modules():
        if isinstance(module, BandGains):
            module.floor = floor


def gains(raw: Tensor) -> Tensor:
    """Gains between 0 and 1 from a network's last layer, near 1 where that is near 0; float32."""
    return torch.sigmoid(raw.float() + _OPEN)


class WithBandGains(Protocol):
    """A network whose part between features and gains can be taken out of it."""

    front: BandGains
    sample_rate: int
    channels: int
    hop_length: int
    alignment: int
    context: int
    window: Tensor

    def core(self, planes: Tensor) -> Tensor:
        """Gains `(batch, channel, band, frame)` from features `(batch, plane, band, frame)`.

        The number of frames is a multiple of `alignment // hop_length`, and at least twice that.
        """


def with_band_gains(network: nn.Module) -> WithBandGains | None:
    """The network itself where it has band gains, else None."""
    return cast(WithBandGains, network) if isinstance(getattr(network, "front", None), BandGains) else None
