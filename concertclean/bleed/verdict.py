"""Detects whether the bleed of a mixture has no delay, or arrives late.

If two microphones pick up the same instrument, their phases are related. Their cross-correlation of phases alone has
its peak at the lag with which the sound reaches the second one: at 0 if bleed comes through a desk or a matrix, later
if it comes through air.

References:
    Knapp, Carter: The generalized correlation method for estimation of time delay, IEEE TASSP 1976 (of phases alone).
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from concertclean.bleed.microphones import roster, validate
from concertclean.dsp import stft
from concertclean.dsp.arrays import Array

_LAG_FRAME_SECONDS = 0.186
_LAG_SECONDS = 0.045  # 15 m of air; stages are not larger
_EVIDENCE = 14.0  # peak over the usual correlation; unrelated instruments reach 8, bleed at -30 dB 24 and more
_FAINT = 1e-3  # power of a bin over the mean; below it there is only hiss
_GROUP_FRAMES = 8  # consecutive frames that stay together in a half


@dataclass(frozen=True)
class Verdict:
    """What kind of mixture the microphones pick up.

    Attributes:
        kind: "instantaneous", "delayed" (or a room), or "no bleed".
        lag_seconds: for each pair of microphones with bleed, counted from 0, the lag of the peak; positive if the sound
            reaches the second one first.
        peak: of each such pair, relative to the usual correlation of half the recording.
    """

    kind: Literal["instantaneous", "delayed", "no bleed"]
    lag_seconds: dict[tuple[int, int], float]
    peak: dict[tuple[int, int], float]


def verdict(waveform: Array, sample_rate: int) -> Verdict:
    """Whether bleed has no delay or arrives late; one late pair makes the whole mixture a delayed one.

    Args:
        waveform: `(microphone, time)`, full scale ±1, some seconds.
        sample_rate: Hz.

    Raises:
        ValueError: see `microphones.validate`.
    """
    waveform = validate(waveform, sample_rate)
    who = roster(waveform)
    n_fft = max(64, 2 * round(_LAG_FRAME_SECONDS * sample_rate / 2))
    lags: dict[tuple[int, int], float] = {}
    peaks: dict[tuple[int, int], float] = {}
    if len(who.kept) > 1:
        window = stft.window("hann", n_fft).double()
        spectrogram = stft.spectrogram(torch.from_numpy(who.pick(waveform)), window, n_fft // 2).numpy()
        for i, j in combinations(range(len(spectrogram)), 2):
            lag, peak = _peak(spectrogram[i], spectrogram[j], round(_LAG_SECONDS * sample_rate))
            if peak > _EVIDENCE:
                pair = who.kept[i], who.kept[j]
                lags[pair], peaks[pair] = lag / sample_rate, peak
    if not lags:
        return Verdict("no bleed", lags, peaks)
    return Verdict("delayed" if any(lags.values()) else "instantaneous", lags, peaks)


def _peak(one: NDArray[np.complex128], other: NDArray[np.complex128], reach: int) -> tuple[int, float]:
    """Lag of the highest correlation of phases, samples, and its height relative to the usual one.

    Bleed has its peak at the same lag all the time; two instruments that happen to play the same note have it for that
    note only. So the correlations of two halves of the recording are multiplied.
    """
    loud = np.ones(one.shape, bool)
    for microphone in (one, other):
        power = np.square(np.abs(microphone))
        loud &= power > _FAINT * power.mean()
    cross = one * other.conj()
    phases = np.where(loud, cross / np.maximum(np.abs(cross), 1e-30), 0)
    half = np.arange(one.shape[1]) // _GROUP_FRAMES % 2
    if not half.any():
        half = np.arange(one.shape[1]) % 2
    lags = [np.fft.fftshift(np.fft.irfft(phases[:, half == n].sum(axis=1))) for n in range(2)]
    middle = len(lags[0]) // 2
    reach = min(reach, middle)
    near = np.stack(lags)[:, middle - reach : middle + reach + 1]
    # The median of the magnitude of a normal variable is 0.67 times its standard deviation.
    usual = np.median(np.abs(near), axis=1, keepdims=True) / 0.67
    agreed = (near / np.maximum(usual, 1e-30)).prod(axis=0)
    return int(agreed.argmax()) - reach, float(np.sqrt(max(agreed.max(), 0.0)))
