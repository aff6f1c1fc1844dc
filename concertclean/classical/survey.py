"""Levels of a whole recording in every bin and band, counted in one pass.

A first pass over a recording counts how often each level occurs: in the bins of long frames, and in half octaves of
short ones. Quantiles are computed from the counts. Memory does not grow with the length: 13 MB a channel at 44.1 kHz.

*Conventions*: levels are dB of the power density, `|Y|²` of a periodic Hann window over the sum of its squares: white
noise of variance σ² lies at `10 log10 σ²` in every bin, whatever the frame. Channels are counted separately, because
averaging channels with independent noise would narrow the spread of its levels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from concertclean.classical.noise_floor import frame_powers, frame_sizes
from concertclean.dsp.arrays import Array, Blocks
from concertclean.dsp.resample import Fifo

OVERLAP = 4  # long frames that cover a sample
SMOOTHED = 5  # long frames whose mean power counts
LOW_SHARE = 0.08  # of the frames: the level that stands for the floor
WHITE_DB = -4.58  # that level of a bin in white noise of power 1 (400 s of it)
APART = 5  # bins whose powers are independent under a Hann window
BANDS_AN_OCTAVE = 6
LOWEST_HZ = 20.0

_LONG = 8  # short frames in a long one: 0.37 s, bins of 2.7 Hz
_BATCH = 16  # long frames at a time
_LEAST_DB, _MOST_DB, _STEP_DB = -140.0, 60.0, 0.5
_TINY = 1e-20


class Histogram:
    """How often each level occurred, row by row.

    Args:
        n_rows: bins or bands.
    """

    def __init__(self, n_rows: int) -> None:
        n_classes = round((_MOST_DB - _LEAST_DB) / _STEP_DB)
        self._counts = np.zeros((n_rows, n_classes), np.uint32)
        self._rows = np.arange(n_rows)
        self.n_counted = 0

    def add(self, levels: Array) -> None:
        """Counts one level per row, `(row,)`, dB; -140 and 60 dB include all below and above."""
        last = self._counts.shape[1] - 1
        classes = np.clip((levels - _LEAST_DB) / _STEP_DB, 0, last).astype(np.intp)
        self._counts[self._rows, classes] += 1
        self.n_counted += 1

    def quantiles(self, shares: Sequence[float]) -> Array:
        """`(share, row)` levels, dB, that shares of 0 to 1 of the counts do not reach; accurate to about 0.1 dB."""
        below = np.cumsum(self._counts, axis=1, dtype=np.uint32)
        return np.stack([self._quantile(below, share * self.n_counted) for share in shares])

    def _quantile(self, below: NDArray[np.uint32], wanted: float) -> Array:
        """`(row,)` level that so many counts do not reach, by how many lie below the end of each class."""
        found = np.minimum((below < wanted).sum(axis=1), self._counts.shape[1] - 1)
        inside = self._counts[self._rows, found]
        before = below[self._rows, found] - inside
        part = (wanted - before) / np.maximum(inside, 1)
        return np.asarray(_LEAST_DB + _STEP_DB * (found + np.clip(part, 0, 1)))


@dataclass(frozen=True)
class Levels:
    """The result of a survey for one channel.

    Attributes:
        sample_rate: Hz.
        n_fft: samples of a long frame.
        bins: counts of the power of each bin of the long frames, smoothed over `SMOOTHED` frames.
        bands: counts of the mean power of each band of the short frames.
        edges: `(band, 2)` first bin and the one after the last, in bins of short frames.
    """

    sample_rate: int
    n_fft: int
    bins: Histogram
    bands: Histogram
    edges: NDArray[np.intp]


def long_frame(sample_rate: int) -> int:
    """Samples of a long frame: 16,384 at 44.1 kHz, 0.37 s."""
    return _LONG * frame_sizes(sample_rate)[0]


def short_frame(n_fft: int) -> int:
    """Samples of the short frame that belongs to a long one."""
    return n_fft // _LONG


def survey(blocks: Blocks, channels: int, sample_rate: int) -> list[Levels]:
    """Counts the levels of a recording, channel by channel.

    Frames that touch digital silence (a quarter of a frame of zeros) do not count, nor does an incomplete frame at the
    end.

    Args:
        blocks: `(channel, time)`, full scale ±1, cut anywhere.
        channels: of the recording.
        sample_rate: Hz.

    Returns:
        The counts of each channel; they may be empty.
    """
    n_fft = long_frame(sample_rate)
    edges = band_edges(short_frame(n_fft), sample_rate)
    n_freqs = n_fft // 2 + 1
    found = [Levels(sample_rate, n_fft, Histogram(n_freqs), Histogram(len(edges)), edges) for _ in range(channels)]
    before = [np.full((SMOOTHED - 1, n_freqs), np.nan)] * channels
    for batch in _batches(blocks, channels, n_fft):
        for number, levels in enumerate(found):
            channel = batch[number : number + 1]
            powers = np.concatenate([before[number], _powers(channel, n_fft, n_fft // OVERLAP)])
            before[number] = powers[1 - SMOOTHED :]
            _count_bins(levels, powers)
            _count_bands(levels, channel)
    return found


def _batches(blocks: Blocks, channels: int, n_fft: int) -> Blocks:
    """The stream in batches of `_BATCH` long frames, each frame once, the last batch shorter."""
    held = Fifo(channels)
    hop = n_fft // OVERLAP
    whole = n_fft + (_BATCH - 1) * hop
    for block in blocks:
        held.push(block)
        while len(held) >= whole:
            yield held.peek(whole)
            held.pop(_BATCH * hop)
    if len(held) >= n_fft:
        yield held.peek(len(held))


def _powers(waveform: Array, n_fft: int, hop: int) -> Array:
    """`(frame, freq)` power density; NaN in frames that touch digital silence."""
    powers = frame_powers(waveform, n_fft, hop) / (0.375 * n_fft)
    cells = waveform[:, : waveform.shape[1] // hop * hop].reshape(len(waveform), -1, hop).any(axis=(0, 2))
    powers[~sliding_window_view(cells, n_fft // hop).all(axis=1)] = np.nan
    return powers


def _count_bins(levels: Levels, powers: Array) -> None:
    """Counts the means of so many neighbouring frames as are smoothed."""
    for mean in sliding_window_view(powers, SMOOTHED, axis=0).mean(axis=-1):
        if not np.isnan(mean[0]):
            levels.bins.add(10 * np.log10(mean + _TINY))


def _count_bands(levels: Levels, batch: Array) -> None:
    """Counts the short frames that begin where the long frames of the batch do."""
    n_fft = short_frame(levels.n_fft)
    hop = n_fft // 2
    n_new = ((batch.shape[1] - levels.n_fft) * OVERLAP // levels.n_fft + 1) * levels.n_fft // OVERLAP
    powers = _powers(batch[:, : n_new + n_fft - hop], n_fft, hop)
    for energies in interval_means(powers, levels.edges):
        if not np.isnan(energies).any():
            levels.bands.add(10 * np.log10(np.maximum(energies, _TINY)))


def band_edges(n_fft: int, sample_rate: int) -> NDArray[np.intp]:
    """Half octaves, six to an octave, of three bins and more."""
    centres = band_centres_hz(int(np.log2(sample_rate / 2 / LOWEST_HZ) * BANDS_AN_OCTAVE) + 1)
    n_bins = n_fft // 2 + 1
    first = np.floor(centres * 2**-0.25 * n_fft / sample_rate).astype(np.intp)
    after = np.minimum(np.maximum(np.ceil(centres * 2**0.25 * n_fft / sample_rate).astype(np.intp), first + 3), n_bins)
    return np.stack([np.minimum(first, after - 3), after], axis=1)


def band_centres_hz(n_bands: int) -> Array:
    """`(band,)` centres of the bands."""
    return np.asarray(LOWEST_HZ * 2.0 ** (np.arange(n_bands) / BANDS_AN_OCTAVE))


def band_means(levels_db: Array, sample_rate: int) -> Array:
    """`(band,)` level of the mean power in each band, dB, of `(freq,)` levels of the long frames' bins."""
    n_fft = 2 * (len(levels_db) - 1)
    edges = np.minimum(band_edges(short_frame(n_fft), sample_rate) * (n_fft // short_frame(n_fft)), len(levels_db))
    powers = 10 ** (levels_db.astype(np.float64) / 10)
    return np.asarray(10 * np.log10(interval_means(powers, edges) + _TINY))


def interval_means(values: NDArray[Any], edges: NDArray[np.intp]) -> Array:
    """`(..., interval)` mean of `(..., freq)` values from the first bin of each of the `(interval, 2)` edges on."""
    sums = np.cumsum(values, axis=-1, dtype=np.float64)
    sums = np.concatenate([np.zeros((*sums.shape[:-1], 1)), sums], axis=-1)
    first, after = edges.T
    return np.asarray((sums[..., after] - sums[..., first]) / (after - first))
