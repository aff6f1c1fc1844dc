"""Measurements of a recording without learned weights: bandwidth, hiss, rumble, clipping, channels.

*Conventions*: waveforms `(channel, time)`, full scale ±1; levels in dB relative to the loud parts, so the volume of a
recording does not matter. Channels are measured separately and their powers added, so channels of opposite polarity do
not cancel.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import uniform_filter1d

from concertclean.dsp.arrays import Array

_N_FFT: Final = 4096
_DYNAMICS_DB: Final = 65.0  # below the strongest band: where the long-term spectrum ends
_HISS_HZ: Final = (4000.0, 12_000.0)
_RUMBLE_HZ: Final = (4.0, 40.0)
_FLAT_RUN: Final = 3  # samples in a row at one value near the peak
_SILENCE: Final = 1e-9  # power of a frame that is digital silence, -90 dB
_EQUAL_DB: Final = -50.0  # of side over mid, below which stereo is mono


@dataclass(frozen=True)
class Measured:
    """Facts about a waveform.

    Attributes:
        bandwidth_hz: where the mean spectrum falls 65 dB below its strongest band; 0 for silence.
        hiss_db: 4 to 12 kHz in the quietest tenth of the frames, dB relative to the loud ones; -inf if there is none.
        rumble_db: the same for 4 to 40 Hz.
        clipped_share: share of the samples in constant runs at the peak, 0 to 1.
        channels: "mono", "stereo", "mono in stereo", or "opposite" if right is left with inverted polarity.
    """

    bandwidth_hz: float
    hiss_db: float
    rumble_db: float
    clipped_share: float
    channels: str


def measure(waveform: Array, sample_rate: int) -> Measured:
    """Facts about a waveform of some seconds.

    Args:
        waveform: `(channel, time)`.
        sample_rate: Hz.
    """
    power = _frames(waveform)
    sounding = power[power.sum(axis=1) > _SILENCE]
    hz = sample_rate / _N_FFT
    if not len(sounding):
        return Measured(0.0, -np.inf, -np.inf, 0.0, channel_layout(waveform))
    level = sounding.sum(axis=1)
    loud = float(np.quantile(level, 0.9))
    quiet = sounding[level <= np.quantile(level, 0.1)].mean(axis=0)
    return Measured(
        _bandwidth(sounding.mean(axis=0), hz),
        _level_db(quiet, _HISS_HZ, hz, loud),
        _level_db(quiet, _RUMBLE_HZ, hz, loud),
        clipped_share(waveform),
        channel_layout(waveform),
    )


def clipped_share(waveform: Array) -> float:
    """Share of the samples in runs of three or more equal ones at the peak of their channel."""
    if waveform.shape[1] < _FLAT_RUN:
        return 0.0
    peak = np.abs(waveform).max(axis=1, keepdims=True)
    near = (np.abs(waveform) > 0.98 * peak) & (peak > 1e-3)
    still = (np.abs(np.diff(waveform, axis=1)) < 1e-4) & near[:, 1:]
    runs = still[:, :-1] & still[:, 1:]
    return float(runs.sum() / waveform.size)


def channel_layout(waveform: Array) -> str:
    """How the channels of a waveform relate; see `Measured.channels`."""
    if len(waveform) == 1:
        return "mono"
    left, right = waveform[0], waveform[1]
    middle, side = np.square(left + right).sum(), np.square(left - right).sum()
    bound = 10 ** (_EQUAL_DB / 10)
    if middle == side == 0 or side <= bound * middle:
        return "mono in stereo"
    return "opposite" if middle <= bound * side else "stereo"


def _frames(waveform: Array) -> Array:
    """Power spectra `(frame, freq)`, channels added, a full-scale sine about one half."""
    padded = np.pad(waveform, ((0, 0), (0, max(0, _N_FFT - waveform.shape[1]))))
    framed = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT, axis=1)[:, :: _N_FFT // 2]
    window = np.hanning(_N_FFT)
    spectra = np.fft.rfft(framed * window, axis=2)
    return np.asarray(np.square(np.abs(spectra)).sum(axis=0) * 2 / (np.square(window).sum() * _N_FFT))


def _bandwidth(power: Array, hz: float) -> float:
    """Highest frequency that is less than 65 dB below the strongest tenth of an octave or so."""
    smooth = uniform_filter1d(power, 9)
    above = np.flatnonzero(smooth > smooth.max() * 10 ** (-_DYNAMICS_DB / 10))
    return float(above[-1] * hz)


def _level_db(power: Array, band_hz: tuple[float, float], hz: float, reference: float) -> float:
    first, last = (round(edge / hz) for edge in band_hz)
    found = float(power[first : last + 1].sum())
    return 10 * np.log10(found / reference) if found > 0 else -np.inf
