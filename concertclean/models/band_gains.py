"""Band magnitudes in, one gain a band out: the light way into and out of a network.

A complex mask of 2049 bins is more than a network that has to run, and to be trained, on a laptop can afford. Here
neighbouring bins share a gain where the ear and the music allow it: one bin a band at the bottom, where partials lie
close, and bands of constant relative width above. 320 bands of a 4096-sample frame cost 0.4 to 0.6 dB of SI-SDR
against a gain a bin, if the gains are ideal; four neighbouring bins of a 2048-sample frame cost 1.8 dB
(`recipes/ceiling.py`).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_EXPONENT = 0.3
_SILENCE = 1e-4  # compressed magnitude of -267 dB: silence is silence, not a division by zero
_SILENT_MAGNITUDE = 1e-3  # what silence is compressed to
_NOTHING = 1e3  # above every compressed magnitude
_AROUND = 31  # frames on each side of the averages, 0.7 s
_SMOOTHING = 4  # frames on each side that are averaged before the minimum
_OPEN = 3.0  # a network starts with every gain at 0.95


def band_edges(n_bins: int, n_bands: int) -> Tensor:
    """First bin of every band, and the end of the last.

    Args:
        n_bins: bins of a frame, `n_fft // 2 + 1`.
        n_bands: bands, at most `n_bins`.

    Returns:
        `(n_bands + 1,)` int64, strictly rising from 0 to `n_bins`: one bin a band up to a corner L, then widths
        that grow as the frequency, with `L · (1 + ln(n_bins / L)) = n_bands`.

    Raises:
        ValueError: `n_bands` is not between 1 and `n_bins`.
    """
    if not 1 <= n_bands <= n_bins:
        msg = f"bands={n_bands}, expected 1 to {n_bins}, the bins of a frame"
        raise ValueError(msg)
    low, high = 1e-6, float(n_bins)
    for _ in range(100):
        corner = (low + high) / 2
        too_many = corner * (1 + math.log(n_bins / corner)) > n_bands
        low, high = (low, corner) if too_many else (corner, high)
    band = torch.arange(n_bands + 1, dtype=torch.float64)
    edges = torch.where(band <= high, band, high * torch.exp((band - high) / high)).round().long()
    edges = torch.maximum(edges, torch.arange(n_bands + 1))  # rounding must not leave a band empty
    edges[-1] = n_bins
    return edges


class BandGains(nn.Module):
    """Features of a spectrogram for a network, and the network's answer as gains.

    The features are magnitudes of the bands to the power 0.3, divided by their level around each frame, so that a
    recording's volume does not matter, on stereo beside those of middle and side; their mean over the channels,
    averaged over the surrounding frames; the place of each band; and, if wanted, the minimum of that mean over more
    frames, which is the floor of a steady noise (minimum statistics).

    Attributes:
        n_planes: planes of the features; the first `channels` are the magnitudes of the channels.
        margin: frames on each side that the features of a frame look at.

    Args:
        n_bins: bins of a frame.
        n_bands: bands.
        channels: 1 or 2.
        floor_frames: frames on each side that the minimum looks at; 0: no minimum.

    References:
        Martin, Noise power spectral density estimation based on optimal smoothing and minimum statistics, IEEE Trans.
        Speech and Audio Processing 9(5), 2001: that the minimum of smoothed power follows the noise.
    """

    band_of_bin: Tensor
    averaging: Tensor
    place: Tensor

    def __init__(self, n_bins: int, n_bands: int, channels: int, floor_frames: int = 0) -> None:
        super().__init__()
        self.channels, self.floor_frames = channels, floor_frames
        self.margin = max(_AROUND, floor_frames + _SMOOTHING if floor_frames else 0)
        self.n_planes = channels + (2 if channels == 2 else 0) + (3 if floor_frames else 2)
        widths = band_edges(n_bins, n_bands).diff()
        band_of_bin = torch.repeat_interleave(torch.arange(n_bands), widths)
        averaging = F.one_hot(band_of_bin, n_bands).float() / widths
        self.register_buffer("band_of_bin", band_of_bin, persistent=False)
        self.register_buffer("averaging", averaging.T.contiguous(), persistent=False)
        self.register_buffer("place", torch.linspace(-1, 1, n_bands)[:, None], persistent=False)

    def features(self, degraded: Tensor) -> Tensor:
        """Maps `(batch, channel, freq, frame)` complex to `(batch, n_planes, band, frame)` real."""
        if self.channels == 2:
            left, right = degraded.unbind(1)
            degraded = torch.stack([left, right, (left + right) / 2, (left - right) / 2], dim=1)
        power = degraded.real.square() + degraded.imag.square()
        # full precision: autocast would round the powers of neighbouring partials together
        with torch.autocast(power.device.type, enabled=False):
            magnitude = (self.averaging @ power + 1e-20) ** (_EXPONENT / 2)
        heard = magnitude[:, : self.channels].mean(1)
        level = heard.mean(1, keepdim=True)
        # weighted by itself: a pause, or the silence outside the recording, does not pull the level down
        level = _around(level.square(), _AROUND) / (_around(level, _AROUND) + _SILENCE) + _SILENCE
        planes = [_around(heard, _AROUND) / level, self.place.expand_as(heard)]
        if self.floor_frames:
            planes.append(self._floor(heard) / level)
        return torch.cat([magnitude / level[:, None], torch.stack(planes, dim=1)], dim=1)

    def filter(self, gains: Tensor, degraded: Tensor) -> Tensor:
        """Spectrogram `(batch, channel, freq, frame)` under gains `(batch, channel, band, frame)`."""
        return degraded * gains.index_select(2, self.band_of_bin)

    def _floor(self, heard: Tensor) -> Tensor:
        """Minimum of smoothed magnitudes around each frame, `(batch, band, frame)`; silence does not count."""
        audible = (heard.mean(1, keepdim=True) > 2 * _SILENT_MAGNITUDE).to(heard.dtype)
        share = _around(audible, _SMOOTHING)
        smooth = _around(heard * audible, _SMOOTHING) / (share + _SILENCE)
        smooth = torch.where(share > 0.5, smooth, torch.full_like(smooth, _NOTHING))
        least = -F.max_pool1d(-smooth, 2 * self.floor_frames + 1, 1, self.floor_frames)
        return torch.where(least < _NOTHING, least, torch.zeros_like(least))


def _around(rows: Tensor, n_frames: int) -> Tensor:
    """Mean over `n_frames` on each side, `(batch, row, frame)`."""
    return F.avg_pool1d(rows, 2 * n_frames + 1, 1, n_frames, count_include_pad=False)


def gains(raw: Tensor) -> Tensor:
    """Gains between 0 and 1 from a network's last layer, near 1 where that is near 0; float32."""
    return torch.sigmoid(raw.float() + _OPEN)
