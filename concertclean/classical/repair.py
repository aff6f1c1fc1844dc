"""A stretch of one channel under repair: what its models fail to predict, and the stretch with gaps filled."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from concertclean.classical.autoregression import Excitations, robust_scale, yule_walker
from concertclean.classical.filling import FLOOR_DB, ROUNDING, filled_frames, parts
from concertclean.classical.gaps import Mask, Runs, members, runs
from concertclean.dsp.arrays import Array

_Kind = TypeVar("_Kind", bound=np.generic)

CELLS = 16  # in a hop; a frame is two hops
_SIDE = 7  # cells before and after a click that it is compared with, 10 ms
_BATCH = 32  # frames at a time, as many as fit in the processor's cache


class Repair:
    """One channel of a window under repair: the errors of its models, and the estimate so far.

    Args:
        waveform: `(time,)`, a multiple of the hop.
        cell: samples; a hop is 16 cells, a frame two hops.
        order: of the search models.

    Attributes:
        estimate: `(time,)`.
        hop: samples.
        longest: samples of a run that can be filled.
        height: `(time,)`, matched output over the usual peaks around.
        spread: `(time,)`, the smaller of both errors over their standard deviation.
    """

    def __init__(self, waveform: Array, cell: int, order: int) -> None:
        self._waveform, self._cell, self._order, self.hop = waveform, cell, order, CELLS * cell
        self.estimate = waveform
        self.longest = self.hop // 2
        self.height, self.spread = np.zeros_like(waveform), np.zeros_like(waveform)
        self._usable = ~_beside_silence(waveform, order)
        self._flags = np.zeros(len(waveform), bool)
        self._stale = np.ones(len(waveform) // self.hop - 1, bool)

    def _frames(self, waveform: NDArray[_Kind], chosen: Runs) -> NDArray[_Kind]:
        return np.lib.stride_tricks.sliding_window_view(waveform, 2 * self.hop)[:: self.hop][chosen]

    def _middles(self, waveform: NDArray[_Kind]) -> NDArray[_Kind]:
        """The parts that frames cover, `(frame, hop)`, a view."""
        half = self.hop // 2
        return waveform[half : half + len(self._stale) * self.hop].reshape(-1, self.hop)

    def look(self) -> bool:
        """Searches the frames with a new estimate; returns whether there were any."""
        stale = np.flatnonzero(self._stale)
        for start in range(0, len(stale), _BATCH):
            self._look_at(stale[start : start + _BATCH])
        self.spread *= self._usable
        return len(stale) > 0

    def _look_at(self, chosen: Runs) -> None:
        given, repaired = self._frames(self._waveform, chosen), self._frames(self.estimate, chosen)
        coefficients, _ = yule_walker(repaired, self._order, floor_db=FLOOR_DB)
        models = Excitations(coefficients, 2 * self.hop)
        forward, backward, matched = models.three(given)
        error, usual = forward, matched
        if self.estimate is not self._waveform:
            error, usual = models.forward_and_matched(repaired)
        middle = np.s_[:, self.hop // 2 : self.hop // 2 + self.hop]
        scale = np.maximum(robust_scale(error[:, self._order : -self._order]), ROUNDING)
        smaller = np.minimum(np.abs(forward[middle]), np.abs(backward[middle]))
        self._middles(self.spread)[chosen] = smaller / scale[:, None]
        self._middles(self.height)[chosen] = np.abs(matched[middle]) / self._usual(np.abs(usual))

    def _usual(self, matched: Array) -> Array:
        """The peak that is rarely exceeded in the 10 ms before, the 10 ms after or the whole frame, `(frame, hop)`."""
        peaks = matched.reshape(len(matched), -1, self._cell).max(axis=2)[:, 1:-1]  # the ends see silence
        sides = np.lib.stride_tricks.sliding_window_view(peaks, _SIDE, axis=1)
        sides = np.partition(sides, 4, axis=2)[..., 4]  # two of seven may be clicks
        rank = round(0.8 * peaks.shape[1])
        around = np.partition(peaks, rank, axis=1)[:, rank, None]
        usual = np.maximum(np.maximum(sides[:, :CELLS], sides[:, -CELLS:]), around)
        return np.repeat(np.maximum(usual, 2.4 * ROUNDING), self._cell, axis=1)

    def fill(self, starts: Runs, stops: Runs, longest: int, proof: float, short: float) -> None:
        """Replaces runs of the waveform by the prediction of models of the estimate.

        Runs that were filled before and still stand out stay filled, even if the run is now too long or its filling
        fails. Otherwise a click that has merged with its neighbours would return in full.

        Args:
            starts: first samples of what stands out.
            stops: samples after the last ones.
            longest: samples of a run that is filled.
            proof: factor by which the energy of the error must fall.
            short: samples; for longer runs the factor grows with the cube of their length.
        """
        before, self.estimate = self.estimate, self._waveform.copy()
        places = members(starts, stops)
        self.estimate[places] = before[places]
        wanted = stops - starts <= longest
        flags = np.zeros(len(before), bool)
        flags[members(starts[wanted], stops[wanted])] = True
        # If neither the models nor the unknown samples have changed, the filling would not change either.
        again = self._stale | self._beside(flags != self._flags)
        self._flags = flags
        clicks = _Clicks.owned(flags, self.hop, proof, short)
        clicks = clicks.chosen(again[clicks.frames])
        frames = np.unique(clicks.frames)
        for part, order in parts(self._frames(flags, frames), self._order, _BATCH):
            reach = order + max(order, longest // 2 + 1)
            own = clicks.chosen(np.isin(clicks.frames, frames[part]))
            self._replace(own, frames[part], before, order, max(0, self.hop // 2 - reach))
        self._stale = self._beside(self.estimate != before)

    def _beside(self, changed: Mask) -> Mask:
        """Frames that contain a change, `(frame,)`."""
        hops: Mask = np.any(changed.reshape(-1, self.hop), axis=1)
        return np.asarray(hops[1:] | hops[:-1])

    def _replace(self, clicks: "_Clicks", frames: Runs, before: Array, order: int, lead: int) -> None:
        """Replaces the clicks of some frames if the filling proves that they are clicks.

        Args:
            clicks: those that the frames own.
            frames: their numbers, ascending.
            before: the estimate so far.
            order: of the models that fill.
            lead: samples at both ends of a frame that are too far from its middle to matter.
        """
        given, earlier, flags = (self._frames(w, frames) for w in (self._waveform, before, self._flags))
        solved, energies = filled_frames(given, earlier, flags, order, lead)
        lengths, rows = clicks.stops - clicks.starts, np.searchsorted(frames, clicks.frames)
        first = clicks.starts - clicks.frames * self.hop - lead
        inside = (first > 0) & (first + lengths <= solved.shape[1])
        ends = first + lengths + self._order - 1, first - 1
        spent, left = (np.subtract(*(e[rows, np.clip(end, 0, e.shape[1] - 1)] for end in ends)) for e in energies)
        good = inside & (spent > left * clicks.proofs)
        at = np.repeat(rows[good], lengths[good]), members(first[good], (first + lengths)[good])
        self.estimate[members(clicks.starts[good], clicks.stops[good])] = solved[at]


@dataclass(frozen=True)
class _Clicks:
    """Runs of unknown samples, `(click,)` each: first sample, the one after the last, owning frame, proof needed."""

    starts: Runs
    stops: Runs
    frames: Runs
    proofs: Array

    @classmethod
    def owned(cls, flags: Mask, hop: int, proof: float, short: float) -> "_Clicks":
        """Runs whose centre lies in the middle of a frame of two hops."""
        starts, stops = runs(flags, 1)  # margins may have met
        frames = (starts + stops - hop) // (2 * hop)
        found = cls(starts, stops, frames, proof * (1 + ((stops - starts) / short) ** 3))
        return found.chosen((frames >= 0) & (frames < len(flags) // hop - 1))

    def chosen(self, mask: Mask) -> "_Clicks":
        """Those for which a mask is true."""
        return _Clicks(self.starts[mask], self.stops[mask], self.frames[mask], self.proofs[mask])


def _beside_silence(waveform: Array, order: int) -> Mask:
    """Samples less than `order` after, or before, as many zeros: where the sound starts or stops, which is not a click.

    A single click between two silences is not among them.
    """

    def behind(silent: Mask) -> Mask:
        ends = _trailing(silent, order) == order
        return np.append(False, _trailing(ends, order)[:-1] > 0)

    silent = waveform == 0
    return behind(silent) ^ behind(silent[::-1])[::-1]


def _trailing(flags: Mask, n_samples: int) -> Runs:
    """How many of the last `n_samples`, including this one, are true."""
    total = np.pad(np.cumsum(flags), (n_samples, 0))
    return np.asarray(total[n_samples:] - total[:-n_samples])
