"""Finds, tracks and subtracts mains hum, partial by partial.

Hum is a comb of tones at multiples of 50 or 60 Hz, give or take the speed of a transfer, that never stop. A low
quantile over windows of two seconds separates it from music: notes vanish, steady tones remain. If such tones form a
comb, each is shifted to zero frequency. The windows with the least on top show the hum alone, and a tone missing from
some windows is not hum. The mean level and phase of eight seconds are subtracted from the middle four and faded into
the next, so slow changes are tracked.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import grey_opening, median_filter

from concertclean.dsp.arrays import Array
from concertclean.dsp.low_pass import decimated
from concertclean.dsp.segments import Segment, joined, segments

Complex = NDArray[np.complex128]

_SEGMENT_SECONDS = 4.0
_CONTEXT_SECONDS = 2.0
_WINDOW_SECONDS = 2.0  # a Hann window of this length rejects tones 1 Hz away
_HOP_SECONDS = 0.25
_ANALYSIS_HZ = 4000  # the rate at which hum is searched, at least
_BETA = 8.0  # of the low-pass before it
_BIN_HZ = 0.125
_STEP_HZ = 0.02  # of the search; a twentieth partial is then missed by 0.2 Hz at most
_APART_HZ = 0.05  # a partial farther from its place in the comb is a note
_SILENCE_SECONDS = 0.01  # runs of zeros this long are digital silence, without hum
_FEWEST_WINDOWS = 5  # 3 s of sound


@dataclass(frozen=True)
class _Hum:
    """Partials of a frame: `frequencies`, Hz, and `phasors`, level and phase at the frame's first sample."""

    pitch_hz: float
    frequencies: Array
    phasors: Complex

    def agrees(self, other: "_Hum | None") -> bool:
        """Whether the other is the same comb, to 0.3 %."""
        return other is not None and abs(other.pitch_hz / self.pitch_hz - 1) < 0.003


