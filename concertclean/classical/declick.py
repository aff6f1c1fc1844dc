"""Clicks found by what autoregressive models cannot foresee, and replaced by what they expect there.

Frames of 46 ms overlap by half; each has a model and answers for its middle. A click is a sample whose matched output
is large against the peaks before, behind and all around it: attacks are loud behind, the pulses of brass and voices
come again and again, a click stands alone. It lasts while both the forward and the backward error are large, as the
first is smeared behind the click and the second before it. Filling it must take most of the error away, which it does
not where the music itself jumps. Models are then estimated again from the repaired frames and the search repeated.
"""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from concertclean.classical.autoregression import Excitations, filled, least_squares, robust_scale, yule_walker
from concertclean.dsp.segments import Segment, joined, segments

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Runs = NDArray[np.intp]
_Kind = TypeVar("_Kind", bound=np.generic)

_CELLS = 16  # in a hop; a frame is two hops
_SIDE = 7  # cells before and behind a click that it is compared with, 10 ms
_FILL = 3  # models that fill are longer than those that search: long gaps need the harmonics apart
_LONGEST_FILL = 128
_FLOOR_DB = -90.0  # of the models, below each frame: what lies deeper is coding noise
_ROUNDING = 2.0**-16  # half a step of 16 bits: smaller errors are no clicks
_MARGIN = 1  # samples on each side of a click that are replaced with it
_SEGMENT_SECONDS = 4.0
_BATCH = 64  # frames at a time: what the processor's cache holds


