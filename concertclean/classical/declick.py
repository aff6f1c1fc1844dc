"""Clicks detected where autoregressive models fail to predict, and replaced by what the models predict.

Frames of 46 ms overlap by half; each has a model and covers its middle. A click is a sample whose matched output is
large compared with the peaks before, after and around it. Attacks stay loud afterwards, and the pulses of brass and
voices repeat; a click is isolated. It lasts while both the forward and the backward error are large, because the first
is smeared after the click and the second before it. Filling it must remove most of the error, which fails where the
music itself jumps. Models are then estimated again from the repaired frames, and the search is repeated.
"""

from collections.abc import Iterator

import numpy as np

from concertclean.classical.gaps import Mask, Runs, highest, runs
from concertclean.classical.repair import CELLS, Repair
from concertclean.dsp.arrays import Array
from concertclean.dsp.segments import Segment, joined, segments

_MARGIN = 1  # samples on each side of a click that are replaced with it
_LEAST_ORDER, _MOST_ORDER = 12, 64  # of the search models, at any rate
_SEGMENT_SECONDS = 6.0


class Declicker:
    """Removes clicks of up to a few milliseconds and leaves every other sample unchanged.

    Args:
        threshold: height of a click relative to the usual peaks around it; peaks of noise reach 1.7.
        extent: level of both errors, in their standard deviations, down to which a click lasts.
        proof: factor by which the error's energy must fall when a short click is filled; more for long ones.
        order: of the search models at 44.1 kHz; in proportion at other rates, 12 to 64.
        iterations: searches.
        longest_seconds: anything that stands out for longer is music.
        merge_seconds: shorter gaps inside a click belong to it.
        frame_seconds: length of a frame, within which music should be steady.

    References:
        Godsill, Rayner, Digital Audio Restoration, 1998, chapter 5; the comparison with peaks and the proof are our
        own.
    """

    def __init__(
        self,
        *,
        threshold: float = 2.5,
        extent: float = 3.5,
        proof: float = 2.5,
        order: int = 32,
        iterations: int = 3,
        longest_seconds: float = 0.004,
        merge_seconds: float = 0.0002,
        frame_seconds: float = 0.0464,
    ) -> None:
        self._threshold, self._extent, self._proof = threshold, extent, proof
        self._order, self._iterations = order, iterations
        self._longest_seconds, self._merge_seconds = longest_seconds, merge_seconds
        self._frame_seconds = frame_seconds

    def removed(self, blocks: Iterator[Array], channels: int, sample_rate: int) -> Iterator[Array]:
        """What the clicks add to a waveform: input minus estimate, zero outside clicks.

        A waveform no longer than a click has none: there is no music around it to tell.

        Args:
            blocks: `(channel, time)` in order, cut anywhere, full scale ±1.
            channels: of the waveform; each is searched separately.
            sample_rate: Hz.

        Yields:
            `(channel, time)` pieces, together as long as the input.
        """
        cell = max(8, round(self._frame_seconds * sample_rate / (2 * CELLS)))
        hop = CELLS * cell
        # Each search reaches one and a half frames on either side, and so does the filling.
        segment, context = round(_SEGMENT_SECONDS * sample_rate / hop + 1) * hop, (3 * self._iterations + 2) * hop
        windows = segments(blocks, channels, segment, segment, context)

        def found() -> Iterator[Segment]:
            for number, window in enumerate(windows):
                # without what lies beyond the recording and its context: an excerpt of seconds is mostly that
                given = window.audio[:, : -(-window.n_valid // hop) * hop + 2 * context]
                removed = np.zeros_like(given)
                if number or window.n_valid > self._longest_seconds * sample_rate:
                    removed = np.stack([w - self._repaired(w, cell, sample_rate) for w in given])
                yield Segment(removed[:, context:-context], window.n_valid)

        yield from joined(found(), segment, 0)

    def _repaired(self, waveform: Array, cell: int, sample_rate: int) -> Array:
        """`(time,)` without clicks."""
        order = round(self._order * sample_rate / 44_100)
        work = Repair(waveform, cell, min(max(_LEAST_ORDER, order), _MOST_ORDER))
        longest = int(min(self._longest_seconds * sample_rate, work.longest))
        for _ in range(self._iterations):
            if not work.look():
                break
            starts, stops = self._clicks(work, longest, sample_rate)
            work.fill(starts, stops, longest + 2 * _MARGIN, self._proof, 20 * sample_rate / 44_100)
        return work.estimate

    def _clicks(self, work: Repair, longest: int, sample_rate: int) -> tuple[Runs, Runs]:
        """Starts and ends of what stands out, with margins; of runs not too long, at most half of each hop.

        If more seems damaged, too little is known to fill it: the lowest runs stay as recorded.
        """
        starts, stops = runs(work.spread > self._extent, max(1, round(self._merge_seconds * sample_rate)))
        if not len(starts):
            return starts, stops
        heights = np.maximum.reduceat(np.append(work.height, 0.0), np.stack([starts, stops], axis=1).ravel())[::2]
        wanted = heights > self._threshold
        short = np.flatnonzero(wanted & (stops - starts <= longest))
        wanted[short] = highest(starts[short], stops[short], heights[short], work.hop, work.hop // 2)
        return np.maximum(starts[wanted] - _MARGIN, 0), np.minimum(stops[wanted] + _MARGIN, len(work.height))


def clicks(waveform: Array, sample_rate: int, declicker: Declicker | None = None) -> Mask:
    """Where a waveform `(channel, time)` has clicks: true for every sample that a declicker replaces.

    Args:
        waveform: full scale ±1.
        sample_rate: Hz.
        declicker: None for one with its defaults.
    """
    found = (declicker or Declicker()).removed(iter([waveform]), len(waveform), sample_rate)
    return np.concatenate([np.zeros((len(waveform), 0), bool), *(piece != 0 for piece in found)], axis=1)
