"""Fills the gaps of many frames at once, each with the prediction of its frame's autoregressive model.

The system of a gap couples only samples that are at most the order apart. So unknown samples fall into independent
groups, and a band needs only the width of the unknown samples within the order of each: a handful among ticks, where
the whole order would be wasteful. Independent systems in a row form a banded system again, so one call of LAPACK solves
thousands of groups of about the same width.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from concertclean.dsp.arrays import Array

Mask = NDArray[np.bool_]
Runs = NDArray[np.intp]

_WIDTHS = (4, 8, 16, 32, 48, 64, 96, 128)
_MOST_VALUES = 2**18  # of a band that is built at once, 2 MB


def runs(flags: Mask, gap: int) -> tuple[Runs, Runs]:
    """Starts and ends of the runs of true values of `(time,)`; runs that are at most `gap` samples apart are one."""
    places = np.flatnonzero(flags)
    breaks = np.flatnonzero(np.diff(places) > gap)
    return places[np.append(0, breaks + 1)[: len(places)]], places[np.append(breaks, -1)[: len(places)]] + 1


def highest(starts: Runs, stops: Runs, heights: Array, hop: int, most: int) -> Mask:
    """Of the runs that start in the same hop, the highest that together have at most `most` samples.

    Args:
        starts: first samples, ascending.
        stops: samples after the last ones.
        heights: of the runs.
        hop: samples.
        most: samples.

    Returns:
        `(run,)`, true for those.
    """
    hops = starts // hop
    order = np.lexsort((-heights, hops))
    lengths = (stops - starts)[order]
    total = np.cumsum(lengths)
    first = np.searchsorted(hops, hops)  # of the hop of each, in either order
    result = np.empty(len(starts), bool)
    result[order] = total - (total - lengths)[first] <= most
    return result


def members(starts: Runs, stops: Runs) -> Runs:
    """All places of runs, one run after another."""
    sizes = stops - starts
    return np.asarray(np.repeat(starts - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum()))


def groups(places: Runs, order: int) -> tuple[Runs, Runs]:
    """First members and sizes of the groups of `(n,)` ascending places that are more than `order` apart."""
    first = np.flatnonzero(np.diff(places, prepend=-order - 1) > order)
    return first, np.diff(np.append(first, len(places)))


class Gaps:
    """The unknown samples of frames, and the systems that fill them.

    Args:
        unknown: `(frame, time)`, true for samples to fill.
        correlation: `(frame, order + 1)` of the prediction error filters, lag 0 first; beyond it is zero.

    Attributes:
        frames, times: `(n,)`, where the unknown samples are, frame by frame.

    References:
        Godsill, Rayner, Digital Audio Restoration, 1998, sections 5.2.2 and 9.2. The grouping is own.
    """

    def __init__(self, unknown: Mask, correlation: Array) -> None:
        self.frames, self.times = np.nonzero(unknown)
        order = correlation.shape[1] - 1
        # Frames one after another, further apart than the order: one ascending row of places.
        places = self.frames * (unknown.shape[1] + order) + self.times
        first, sizes = groups(places, order)
        of_group = np.repeat(first, sizes), np.repeat(first + sizes - 1, sizes)
        near = np.arange(len(places))[:, None] + np.arange(-2, 3)
        self._neighbours = np.clip(near, of_group[0][:, None], of_group[1][:, None])
        within = np.searchsorted(places, places + order, side="right") - np.arange(len(places)) - 1
        widths = np.maximum.reduceat(within, first) if len(first) else within
        table = np.append(correlation, np.zeros((len(correlation), 1)), axis=1)
        self._systems = [
            (part, _band(places[part], self.frames[part], table, width))
            for part, width in _batches(first, sizes, widths)
        ]

    def smooth(self, values: Array) -> Array:
        """Means of five neighbours, `(n,)`, in the group; its ends count again for what lies beyond them."""
        return np.asarray(values[self._neighbours].mean(axis=1))

    def filled(self, right: Array, held: Array, trust: Array) -> Array:
        """The likeliest samples, `(n,)`, as `autoregression.filled` finds them for one frame.

        Args:
            right: `(n,)`, the negative matched output of the frames with zeros at the unknown samples.
            held: `(n,)`, the samples recorded there.
            trust: `(n,)`, at least 0: power of the excitation over that of the noise recorded with each.
        """
        found = np.empty_like(right)
        target = right + trust * held
        for part, band in self._systems:
            system = band.copy()
            system[:, 0] += trust[part]
            found[part] = solveh_banded(system.T, target[part], overwrite_ab=True, lower=True, check_finite=False)
        return found

    def sizes(self) -> list[tuple[int, int]]:
        """Unknown samples and width of each banded system."""
        return [(len(part), band.shape[1] - 1) for part, band in self._systems]


def _batches(first: Runs, sizes: Runs, widths: Runs) -> list[tuple[Runs, int]]:
    """Members of groups of about the same width, and the width; whole groups, as many as fit into a band at once."""
    classes = np.searchsorted(_WIDTHS, widths)
    batches = []
    for number in np.unique(classes):
        chosen = np.flatnonzero(classes == number)
        width = int(widths[chosen].max())
        share = np.cumsum(sizes[chosen]) * (width + 1) // _MOST_VALUES
        for part in np.split(chosen, np.flatnonzero(np.diff(share)) + 1):
            batches.append((members(first[part], first[part] + sizes[part]), width))
    return batches


def _band(places: Runs, frames: Runs, table: Array, width: int) -> Array:
    """Lower band `(n, width + 1)` of `table[frame, |p_r - p_s|]`; the last column of the table is for far places."""
    far = table.shape[1] - 1
    beyond = np.append(places, np.full(width, places[-1] + far))
    distance = np.lib.stride_tricks.sliding_window_view(beyond, width + 1) - places[:, None]
    np.minimum(distance, far, out=distance)
    distance += (frames * (far + 1))[:, None]
    return np.asarray(table.ravel().take(distance))
