"""The network behind the floor of steady noise, on arrays.

How noise that stays differs over a whole recording from notes that come and go, and a motor's line from a held note, no
few thresholds describe: the skirt, the other harmonics and the floor beside a line all count. A one-dimensional U-Net
over frequency reads ten quantiles of the level of each bin, and four of the short frames' band around it. It was
trained on what the second pass makes of its floor: the error left in music with noise, and the harm done to music
without (`recipes/steady_floor.py`).

References:
    Own. Quantiles over time as noise: Stahl, Fischer, Bippus: Quantile based noise estimation for spectral subtraction
    and Wiener filtering, ICASSP 2000. U-Net: Ronneberger, Fischer, Brox, MICCAI 2015.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from safetensors.numpy import load_file
from scipy.special import expit

from concertclean.classical.survey import APART, LOW_SHARE, WHITE_DB, band_centres_hz, band_means, interval_means

QUANTILES: Final = (0.02, 0.05, 0.08, 0.14, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
"""Shares of the frames whose level does not reach that of the quantile."""

BAND_QUANTILES: Final = (0.02, 0.1, 0.5, 0.9)
"""The same of the short frames, whose bands show the gaps between strokes."""

LOW: Final = QUANTILES.index(LOW_SHARE)
"""The quantile to which the floor is relative."""

N_FEATURES: Final = 21
POOLED: Final = 4
"""Bins that become one from a level of the network to the next."""

CORRECTION_DB: Final = 5.0
"""Unit of the network's correction."""

LARGEST_DB: Final = (-15.0, 20.0)
"""By how much the floor may differ from what the low quantile alone gives."""

CERTAINTY: Final = 3.0
"""Slope of the certainty in the network's second answer."""

_MIDDLE = QUANTILES.index(0.5)
_NEAR, _REGION, _FAR = 31, 61, 301  # bins
_HIGHEST_HZ = 22_050.0  # of the training material
_NEGLIGIBLE = 3e-3  # of the power of the low quantile

Floats = NDArray[np.float32]


def features(quantiles_db: Floats, bands_db: Floats, n_frames: int, sample_rate: int) -> Floats:
    """What the network is given.

    Args:
        quantiles_db: `(10, freq)` levels of `QUANTILES`, dB of power density, of all bins from 0 Hz to half the rate.
        bands_db: `(4, band)` levels of `BAND_QUANTILES` in the bands of the short frames, as in `survey`.
        n_frames: that were counted.
        sample_rate: Hz.

    Returns:
        `(21, freq)`: the other quantiles above the low one; how far the quietest short frames lie below the low one,
        and how far apart their quantiles are; the low one above its surroundings near and far and above the mean level;
        the middle one above its surroundings; how much independent bins differ, here and around; place; and how
        uncertain quantiles of so few frames are.
    """
    low, middle = quantiles_db[LOW], quantiles_db[_MIDDLE]
    others = np.delete(quantiles_db, LOW, axis=0) - low
    rough = np.pad(np.abs(low[APART:] - low[:-APART]), (2, 3))
    hz = np.linspace(0, sample_rate / 2, len(low))
    rows = [
        (low - _around(low, _NEAR)) / 5,
        (low - _around(low, _FAR)) / 10,
        (low - middle.mean()) / 20,
        (middle - _around(middle, _NEAR)) / 5,
        rough / 5,
        _around(rough, _REGION) / 5,
        np.log2((np.minimum(hz, _HIGHEST_HZ) + 10) / 1000) / 3,
        np.full(len(low), 10 / np.sqrt(n_frames)),
    ]
    gaps = band_means(low, sample_rate) - bands_db[0]
    rows += [np.interp(hz, band_centres_hz(len(gaps)), row) / 5 for row in (gaps, *np.diff(bands_db, axis=0))]
    return np.concatenate([others / 5, np.stack(rows)]).astype(np.float32)


def noise_density(quantiles_db: Floats, answer: Floats) -> NDArray[np.float64]:
    """Power density of the noise.

    Args:
        quantiles_db: `(10, freq)`, as in `features`.
        answer: `(2, freq)` of the network: a correction of the low quantile, and how certain noise is.

    Returns:
        `(freq,)`; 0 where next to nothing would be taken, so that clean music stays as it is to the bit.
    """
    correction_db = np.clip(CORRECTION_DB * answer[0].astype(np.float64), *LARGEST_DB) - WHITE_DB
    above_low = expit(CERTAINTY * answer[1].astype(np.float64)) * 10 ** (correction_db / 10)
    return np.where(above_low < _NEGLIGIBLE, 0, above_low * 10 ** (quantiles_db[LOW].astype(np.float64) / 10))


class FloorNetwork:
    """The network with its weights.

    Args:
        weights: by the names of the torch module in `recipes/steady_floor.py`, any floating type.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self._weights = {name: np.asarray(value, np.float32) for name, value in weights.items()}
        self._n_levels = len({name.split(".")[1] for name in weights if name.startswith("down.")})

    def __call__(self, given: Floats) -> Floats:
        """Maps features `(21, freq)` to the answer `(2, freq)`."""
        n_bins = given.shape[1]
        hidden = np.pad(given, ((0, 0), (0, -n_bins % POOLED ** (self._n_levels - 1))))
        skips = []
        for level in range(self._n_levels):
            if level:
                hidden = hidden.reshape(len(hidden), -1, POOLED).mean(axis=2)
            hidden = self._pair(f"down.{level}", hidden)
            skips.append(hidden)
        skips.pop()
        for level in range(self._n_levels - 2, -1, -1):
            hidden = self._pair(f"up.{level}", np.concatenate([_spread(hidden), skips.pop()]))
        return self._convolved("head", hidden)[:, :n_bins]

    def _pair(self, name: str, inputs: Floats) -> Floats:
        """Two convolutions, each rectified."""
        return np.maximum(self._convolved(f"{name}.2", np.maximum(self._convolved(f"{name}.0", inputs), 0)), 0)

    def _convolved(self, name: str, inputs: Floats) -> Floats:
        kernel, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        size = kernel.shape[2]
        windows = sliding_window_view(np.pad(inputs, ((0, 0), (size // 2, size // 2))), size, axis=1)
        return np.asarray(np.tensordot(kernel, windows, axes=([1, 2], [0, 2])) + bias[:, None])


@lru_cache(maxsize=1)
def floor_network() -> FloorNetwork:
    """The network with the weights of the package."""
    return FloorNetwork(load_file(Path(__file__).with_name("steady_floor.safetensors")))


def _around(row: NDArray[Any], size: int) -> NDArray[np.float64]:
    """Mean of a row over `size` values around each, of as many as there are."""
    place = np.arange(len(row))
    edges = np.stack([np.maximum(place - size // 2, 0), np.minimum(place + size // 2 + 1, len(row))], axis=1)
    return interval_means(row, edges)


def _spread(inputs: Floats) -> Floats:
    """Each value spread over `POOLED`, straight between their middles."""
    n = inputs.shape[1]
    place = np.clip((np.arange(n * POOLED) + 0.5) / POOLED - 0.5, 0, n - 1)
    first = place.astype(np.intp)
    part = (place - first).astype(np.float32)
    return inputs[:, first] * (1 - part) + inputs[:, np.minimum(first + 1, n - 1)] * part
