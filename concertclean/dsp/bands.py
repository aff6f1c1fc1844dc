"""Bands of a spectrogram that share a gain, and what a network is given of them; without torch.

`networks.layers.band_gains` explains the idea, and computes the same with gradients.
"""

import math

import numpy as np
from numpy.typing import NDArray

EXPONENT = 0.3
"""Power of the magnitudes."""

FLOOR = 1e-4
"""Compressed magnitude of -267 dB: avoids division by zero in silence."""

LEAST_POWER = 1e-20
"""Added to the power of a band before it is compressed."""

_Floats = NDArray[np.float32]


def band_edges(n_bins: int, n_bands: int) -> NDArray[np.int64]:
    """First bin of every band, and the end of the last.

    Args:
        n_bins: bins of a frame, `n_fft // 2 + 1`.
        n_bands: bands, at most `n_bins`.

    Returns:
        `(n_bands + 1,)`, strictly rising from 0 to `n_bins`: one bin per band up to a corner L, then widths that
        grow with frequency, with `L · (1 + ln(n_bins / L)) = n_bands`.

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
    band = np.arange(n_bands + 1, dtype=np.float64)
    edges = np.where(band <= high, band, high * np.exp((band - high) / high)).round().astype(np.int64)
    edges = np.maximum(edges, np.arange(n_bands + 1))  # rounding must not leave a band empty
    edges[-1] = n_bins
    return edges


class BandPlanes:
    """The features of `BandGains`, from arrays.

    Args:
        n_bins: bins of a frame.
        n_bands: bands.
        channels: 1 or 2.
        margin: frames on each side used for level and average.
    """

    def __init__(self, n_bins: int, n_bands: int, channels: int, margin: int) -> None:
        edges = band_edges(n_bins, n_bands)
        self.channels, self._margin, self._starts = channels, margin, edges[:-1]
        self._widths = np.diff(edges)
        self._place = np.linspace(-1, 1, n_bands, dtype=np.float32)

    def magnitudes(self, spectra: NDArray[np.complex64]) -> _Floats:
        """Compressed magnitudes of the bands, of the channels and of mid and side.

        Args:
            spectra: `(channel, frame, freq)`.

        Returns:
            `(plane, band, frame)`.
        """
        if self.channels == 2:
            left, right = spectra
            spectra = np.stack([left, right, (left + right) / 2, (left - right) / 2])
        power = np.square(spectra.real) + np.square(spectra.imag)
        mean = np.add.reduceat(power, self._starts, axis=2) / self._widths
        return np.asarray((mean + LEAST_POWER) ** (EXPONENT / 2), np.float32).swapaxes(1, 2)

    def planes(self, magnitudes: _Floats) -> _Floats:
        """What the network is given, `(plane, band, frame)`, of magnitudes of all frames."""
        level_source = magnitudes[: self.channels].mean(axis=0)
        level = level_source.mean(axis=0, keepdims=True)
        # weighted by itself: a pause, or the silence outside the recording, does not lower the level
        level = self._around(np.square(level)) / (self._around(level) + FLOOR) + FLOOR
        floor = self._around(level_source) / level
        place = np.broadcast_to(self._place[:, None], floor.shape)
        return np.concatenate([magnitudes / level, floor[None], place[None]]).astype(np.float32, copy=False)

    def per_bin(self, gains: _Floats) -> _Floats:
        """Gains of bins, `(channel, frame, freq)`, from gains of bands, `(channel, band, frame)`."""
        return np.repeat(gains.swapaxes(1, 2), self._widths, axis=2)

    def _around(self, rows: _Floats) -> _Floats:
        """Mean over `margin` frames on each side, as far as there are, `(row, frame)`."""
        n_frames = rows.shape[1]
        sums = np.concatenate([np.zeros((len(rows), 1)), np.cumsum(rows, axis=1, dtype=np.float64)], axis=1)
        frame = np.arange(n_frames)
        first, end = np.maximum(frame - self._margin, 0), np.minimum(frame + self._margin + 1, n_frames)
        return np.asarray((sums[:, end] - sums[:, first]) / (end - first), np.float32)