class Dehummer:
    """Removes mains hum; if there is none, it removes nothing.

    A note that neither fades nor wavers for ten seconds, with two or more partials on the comb, is indistinguishable
    from hum; give `mains_hz` and a small `speed` for organs.

    Args:
        mains_hz: frequencies where the comb may start.
        speed: largest deviation of the pitch, as of a transfer at a wrong speed; 0.03 for 3 %.
        partials: most that are removed, the first one included.
        needed: least number of steady partials in a comb.

    References:
        Own.
    """

    def __init__(
        self,
        *,
        mains_hz: tuple[float, ...] = (50.0, 60.0),
        speed: float = 0.03,
        partials: int = 20,
        needed: int = 2,
    ) -> None:
        self._pitches = np.concatenate(
            [np.arange(f * (1 - speed), f * (1 + speed) + _STEP_HZ / 2, _STEP_HZ) for f in mains_hz]
        )
        self._partials, self._needed = partials, needed

    def removed(self, blocks: Iterator[Array], channels: int, sample_rate: int) -> Iterator[Array]:
        """The hum of a waveform: input minus estimate; exactly zero where none is found, and in digital silence.

        Args:
            blocks: `(channel, time)` in order, cut anywhere, full scale ±1.
            channels: of the waveform; each is searched separately.
            sample_rate: Hz.

        Yields:
            `(channel, time)` pieces, together as long as the input.
        """
        segment, context = round(_SEGMENT_SECONDS * sample_rate), round(_CONTEXT_SECONDS * sample_rate)
        windows = segments(blocks, channels, segment, segment // 2, context)
        hums = (Segment(self._hums(w, context, sample_rate), w.n_valid) for w in self._agreed(windows, sample_rate))
        yield from joined(hums, segment, segment - segment // 2)

    def pitch_of(self, waveform: Array, sample_rate: int) -> tuple[float, int] | None:
        """Pitch, Hz, and number of the partials of the hum that would be removed; see `hum_of`."""
        segment, context = round(_SEGMENT_SECONDS * sample_rate), round(_CONTEXT_SECONDS * sample_rate)
        windows = segments(iter([waveform]), len(waveform), segment, segment // 2, context)
        found = [hum for analysed in self._agreed(windows, sample_rate) for hum in analysed.hums if hum is not None]
        if not found:
            return None
        return float(np.median([hum.pitch_hz for hum in found])), max(len(hum.frequencies) for hum in found)

    def _agreed(self, windows: Iterator[Segment], sample_rate: int) -> Iterator["_Analysed"]:
        """Segments with their hum, limited to hum that the segment before or after also has."""
        before: list[_Hum | None] | None = None
        held: _Analysed | None = None
        for window in windows:
            analysed = _Analysed(window.audio, window.n_valid, [self._found(w, sample_rate) for w in window.audio])
            if held is not None:
                yield held.confirmed(before, analysed.hums)
                before = held.hums
            held = analysed
        if held is not None:
            yield held.confirmed(before, None)

    def _hums(self, analysed: "_Analysed", context: int, sample_rate: int) -> Array:
        """`(channel, time)` of the segment, context apart."""
        time = np.arange(context, analysed.audio.shape[1] - context) / sample_rate
        total = np.zeros((len(analysed.audio), len(time)))
        for channel, hum in enumerate(analysed.hums):
            if hum is not None:
                for frequency, phasor in zip(hum.frequencies, hum.phasors, strict=True):
                    total[channel] += np.real(phasor * np.exp(2j * np.pi * frequency * time))
                total[channel, _silent(analysed.audio[channel], sample_rate)[context:-context]] = 0
        return total

    def _found(self, frame: Array, sample_rate: int) -> _Hum | None:
        """The hum of a frame `(time,)`."""
        step = max(1, sample_rate // _ANALYSIS_HZ)
        rate = sample_rate / step
        size, hop = round(_WINDOW_SECONDS * rate), round(_HOP_SECONDS * rate)
        low = decimated(frame, step, _BETA)
        sounding = ~_silent(frame, sample_rate)[::step][: len(low)]
        starts = np.arange(0, len(low) - size + 1, hop)
        starts = starts[[sounding[s : s + size].all() for s in starts]]
        if len(starts) < _FEWEST_WINDOWS:
            return None
        windows = np.lib.stride_tricks.sliding_window_view(low, size)[starts]
        pitch, partials = self._comb(windows, rate)
        return _measured(windows, starts, pitch, partials, rate, self._needed) if len(partials) else None

    def _comb(self, windows: Array, rate: float) -> tuple[float, NDArray[np.intp]]:
        """Pitch, Hz, and numbers of the partials of the comb that stands out most of what is always there."""
        n_fft = round(rate / _BIN_HZ)
        spectrum = np.abs(np.fft.rfft(windows * np.hanning(windows.shape[1]), n_fft))
        top = 1.0 + self._partials * self._pitches.max()
        lasting = np.quantile(spectrum[:, : int(min(top, 0.4 * rate) * n_fft / rate)], 0.25, axis=0)
        around = median_filter(lasting, round(8 / _BIN_HZ) + 1)
        salience = np.clip(lasting / np.maximum(around, 1e-12 + 1e-9 * lasting.max()), 1, 20)
        numbers = np.arange(1, self._partials + 1)
        places = np.rint(np.outer(self._pitches, numbers) * n_fft / rate).astype(np.intp)
        found = np.where(places < len(salience), salience[np.minimum(places, len(salience) - 1)], 1)
        best = int(np.log(found).sum(axis=1).argmax())
        return float(self._pitches[best]), numbers[found[best] > 3]


def hum_of(waveform: Array, sample_rate: int, dehummer: Dehummer | None = None) -> tuple[float, int] | None:
    """Pitch of the hum in a waveform, Hz, and the number of its partials; None if there is no hum.

    Args:
        waveform: `(channel, time)` of eight seconds and more, full scale ±1.
        sample_rate: Hz.
        dehummer: None for one with its defaults.
    """
    return (dehummer or Dehummer()).pitch_of(waveform, sample_rate)


@dataclass(frozen=True)
class _Analysed:
    """A segment, its hum by channel, and how much of it lies in the recording."""

    audio: Array
    n_valid: int
    hums: list[_Hum | None]

    def confirmed(self, before: list[_Hum | None] | None, after: list[_Hum | None] | None) -> "_Analysed":
        """The segment without hums that neither neighbour has; one without neighbours keeps them."""
        if before is None and after is None:
            return self
        absent: list[_Hum | None] = [None] * len(self.hums)
        triples = zip(self.hums, before or absent, after or absent, strict=True)
        kept = [h if h is not None and (h.agrees(b) or h.agrees(a)) else None for h, b, a in triples]
        return _Analysed(self.audio, self.n_valid, kept)


def _measured(
    windows: Array, starts: NDArray[np.intp], pitch: float, partials: NDArray[np.intp], rate: float, needed: int
) -> _Hum | None:
    """Exact frequencies and phasors of the steady partials; None if there are too few."""
    comb = frequencies = np.asarray(pitch * partials, dtype=np.float64)
    for shared in (True, True, False, False):
        # A tone off the frequency rotates from window to window; first the comb is moved, then each partial alone.
        phasors = _heterodyned(windows, starts, frequencies, rate)
        turns = phasors[1:] * phasors[:-1].conj() * (np.diff(starts) == np.diff(starts).min())[:, None]
        weights = np.minimum(np.abs(turns), np.median(np.abs(turns), axis=0))  # loud notes do not outvote the rest
        turn = (weights * np.exp(1j * np.angle(turns))).sum(axis=0)
        away = np.angle(turn) * rate / (2 * np.pi * np.diff(starts).min())
        if shared:
            share = partials * np.abs(turn)
            wrong = float((share * away).sum() / ((share * partials).sum() or 1.0))
            comb = frequencies = frequencies + partials * wrong
        else:
            frequencies = frequencies + away
    phasors = _heterodyned(windows, starts, frequencies, rate)
    beside = np.concatenate([_heterodyned(windows, starts, frequencies + d, rate) for d in (-4, -2.5, 2.5, 4)])
    floor = np.median(np.abs(beside), axis=0)
    quiet = np.sort(np.argsort(np.abs(phasors), axis=0)[: (len(phasors) + 1) // 2], axis=0)
    alone = np.take_along_axis(phasors, quiet, axis=0)
    level = np.median(alone.real, axis=0) + 1j * np.median(alone.imag, axis=0)
    size = np.abs(level)
    steady = np.median(np.abs(alone - level), axis=0) < 0.2 * size
    steady &= np.quantile(np.abs(phasors), 0.1, axis=0) > 0.5 * size
    steady &= size > 3 * floor
    steady &= np.abs(frequencies - comb) < _APART_HZ
    if steady.sum() < needed:
        return None
    return _Hum(float(np.median(frequencies[steady] / partials[steady])), frequencies[steady], level[steady])


def _heterodyned(windows: Array, starts: NDArray[np.intp], frequencies: Array, rate: float) -> Complex:
    """Phasors `(window, partial)`, level and phase at the frame's first sample."""
    weights = np.hanning(windows.shape[1])
    time = np.arange(windows.shape[1]) / rate
    waves = np.exp(-2j * np.pi * np.outer(time, frequencies)) * (2 * weights / weights.sum())[:, None]
    return np.asarray(windows @ waves * np.exp(-2j * np.pi * np.outer(starts / rate, frequencies)))


def _silent(waveform: Array, sample_rate: int) -> NDArray[np.bool_]:
    """Samples of `(time,)` inside runs of zeros."""
    length = max(2, round(_SILENCE_SECONDS * sample_rate))
    return np.asarray(grey_opening((waveform == 0).astype(np.uint8), length) > 0)
