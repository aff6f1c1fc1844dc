"""Thumps after clicks: the low pulse of a pickup after a scratch has thrown it off the groove, fitted and subtracted.

A thump starts at a click, and is searched for only there: a bass drum has no click that the declicker would detect. Its
template is a damped sine of falling pitch. Below 400 Hz, the half second of music before the click is modelled. The
prediction error of this model after the click is compared with all templates, sent through the same filter, so a bass
note underneath matters little. The best template is refined and subtracted if it explains most of the error.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from concertclean.classical.autoregression import inverse_filter, yule_walker
from concertclean.classical.declick import Declicker
from concertclean.classical.gaps import runs
from concertclean.dsp.arrays import Array
from concertclean.dsp.low_pass import low_passed
from concertclean.dsp.resample import Fifo
from concertclean.dsp.segments import Segment, joined, segments

Shape = tuple[float, float, float]  # pitch, Hz; decay, s; fall

_SEGMENT_SECONDS = 6.0
_CONTEXT_SECONDS = 1.5  # a thump that began a second before the segment, and the music before it
_BEFORE_SECONDS = 0.5
_FIT_SECONDS = 0.4
_LENGTH_DECAYS = 6.9  # -60 dB
_ANALYSIS_HZ = 800
_BETA = 5.0  # of the low-pass
_ORDER = 16
_ONSET_SECONDS = 0.002
_LOUDEST = 4.0  # of a thump over its click
_HIGHEST_HZ = 150.0
_PITCHES = np.geomspace(12, _HIGHEST_HZ, 32)
_DECAYS = np.geomspace(0.015, 0.2, 7)
_FALLS = (0.0, 1.0)  # share of the pitch lost in a second
_REFINING = 0.2  # share of the energy that a finer search may add, a generous bound


@dataclass(frozen=True)
class _Thump:
    """A fitted pulse: first sample, shape (pitch in Hz, decay in seconds, fall), levels of its two quadratures."""

    start: int
    shape: Shape
    levels: Array

    def waveform(self, sample_rate: float) -> Array:
        """`(time,)`, until it has fallen by 60 dB."""
        time = np.arange(int(_LENGTH_DECAYS * self.shape[1] * sample_rate)) / sample_rate
        return np.asarray(self.levels @ _quadratures(time, *self.shape))


class Dethumper:
    """Removes clicks as a declicker does, and the thumps after the large ones.

    Args:
        declicker: None for one with its defaults.
        proof: least share of the prediction error's energy that a thump must explain.

    References:
        Vaseghi, Algorithms for restoration of archived gramophone recordings, PhD thesis, Cambridge 1988 (templates);
        Godsill, Rayner, Digital Audio Restoration, 1998, chapter 7. The parametric template is own.
    """

    def __init__(self, *, declicker: Declicker | None = None, proof: float = 0.5) -> None:
        self._declicker, self._proof = declicker or Declicker(), proof

    def removed(self, blocks: Iterator[Array], channels: int, sample_rate: int) -> Iterator[Array]:
        """What clicks and thumps add to a waveform: input minus estimate, zero where there is neither.

        Args:
            blocks: `(channel, time)` in order, cut anywhere, full scale ±1.
            channels: of the waveform; each is searched separately.
            sample_rate: Hz.

        Yields:
            `(channel, time)` pieces, together as long as the input.
        """
        step = max(1, sample_rate // (2 * _ANALYSIS_HZ))
        segment, context = (round(s * sample_rate / step) * step for s in (_SEGMENT_SECONDS, _CONTEXT_SECONDS))
        pairs = segments(self._with_clicks(blocks, channels, sample_rate), 2 * channels, segment, segment, context)

        def sums() -> Iterator[Segment]:
            for pair in pairs:
                given, clicks = pair.audio[:channels], pair.audio[channels:]
                found = (self._thumps(g, c, step, sample_rate) for g, c in zip(given, clicks, strict=True))
                yield Segment((clicks + np.stack(list(found)))[:, context:-context], pair.n_valid)

        yield from joined(sums(), segment, 0)

    def _with_clicks(self, blocks: Iterator[Array], channels: int, sample_rate: int) -> Iterator[Array]:
        """Blocks of the waveform with its clicks as additional channels."""
        seen = Fifo(channels)
        for clicks in self._declicker.removed(seen.passing(blocks), channels, sample_rate):
            yield np.concatenate([seen.pop(clicks.shape[1]), clicks])

    def _thumps(self, given: Array, clicks: Array, step: int, sample_rate: int) -> Array:
        """Thumps `(time,)` of one channel of a window."""
        total = np.zeros_like(given)
        rest = given - clicks
        low: Array | None = None
        for start, stop in zip(*runs(clicks != 0, sample_rate // 100), strict=True):
            near = rest[max(0, start - sample_rate // 4) : start + sample_rate // 4]
            peak = float(np.abs(clicks[start:stop]).max())
            if peak < np.sqrt(np.square(near).mean()):
                continue
            low = low_passed(rest, step, _BETA) if low is None else low
            thump = self._fitted(low, int(start), step, sample_rate)
            if thump is None:
                continue
            pulse = thump.waveform(sample_rate)[: len(rest) - start]
            if np.abs(pulse).max(initial=0.0) <= _LOUDEST * peak:
                total[start : start + len(pulse)] += pulse
                rest[start : start + len(pulse)] -= pulse
                sides = min(10 * step, start), min(10 * step, len(rest) - start - len(pulse))  # reach of the filter
                low[start - sides[0] : start + len(pulse) + sides[1]] -= low_passed(np.pad(pulse, sides), step, _BETA)
        return total

    def _fitted(self, lowered: Array, start: int, step: int, sample_rate: int) -> _Thump | None:
        """The thump that begins at a sample, below half the analysis rate, `(time,)`, or None."""
        rate = sample_rate / step
        before, behind = round(_BEFORE_SECONDS * rate) * step, round(_FIT_SECONDS * rate) * step
        margin = 20 * step  # of the resampling filter
        if start < before + margin or start + behind + margin > len(lowered):
            return None
        low = lowered[start - before : start + behind : step]
        n_before = before // step
        coefficients, variance = yule_walker(low[:n_before], _ORDER, floor_db=-60)
        if variance == 0:
            return None
        whiten = inverse_filter(coefficients)
        surprise = np.convolve(low, whiten)[n_before : len(low)]
        if np.square(surprise).mean() < 4 * variance:
            return None
        shape, share = _nearest(surprise, whiten, rate)
        if share < self._proof - _REFINING:
            return None
        shape, levels, share = _refined(shape, surprise, whiten, rate)
        if share < self._proof or shape[0] > _HIGHEST_HZ:
            return None
        return _Thump(start, shape, levels)


def _quadratures(time: Array, pitch: float, decay: float, fall: float) -> Array:
    """Both phases of the template, `(2, time)`; they start from zero."""
    phase = 2 * np.pi * pitch * (time - 0.5 * fall * np.minimum(time, 1.0) ** 2)
    onset = 1 - np.exp(-time / _ONSET_SECONDS)
    return np.stack([np.sin(phase), onset * np.cos(phase)]) * np.exp(-time / decay)


@lru_cache(maxsize=4)
def _grid(n_samples: int, rate: float) -> tuple[list[Shape], NDArray[np.complex128]]:
    """Initial shapes, and spectra `(shape, 2, freq)` of their quadratures, with room for the filter's tail."""
    time = np.arange(n_samples) / rate
    shapes = [(float(p), float(d), f) for p in _PITCHES for d in _DECAYS for f in _FALLS]
    return shapes, rfft(np.stack([_quadratures(time, *shape) for shape in shapes]), _n_fft(n_samples))