class Declicker:
    """Removes clicks of up to a few milliseconds and leaves every other sample as it is.

    Args:
        threshold: height of a click over the usual peaks around it; peaks of noise reach 1.7.
        extent: level of both errors, in their standard deviations, down to which a click lasts.
        proof: factor by which the error's energy must fall when a short click is filled; more for long ones.
        order: of the searching models at 44.1 kHz; in proportion at other rates, but at least 12.
        iterations: searches.
        longest_seconds: what stands out for longer is music.
        merge_seconds: shorter gaps inside a click belong to it.
        frame_seconds: length of a frame, in which music should be steady.

    References:
        Godsill, Rayner, Digital Audio Restoration, 1998, chapter 5; the comparison with peaks and the proof are own.
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

    def removed(self, blocks: Iterator[Floats], channels: int, sample_rate: int) -> Iterator[Floats]:
        """What the clicks add to a waveform: input less estimate, zero outside clicks.

        Args:
            blocks: `(channel, time)` in order, cut anywhere, full scale ±1.
            channels: of the waveform; each is searched alone.
            sample_rate: Hz.

        Yields:
            `(channel, time)` pieces, together as long as the input.
        """
        cell = max(8, round(self._frame_seconds * sample_rate / (2 * _CELLS)))
        hop = _CELLS * cell
        # Each search looks one frame and a half around, filling as far again.
        segment, context = round(_SEGMENT_SECONDS * sample_rate / hop + 1) * hop, (3 * self._iterations + 2) * hop
        windows = segments(blocks, channels, segment, segment, context)

        def residuals() -> Iterator[Segment]:
            for window in windows:
                removed = np.stack([w - self._repaired(w, cell, sample_rate) for w in window.audio])
                yield Segment(removed[:, context:-context], window.n_valid)

        yield from joined(residuals(), segment, 0)

    def _repaired(self, waveform: Floats, cell: int, sample_rate: int) -> Floats:
        """`(time,)` without clicks."""
        work = _Repair(waveform, cell, max(12, round(self._order * sample_rate / 44_100)))
        for _ in range(self._iterations):
            if not work.look():
                break
            starts, stops = self._clicks(work, sample_rate)
            work.fill(starts, stops, self._proof, 20 * sample_rate / 44_100)
        return work.estimate

    def _clicks(self, work: "_Repair", sample_rate: int) -> tuple[Runs, Runs]:
        """Starts and ends of what stands out, margins included."""
        starts, stops = runs(work.spread > self._extent, max(1, round(self._merge_seconds * sample_rate)))
        if not len(starts):
            return starts, stops
        heights = np.maximum.reduceat(np.append(work.height, 0.0), np.stack([starts, stops], axis=1).ravel())[::2]
        longest = min(self._longest_seconds * sample_rate, work.longest)
        wanted = (heights > self._threshold) & (stops - starts <= longest)
        return np.maximum(starts[wanted] - _MARGIN, 0), np.minimum(stops[wanted] + _MARGIN, len(work.height))


def clicks(waveform: Floats, sample_rate: int, declicker: Declicker | None = None) -> Mask:
    """Where a waveform `(channel, time)` has clicks: true for every sample that a declicker replaces.

    Args:
        waveform: full scale ±1.
        sample_rate: Hz.
        declicker: None for one with its defaults.
    """
    found = (declicker or Declicker()).removed(iter([waveform]), len(waveform), sample_rate)
    return np.concatenate([np.zeros((len(waveform), 0), bool), *(piece != 0 for piece in found)], axis=1)


def runs(flags: Mask, gap: int) -> tuple[Runs, Runs]:
    """Starts and ends of the runs of true values of `(time,)`; runs that are at most `gap` samples apart are one."""
    places = np.flatnonzero(flags)
    breaks = np.flatnonzero(np.diff(places) > gap)
    return places[np.append(0, breaks + 1)[: len(places)]], places[np.append(breaks, -1)[: len(places)]] + 1


class _Repair:
    """One channel of a window under repair: what its models say, and the estimate so far.

    Args:
        waveform: `(time,)`, a multiple of the hop.
        cell: samples; a hop is 16 cells, a frame two hops.
        order: of the searching models.

    Attributes:
        estimate: `(time,)`.
        longest: samples of a run that can be filled.
        height: `(time,)`, matched output over the usual peaks around.
        spread: `(time,)`, the smaller of both errors over their standard deviation.
    """

    def __init__(self, waveform: Floats, cell: int, order: int) -> None:
        self._waveform, self._cell, self._order, self._hop = waveform, cell, order, _CELLS * cell
        self.estimate = waveform
        self.longest = self._hop // 2
        self.height, self.spread = np.zeros_like(waveform), np.zeros_like(waveform)
        self._usable = ~_beside_silence(waveform, order)
        self._stale = np.ones(len(waveform) // self._hop - 1, bool)

    def _frames(self, waveform: NDArray[_Kind], chosen: Mask | Runs) -> NDArray[_Kind]:
        return np.lib.stride_tricks.sliding_window_view(waveform, 2 * self._hop)[:: self._hop][chosen]

    def _middles(self, waveform: NDArray[_Kind]) -> NDArray[_Kind]:
        """The parts that frames answer for, `(frame, hop)`, a view."""
        half = self._hop // 2
        return waveform[half : half + len(self._stale) * self._hop].reshape(-1, self._hop)

    def look(self) -> bool:
        """Searches frames again whose estimate is new; whether there were any."""
        stale = np.flatnonzero(self._stale)
        for start in range(0, len(stale), _BATCH):
            self._look_at(stale[start : start + _BATCH])
        self.spread *= self._usable
        return len(stale) > 0

    def _look_at(self, chosen: Runs) -> None:
        given, repaired = self._frames(self._waveform, chosen), self._frames(self.estimate, chosen)
        coefficients, _ = yule_walker(repaired, self._order, floor_db=_FLOOR_DB)
        models = Excitations(coefficients, 2 * self._hop)
        forward, backward, matched = models.three(given)
        error, _, usual = (forward, backward, matched) if self.estimate is self._waveform else models.three(repaired)
        middle = np.s_[:, self._hop // 2 : self._hop // 2 + self._hop]
        scale = np.maximum(robust_scale(error[:, self._order : -self._order]), _ROUNDING)
        smaller = np.minimum(np.abs(forward[middle]), np.abs(backward[middle]))
        self._middles(self.spread)[chosen] = smaller / scale[:, None]
        self._middles(self.height)[chosen] = np.abs(matched[middle]) / self._usual(np.abs(usual))

    def _usual(self, matched: Floats) -> Floats:
        """The peak that neither the 10 ms before, those behind nor the whole frame often exceed, `(frame, hop)`."""
        peaks = matched.reshape(len(matched), -1, self._cell).max(axis=2)[:, 1:-1]  # the ends see silence
        sides = np.lib.stride_tricks.sliding_window_view(peaks, _SIDE, axis=1)
        sides = np.partition(sides, 4, axis=2)[..., 4]  # two of seven may be clicks
        rank = round(0.8 * peaks.shape[1])
        around = np.partition(peaks, rank, axis=1)[:, rank, None]
        usual = np.maximum(np.maximum(sides[:, :_CELLS], sides[:, -_CELLS:]), around)
        return np.repeat(np.maximum(usual, 2.4 * _ROUNDING), self._cell, axis=1)

    def fill(self, starts: Runs, stops: Runs, proof: float, short: float) -> None:
        """Replaces runs of the waveform by what models of the estimate expect there.

        Args:
            starts: first samples.
            stops: samples after the last ones.
            proof: factor by which the energy of the error must fall.
            short: samples; of runs longer than this, more is asked, as the cube of their length.
        """
        before, self.estimate = self.estimate, self._waveform.copy()
        edges = np.zeros(len(before) + 1, np.intp)
        np.add.at(edges, starts, 1)
        np.add.at(edges, stops, -1)
        flags = np.cumsum(edges[:-1]) > 0
        starts, stops = runs(flags, 1)  # margins may have met
        owners = (starts + stops - self._hop) // (2 * self._hop)
        for number, solved, energies in self._solved(before, flags, owners):
            for run in np.flatnonzero(owners == number):
                start, stop = starts[run] - number * self._hop, stops[run] - number * self._hop
                spent, left = energies[:, min(stop + self._order, 2 * self._hop) - 1] - energies[:, start - 1]
                if spent > left * proof * (1 + ((stop - start) / short) ** 3):
                    self.estimate[starts[run] : stops[run]] = solved[start:stop]
        changed = (self.estimate != before).reshape(-1, self._hop).any(axis=1)
        self._stale = changed[1:] | changed[:-1]

    def _solved(self, before: Floats, flags: Mask, owners: Runs) -> Iterator[tuple[int, Floats, Floats]]:
        """Frames that have clicks in their middle: number, filled frame, summed energy of the error before and after.

        A click is taken as noise whose power is known: at first what both errors have, then what the first filling
        took away. So its tail is not thrown away for an expectation that is worse than it.

        Args:
            before: the estimate so far, whose models fill.
            flags: `(time,)`, true for samples that are not known.
            owners: numbers of frames, in any order.
        """
        chosen = np.zeros(len(self._stale), bool)
        chosen[owners[(owners >= 0) & (owners < len(chosen))]] = True
        if not chosen.any():
            return
        order = min(_FILL * self._order, _LONGEST_FILL)
        unknown = self._frames(flags, chosen).copy()
        unknown[:, :order] = unknown[:, -order:] = False
        given = self._frames(self._waveform, chosen)
        coefficients, _ = least_squares(self._frames(before, chosen), order, floor_db=_FLOOR_DB)
        models = Excitations(coefficients, 2 * self._hop)
        solved = np.where(unknown, 0, given)
        right = -models.matched(solved)
        forward, backward, _ = models.three(given)
        powers = _smooth(np.minimum(np.abs(forward), np.abs(backward)) ** 2)
        scales = np.maximum(robust_scale(models.forward(self._frames(before, chosen))[:, order:-order]), _ROUNDING)
        for i, u in enumerate(map(np.flatnonzero, unknown)):
            click = powers[i, u]
            for _ in range(2):
                trust = scales[i] ** 2 / np.maximum(click, 1e-9 * scales[i] ** 2)
                solved[i, u] = filled(right[i, u], u, models.correlation[i], held=given[i, u], trust=trust)
                click = _smooth((given[i, u] - solved[i, u]) ** 2)
        energies = np.stack([np.cumsum(np.square(models.forward(f)), axis=1) for f in (given, solved)], axis=1)
        yield from zip(np.flatnonzero(chosen).tolist(), solved, energies, strict=True)


def _smooth(powers: Floats) -> Floats:
    """Means of five neighbours."""
    return np.asarray(uniform_filter1d(powers, 5, axis=-1))


def _beside_silence(waveform: Floats, order: int) -> Mask:
    """Samples less than `order` behind, or before, as many zeros: where the sound starts or stops, which is no click.

    What lies between two silences, a click alone, is not among them.
    """

    def behind(silent: Mask) -> Mask:
        ends = _trailing(silent, order) == order
        return np.append(False, _trailing(ends, order)[:-1] > 0)

    silent = waveform == 0
    return behind(silent) ^ behind(silent[::-1])[::-1]


def _trailing(flags: Mask, n_samples: int) -> Runs:
    """How many of the last `n_samples`, this one included, are true."""
    total = np.pad(np.cumsum(flags), (n_samples, 0))
    return np.asarray(total[n_samples:] - total[:-n_samples])
