"""Autoregressive models of short stretches of music, and filling gaps with them.

A model of order P says `x[n] = sum(a[i] x[n-i], i = 1..P) + e[n]`; with `h = [1, -a1, .., -aP]` the excitation is
`e = h * x`. What the model cannot predict, such as a click, stands out in `e`. Missing samples are chosen so that the
excitation around them has the least energy.

*Conventions.* `coefficients` are `(..., order)`, the `a` above, without the leading one. All functions work on the
last axis and take any number of leading ones; nothing is random unless a generator is given.

References:
    Godsill, Rayner, Digital Audio Restoration, Springer 1998, chapters 4 and 5.
    Janssen, Veldhuis, Vries, Adaptive interpolation of discrete-time signals that can be modeled as autoregressive
    processes, IEEE Trans. ASSP 34(2), 1986.
    Vaseghi, Rayner, Detection and suppression of impulsive noise in speech communication systems, IEE Proc. I 137(1),
    1990.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.linalg import cholesky_banded, solve_banded, solveh_banded

from concertclean.dsp.arrays import Array


def autocorrelation(frames: Array, n_lags: int) -> Array:
    """Products of frames with themselves shifted by 0 to `n_lags - 1` samples, summed: `(..., n_lags)`.

    Args:
        frames: `(..., time)`; silence around.
        n_lags: at least 1.
    """
    n_fft = next_fast_len(frames.shape[-1] + n_lags, real=True)
    spectrum = rfft(frames, n_fft)
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(irfft(power, n_fft)[..., :n_lags])


def levinson(correlation: Array) -> tuple[Array, Array]:
    """Coefficients and power of the excitation for an autocorrelation.

    Args:
        correlation: `(..., order + 1)`, lag 0 first, positive definite or all zero.

    Returns:
        Coefficients `(..., order)`, all of whose poles lie inside the unit circle, and the power `(...)` of the
        excitation, in the unit of `correlation`. Silence has coefficients of zero.
    """
    order = correlation.shape[-1] - 1
    inverse = np.zeros((*correlation.shape[:-1], order + 1))  # h of the model so far
    inverse[..., 0] = 1
    power = correlation[..., 0].copy()
    for k in range(1, order + 1):
        missed = np.einsum("...i,...i->...", inverse[..., :k], correlation[..., k:0:-1])
        reflection = -missed / np.where(power > 0, power, 1)
        inverse[..., 1 : k + 1] += reflection[..., None] * inverse[..., k - 1 :: -1][..., :k]
        power *= 1 - reflection**2
    return -inverse[..., 1:], power


def yule_walker(frames: Array, order: int, *, floor_db: float = -100.0) -> tuple[Array, Array]:
    """Models of frames by the autocorrelation method; stable for any frame.

    Args:
        frames: `(..., time)`; weighted by a Hann window here.
        order: at least 1.
        floor_db: white noise added to the modelled signal, dB relative to each frame.

    Returns:
        Coefficients `(..., order)` and the variance `(...)` of the excitation.
    """
    window = np.hanning(frames.shape[-1] + 2)[1:-1]
    correlation = autocorrelation(frames * window, order + 1) / np.square(window).sum()
    correlation[..., 0] *= 1 + 10 ** (floor_db / 10)
    return levinson(correlation)


def least_squares(frames: Array, order: int, *, floor_db: float = -120.0) -> tuple[Array, Array]:
    """Models of frames by the covariance method: the least energy of the excitation, no window; may be unstable.

    Args:
        frames: `(..., time)`, longer than twice `order`.
        order: at least 1.
        floor_db: white noise added, dB relative to each frame; it keeps silence solvable.

    Returns:
        Coefficients `(..., order)` and the variance `(...)` of the excitation.

    Raises:
        ValueError: the frames are too short for the order.
    """
    n_samples = frames.shape[-1]
    if n_samples <= 2 * order:
        raise ValueError(f"frames have {n_samples} samples, must have more than {2 * order}, twice the order")
    covariance = _covariance(frames, order)
    energy = np.square(frames).sum(axis=-1)[..., None, None]
    covariance += (10 ** (floor_db / 10) * energy + (energy == 0)) * np.eye(order + 1)
    solved = np.linalg.solve(covariance[..., 1:, 1:], covariance[..., 1:, :1])[..., 0]
    coefficients = np.asarray(solved, dtype=np.float64)
    error = covariance[..., 0, 0] - np.einsum("...i,...i->...", coefficients, covariance[..., 0, 1:])
    return coefficients, np.where(energy[..., 0, 0] > 0, error, 0) / (n_samples - order)


def _covariance(frames: Array, order: int) -> Array:
    """`c[i, j] = sum(x[n-i] x[n-j], n = order..)`, `(..., order + 1, order + 1)`."""
    n_samples = frames.shape[-1]
    n_fft = next_fast_len(n_samples + order, real=True)
    late = np.concatenate([np.zeros((*frames.shape[:-1], order)), frames[..., order:]], axis=-1)
    row = irfft(rfft(late, n_fft) * rfft(frames, n_fft).conj(), n_fft)[..., : order + 1]
    result = np.empty((*frames.shape[:-1], order + 1, order + 1))
    result[..., 0, :] = row
    # From c[i, j] to c[i+1, j+1] the sum gains the product one before its first and loses its last.
    gained, lost = frames[..., order - 1 :: -1], frames[..., : -order - 1 : -1]
    for i in range(order):
        result[..., i + 1, 0] = row[..., i + 1]
        step = gained[..., i, None] * gained - lost[..., i, None] * lost
        result[..., i + 1, 1:] = result[..., i, :-1] + step
    return result


def inverse_filter(coefficients: Array) -> Array:
    """`[1, -a1, .., -aP]`, `(..., order + 1)`: the filter whose output is the excitation."""
    return np.concatenate([np.ones((*coefficients.shape[:-1], 1)), -coefficients], axis=-1)


class Excitations:
    """Prediction errors of frames: forward, backward, and through the matched filter.

    Args:
        coefficients: `(..., order)`.
        n_samples: of the frames that will come.
    """

    def __init__(self, coefficients: Array, n_samples: int) -> None:
        self._n_samples = n_samples
        self._n_fft = next_fast_len(n_samples + 2 * coefficients.shape[-1], real=True)
        h = inverse_filter(coefficients)
        self._response = rfft(h, self._n_fft)
        self._power = self._response.real**2 + self._response.imag**2
        self.correlation = autocorrelation(h, h.shape[-1])
        self._norm = np.sqrt(self.correlation[..., :1])

    def forward(self, frames: Array) -> Array:
        """`x[n]` minus its prediction from the samples before, as frames `(..., time)`; silence outside the frame."""
        return self._back(rfft(frames, self._n_fft) * self._response)

    def three(self, frames: Array) -> tuple[Array, Array, Array]:
        """Forward and backward prediction error and matched output, each as `frames` `(..., time)`.

        The backward error is `x[n]` minus its prediction from the samples after it. The matched output, the forward
        error through the reversed `h`, collects what a single wrong sample leaves in the error. It is divided by the
        norm of `h`, so white excitation keeps its level.
        """
        spectrum = rfft(frames, self._n_fft)
        return (
            self._back(spectrum * self._response),
            self._back(spectrum * self._response.conj()),
            self._back(spectrum * self._power) / self._norm,
        )

    def both(self, frames: Array) -> tuple[Array, Array]:
        """The first two of `three`: forward and backward prediction error."""
        spectrum = rfft(frames, self._n_fft)
        return self._back(spectrum * self._response), self._back(spectrum * self._response.conj())

    def forward_and_matched(self, frames: Array) -> tuple[Array, Array]:
        """The first and the last of `three`."""
        spectrum = rfft(frames, self._n_fft)
        return self._back(spectrum * self._response), self._back(spectrum * self._power) / self._norm

    def matched(self, frames: Array) -> Array:
        """`h` and the reversed `h` over frames `(..., time)`, not divided by the norm."""
        return self._back(rfft(frames, self._n_fft) * self._power)

    def _back(self, spectrum: NDArray[np.complex128]) -> Array:
        return np.asarray(irfft(spectrum, self._n_fft)[..., : self._n_samples])


def robust_scale(values: Array) -> Array:
    """Robust standard deviation of zero-mean Gaussian values over the last axis: median of |e|/0.6745."""
    return np.asarray(np.median(np.abs(values), axis=-1) / 0.6744897501960817)


def filled(
    right: Array,
    unknown: NDArray[np.intp],
    correlation: Array,
    *,
    held: Array | None = None,
    trust: Array | None = None,
    excitation: Array | None = None,
) -> Array:
    """Solves `B x = right`, `B[r, s] = correlation[|u_r - u_s|]`, for the samples at places `u`.

    Args:
        right: `(n,)`, the negative matched output of the frame with zeros at `u`, at `u`.
        unknown: `(n,)`, ascending places `u`.
        correlation: `(order + 1,)` of `h`, lag 0 first; beyond it is zero.
        held: `(n,)`, the samples recorded at `u`; used with `trust`.
        trust: `(n,)`, at least 0: power of the excitation over that of the noise recorded with each sample. None and 0
            mean that nothing is known.
        excitation: `(n,)`, standard normal times the scale of the excitation; None returns the likeliest samples, which
            are too quiet inside a long gap; this adds what they lack.

    Returns:
        `(n,)`.

    References:
        Godsill, Rayner, sections 5.2.2, 5.3.3 (sampled excitation) and 9.2 (noise in place of gaps).
    """
    if not len(unknown):
        return np.zeros(0)
    order = len(correlation) - 1
    n = len(unknown)
    width = min(order, n - 1)
    beyond = np.concatenate([unknown, np.full(width, unknown[-1] + order + 1)])
    distances = beyond[np.arange(width + 1)[:, None] + np.arange(n)] - unknown
    banded = np.append(correlation, 0.0)[np.minimum(distances, order + 1)]
    if held is not None and trust is not None:
        banded[0] += trust
        right = right + trust * held
    result = solveh_banded(banded, right, lower=True, check_finite=False)
    if excitation is not None:
        # B = L L'; L'^-1 of white noise has the covariance B^-1 that the likeliest samples lack.
        factor = cholesky_banded(banded, lower=True, check_finite=False)
        upper = np.stack([np.append(np.zeros(k), row[: n - k]) for k, row in enumerate(factor)])[::-1]
        result = result + solve_banded((0, width), upper, excitation, check_finite=False)
    return np.asarray(result)
