"""Low-pass filters in front of taking every n-th sample, linear phase, no delay.

Windowed sincs as `scipy.signal.firwin` and `resample_poly` make them; the import of `scipy.signal` alone costs half a
second of processor time.
"""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from concertclean.dsp.arrays import Array

_REACH = 10  # samples of the low rate on each side


def low_passed(waveform: Array, step: int, beta: float) -> Array:
    """The waveform without what would fold where every `step`th sample is taken, from any sample on.

    Args:
        waveform: `(time,)`, silent outside.
        step: samples, 1 and more; 1 passes everything.
        beta: shape of the Kaiser window: 5 attenuates by 54 dB, 8 by 80.

    Returns:
        `(time,)`, as long as `waveform`.
    """
    if step == 1:
        return waveform.copy()
    taps = _taps(step, beta)
    half = len(taps) // 2
    n_fft = next_fast_len(len(waveform) + len(taps) - 1, real=True)
    return np.asarray(irfft(rfft(waveform, n_fft) * rfft(taps, n_fft), n_fft)[half : half + len(waveform)])


def decimated(waveform: Array, step: int, beta: float) -> Array:
    """Every `step`th sample of the waveform, low-passed before, the first one included.

    Args:
        waveform: `(time,)`, silent outside.
        step: samples, 1 and more; 1 passes everything.
        beta: as of `low_passed`.

    Returns:
        `(ceil(time / step),)`.
    """
    if step == 1:
        return waveform
    taps = _taps(step, beta)
    padded = np.pad(waveform, len(taps) // 2)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, len(taps))[::step] @ taps)


def _taps(step: int, beta: float) -> Array:
    """`2 * 10 * step + 1` taps: half amplitude at the low rate's Nyquist frequency, a constant passes unchanged."""
    reach = _REACH * step
    taps: Array = np.sinc(np.arange(-reach, reach + 1) / step) * np.kaiser(2 * reach + 1, beta)
    taps /= taps.sum()
    return taps
