"""BSS Eval: how much of an estimate is its reference, other sources, and artifacts.

The estimate is projected, by least squares, on the references delayed by 0 to 511 samples: the filtered version of its
own reference counts as target, those of the other references as interference, the rest as artifacts. So the ratios
ignore an equaliser and a short delay, unlike plain SNR.

*Conventions*: full scale ±1, order (reference, estimate), higher is better, dB. Sources keep their order. An estimate
equal to its reference scores inf; a filtered one is limited by rounding, well over 100. With one reference there is no
interference: SIR is inf and, in version 3, SAR equals SDR. A silent reference is not defined (`MetricError`). The
result is never NaN.

*Numbers*: a reference without energy in some band, or two equal references, leave filters undetermined. Every reference
is scaled to unit energy and the normal equations are loaded by about 1e-11 of its mean power density, which selects the
smallest possible filters; refinement undoes the effect of the load wherever there is energy. Version 4 cuts the
references into windows before it filters them, and a filter that had to lift an almost empty band lifts what the cuts
add there: ISR and SAR then reflect the cuts, more so in museval, whose undetermined filters depend on rounding.

References:
    Vincent, Gribonval, Févotte: Performance measurement in blind audio source separation, IEEE TASLP 2006 (version 3).
    Vincent, Sawada, Bofill, Makino, Rosca: First stereo audio source separation evaluation campaign, ICA 2007 (images).
    Stöter, Liutkus, Ito: The 2018 signal separation evaluation campaign, LVA/ICA 2018 (version 4).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len
from scipy.linalg import cho_factor, cho_solve

from concertclean.dsp.arrays import Array
from concertclean.errors import MetricError
from concertclean.metrics.pair import Waveform, validate
from concertclean.metrics.sdr import energy, mean_db, ratio_db, window_energies

Spectra = NDArray[np.complex128]

_LOAD = 100 * np.finfo(np.float64).eps  # times the unknowns; far above what rounding does to an eigenvalue
_REFINEMENTS = 2
_BLOCK = 16384  # samples; correlations are summed over blocks of about this length


@dataclass(frozen=True)
class SourceScores:
    """Version 3, of the whole recording; every ratio `(source,)`, dB."""

    sdr: Array
    sir: Array
    sar: Array


@dataclass(frozen=True)
class ImageScores:
    """Version 4, in windows of one second; every ratio `(source, frame)`, dB.

    Attributes:
        sdr: reference over the whole error; no filter enters, it is the SNR of the frame.
        isr: reference over what its own filter changes (image to spatial distortion).
        sir: filtered reference over interference.
        sar: all projections over artifacts.
        is_silent: `(window,)`; a window in which any reference or estimate is silent has no frame.
    """

    sdr: Array
    isr: Array
    sir: Array
    sar: Array
    is_silent: NDArray[np.bool_]

    @property
    def n_silent(self) -> int:
        """How many windows were left out."""
        return int(self.is_silent.sum())

    def median(self) -> dict[str, Array]:
        """Median over frames, `(source,)`, under "sdr", "isr", "sir" and "sar"; between inf and -inf lies -inf."""
        return {name: _median(getattr(self, name)) for name in ("sdr", "isr", "sir", "sar")}


def sdr(reference: Waveform, estimate: Waveform, *, n_taps: int = 512) -> float:
    """SDR of version 3 with one reference: each channel separately, mean over channels, dB.

    Args:
        reference: `(channel, time)`.
        estimate: same shape; a silent channel gives -inf, its gain does not matter.
        n_taps: samples of the ignored filter; 512 are 12 ms at 44.1 kHz.

    Raises:
        ValueError: see `pair.validate`, or `n_taps` is not positive.
        MetricError: shorter than the filter, or a channel of the reference is silent.
    """
    validate(reference, estimate)
    _demand_sound(reference, "channel of the reference", n_taps)
    if not estimate.any(axis=1).all():
        return float("-inf")
    pairs = zip(reference[:, None], estimate[:, None], strict=True)
    return mean_db([float(sources(truth, found, n_taps=n_taps).sdr[0]) for truth, found in pairs])


def sources(references: Waveform, estimates: Waveform, *, n_taps: int = 512) -> SourceScores:
    """SDR, SIR and SAR of version 3, the whole recording at once.

    Args:
        references: `(source, time)`.
        estimates: same shape; their gains do not matter.
        n_taps: samples of the ignored filters.

    Raises:
        ValueError: see `pair.validate`, or `n_taps` is not positive.
        MetricError: shorter than the filter, or a reference or an estimate is silent.
    """
    validate(references, estimates)
    _demand_sound(references, "reference", n_taps)
    _demand_sound(estimates, "estimate", n_taps)
    found = _unit(estimates)[:, None]
    decomposition = _Decomposition(references[:, None], found, n_taps)
    own, every = decomposition.projections(0, references.shape[1])
    found = np.pad(found, ((0, 0), (0, 0), (0, n_taps - 1)))
    scores = np.stack([_ratios(own, found - own), _ratios(own, every - own), _ratios(every, found - every)])
    scores[:, (references == estimates).all(axis=1)] = np.inf
    return SourceScores(*scores)


def images(references: Waveform, estimates: Waveform, sample_rate: int, *, n_taps: int = 512) -> ImageScores:
    """SDR, ISR, SIR and SAR of version 4: filters of the whole recording, ratios of every second.

    A last window that is not full is dropped; a recording shorter than a second is one window.

    Args:
        references: `(source, channel, time)`; one source is allowed.
        estimates: same shape.
        sample_rate: Hz.
        n_taps: samples of the filters.

    Raises:
        ValueError: shapes differ or are not `(source, channel, time)`, see `pair.validate`; `sample_rate` or `n_taps`
            is not positive.
        MetricError: shorter than the filter, a reference or an estimate is silent, or one of them is in each window.
    """
    if references.ndim != 3 or references.shape != estimates.shape or not references.size or sample_rate <= 0:
        raise ValueError(
            f"shapes are {references.shape} and {estimates.shape}, sample_rate is {sample_rate}; must be equal, "
            "(source, channel, time), and positive"
        )
    n_sources, _, n_samples = references.shape
    validate(references.reshape(n_sources, -1), estimates.reshape(n_sources, -1))
    _demand_sound(references, "reference", n_taps)
    _demand_sound(estimates, "estimate", n_taps)
    peak = max(np.abs(references).max(), np.abs(estimates).max())
    truth, found = references.astype(np.float64) / peak, estimates.astype(np.float64) / peak
    window = min(sample_rate, n_samples)
    starts = np.arange(0, n_samples - window + 1, window)
    is_silent = np.array([_has_silence(truth, at, window) or _has_silence(found, at, window) for at in starts])
    if is_silent.all():
        raise MetricError("in every window a reference or an estimate is silent: BSS Eval is not defined")
    decomposition = _Decomposition(truth, found, n_taps)
    frames = [_frame_scores(decomposition, truth, found, at, window) for at in starts[~is_silent]]
    scores = np.concatenate([_sdr(truth, found, window)[None, :, ~is_silent], np.stack(frames, axis=-1)])
    scores[:, (references == estimates).all(axis=(1, 2))] = np.inf
    return ImageScores(scores[0], scores[1], scores[2], scores[3], is_silent)


def _sdr(truth: Array, found: Array, window: int) -> Array:
    """SDR of every window, `(source, window)`."""
    signal, noise = (each.sum(axis=1) for each in window_energies(truth, found, window))
    ratios = [ratio_db(s, n) for s, n in zip(signal.ravel(), noise.ravel(), strict=True)]
    return np.reshape(ratios, signal.shape)


class _Decomposition:
    """Projections of estimates on filtered references; filters of the whole, projections of any part.

    Args:
        references: `(source, channel, time)`.
        estimates: same shape.
        n_taps: samples of the filters.
    """

    def __init__(self, references: Waveform, estimates: Waveform, n_taps: int) -> None:
        n_sources, n_channels, _ = references.shape
        self._n_taps = n_taps
        self._unit = _unit(references.reshape(n_sources * n_channels, -1))
        flat = estimates.reshape(n_sources * n_channels, -1).astype(np.float64)
        gram = _gram(_correlations(self._unit, self._unit, n_taps))
        cross = _correlations(self._unit, flat, n_taps)[..., n_taps - 1 :]
        groups = [slice(j * n_channels, (j + 1) * n_channels) for j in range(n_sources)]
        self._own = np.stack([_filters(gram[g, :, g], cross[g, g]) for g in groups])
        self._every = _filters(gram, cross) if n_sources > 1 else self._own[0]
        self._spectra: dict[int, tuple[Spectra, Spectra]] = {}

    def projections(self, start: int, n_samples: int) -> tuple[Array, Array]:
        """One part after the filters, with silence around it, as version 4 cuts before filtering.

        Returns:
            On the own reference and on all, each `(source, channel, time)`, `n_taps - 1` samples longer than the part.
        """
        n_out = n_samples + self._n_taps - 1
        n_fft = next_fast_len(n_out, real=True)
        if n_fft not in self._spectra:
            self._spectra = {n_fft: (np.fft.rfft(self._own, n_fft), np.fft.rfft(self._every, n_fft))}
        own_bank, every_bank = self._spectra[n_fft]
        spectra = np.fft.rfft(self._unit[:, start : start + n_samples], n_fft)
        grouped = spectra.reshape(len(own_bank), -1, spectra.shape[-1])
        own = np.fft.irfft(np.einsum("sif,siof->sof", grouped, own_bank), n_fft)[..., :n_out]
        if len(own) == 1:
            return own, own
        every = np.fft.irfft(np.einsum("if,iof->of", spectra, every_bank), n_fft)[..., :n_out]
        return own, every.reshape(own.shape)


def _frame_scores(parts: _Decomposition, truth: Array, found: Array, start: int, n_samples: int) -> Array:
    """ISR, SIR and SAR of one window, `(ratio, source)`."""
    own, every = parts.projections(start, n_samples)
    part = slice(start, start + n_samples)
    tail = ((0, 0), (0, 0), (0, own.shape[-1] - n_samples))
    target, candidate = np.pad(truth[..., part], tail), np.pad(found[..., part], tail)
    pairs = (target, own - target), (own, every - own), (every, candidate - every)
    return np.stack([_ratios(signal, error) for signal, error in pairs])


def _correlations(left: Array, right: Array, n_taps: int) -> Array:
    """Sums over time of `left[i, t] · right[j, t + k]`, `(i, j, lag)`, lags k from `1 - n_taps` to `n_taps - 1`."""
    reach = n_taps - 1
    n_fft = next_fast_len(max(_BLOCK, 4 * reach), real=True)
    step = n_fft - 2 * reach
    padded = np.pad(right, ((0, 0), (reach, reach)))
    total: Spectra = np.zeros((len(left), len(right), n_fft // 2 + 1), np.complex128)
    for start in range(0, left.shape[1], step):
        short = np.fft.rfft(left[:, start : start + step], n_fft)
        long = np.fft.rfft(padded[:, start : start + n_fft], n_fft)
        total += short.conj()[:, None] * long
    return np.fft.irfft(total, n_fft)[..., : 2 * reach + 1]


def _gram(correlations: Array) -> Array:
    """Inner products of all delayed references, `(i, tap, j, tap)`."""
    taps = np.arange((correlations.shape[-1] + 1) // 2)
    lags = taps[:, None] - taps + taps[-1]
    return np.ascontiguousarray(correlations[:, :, lags].transpose(0, 2, 1, 3))


def _filters(gram: Array, cross: Array) -> Array:
    """Solves the normal equations; `(i, tap, i, tap)` and `(i, o, tap)` in, filters `(i, o, tap)` out."""
    n_in, n_out, n_taps = cross.shape
    size = n_in * n_taps
    matrix = gram.reshape(size, size)
    wanted = cross.transpose(0, 2, 1).reshape(size, n_out)
    loaded = matrix.copy()
    loaded[np.diag_indices(size)] += size * _LOAD
    factor = cho_factor(loaded, overwrite_a=True, check_finite=False)
    solution = cho_solve(factor, wanted, check_finite=False)
    for _ in range(_REFINEMENTS):
        solution = solution + cho_solve(factor, wanted - matrix @ solution, check_finite=False)
    filters: Array = solution.reshape(n_in, n_taps, n_out).transpose(0, 2, 1)
    return filters


def _unit(waveforms: Waveform) -> Array:
    """Every row at energy 1; silent rows stay silent. By way of the peak, so that no square underflows."""
    peak = np.abs(waveforms).max(axis=1, keepdims=True).astype(np.float64)
    scaled = waveforms / np.where(peak > 0, peak, 1.0)
    norm = np.sqrt(np.square(scaled).sum(axis=1, keepdims=True))
    unit: Array = scaled / np.where(norm > 0, norm, 1.0)
    return unit


def _ratios(signal: Array, error: Array) -> Array:
    """Energy ratio of every source, dB, `(source,)`."""
    return np.array([ratio_db(energy(s), energy(e)) for s, e in zip(signal, error, strict=True)])


def _median(values: Array) -> Array:
    ordered = np.sort(values, axis=-1)
    low, high = ordered[..., (values.shape[-1] - 1) // 2], ordered[..., values.shape[-1] // 2]
    return np.array([mean_db(pair) for pair in zip(low, high, strict=True)])


def _has_silence(waveforms: Waveform, start: int, n_samples: int) -> bool:
    return not waveforms[..., start : start + n_samples].any(axis=(1, 2)).all()


def _demand_sound(waveforms: Waveform, what: str, n_taps: int) -> None:
    if n_taps < 1:
        raise ValueError(f"n_taps is {n_taps}, must be at least 1")
    if waveforms.shape[-1] < n_taps:
        raise MetricError(f"BSS Eval needs {n_taps} samples, got {waveforms.shape[-1]}")
    silent = [i for i, waveform in enumerate(waveforms, 1) if not waveform.any()]
    if silent:
        raise MetricError(f"{what} {silent[0]} is silent: BSS Eval is not defined")