def _n_fft(n_samples: int) -> int:
    return int(next_fast_len(n_samples + _ORDER, real=True))


def _levels(surprise: Array, templates: Array) -> tuple[Array, Array]:
    """Levels `(..., 2)` of whitened quadratures `(..., 2, time)` closest to the error, and the energy they explain."""
    gram = templates @ np.swapaxes(templates, -1, -2)
    gram = gram + 1e-9 * np.trace(gram, axis1=-2, axis2=-1)[..., None, None] * np.eye(2)
    along = templates @ surprise
    levels = np.linalg.solve(gram, along[..., None])[..., 0]
    return levels, np.asarray((levels * along).sum(axis=-1))


def _nearest(surprise: Array, whiten: Array, rate: float) -> tuple[Shape, float]:
    """Shape of the grid closest to the error, and the share of its energy that it explains."""
    shapes, spectra = _grid(len(surprise), rate)
    n_fft = _n_fft(len(surprise))
    _, gained = _levels(surprise, irfft(spectra * rfft(whiten, n_fft), n_fft)[..., : len(surprise)])
    best = int(gained.argmax())
    return shapes[best], float(gained[best] / np.square(surprise).sum())


def _refined(first: Shape, surprise: Array, whiten: Array, rate: float) -> tuple[Shape, Array, float]:
    """Shape and levels of the template next to the surprise, searched from a shape on, and the share it explains."""
    from scipy.optimize import minimize  # takes a tenth of a second, and most recordings have no thump

    time = np.arange(len(surprise)) / rate
    energy = float(np.square(surprise).sum())

    def tried(shape: Shape) -> tuple[float, Array]:
        whitened = [np.convolve(phase, whiten)[: len(time)] for phase in _quadratures(time, *shape)]
        levels, gained = _levels(surprise, np.stack(whitened))
        return float(gained), levels

    def shape_of(logs: Array) -> Shape:
        return (
            float(np.exp(logs[0])),
            float(np.exp(np.clip(logs[1], -5, -1))),
            float(np.clip(logs[2], -0.5, 1.5)),
        )

    def unexplained(logs: Array) -> float:
        return -tried(shape_of(logs))[0] / energy

    begin = np.array([np.log(first[0]), np.log(first[1]), first[2]])
    found = minimize(unexplained, begin, method="Nelder-Mead", options={"maxiter": 120, "xatol": 1e-3, "fatol": 1e-5}).x
    shape = shape_of(found)
    gained, levels = tried(shape)
    return shape, levels, gained / energy
