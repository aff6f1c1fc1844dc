"""Power of the noise in every frequency bin, given or learned while the recording is processed.

An estimator is a record of settings; what it learns lives in the tracker it starts for one recording. The tracker
receives the lead, the first seconds of the recording, beforehand, so it need not guess there.

*Conventions*: power is `|Y|²` of a periodic Hann window without any scaling, mean over the channels, `(freq,)` or
`(frame, freq)`. No result depends on the level of the recording.

References:
    Martin: Noise power spectral density estimation based on optimal smoothing and minimum statistics, IEEE Trans.
    Speech and Audio Processing 9(5), 2001.
    Sohn, Kim, Sung: A statistical model-based voice activity detection, IEEE Signal Processing Letters 6(1), 1999.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import percentile_filter

from concertclean.dsp.arrays import Array
from concertclean.errors import ConfigError

OVERLAP = 4  # frames that cover a sample

_FRAME_SECONDS = 2048 / 44_100
_SUBWINDOWS = 8  # U: the minimum is taken over so many subwindows
_STRIDE = 2  # every second frame: minimum statistics was derived for frames that overlap by half
_LIMIT_HZ = 700.0  # neighbourhood that distinguishes a tone from noise
_LIMIT_PERCENTILE = 20  # of its powers: the valleys between the partials, where these are dense
# M(D), table III: mean of the minimum of D values, for the bias
_LENGTHS = (1, 2, 5, 8, 10, 15, 20, 30, 40, 60, 80, 120, 140, 160, 180, 220, 260, 300)
_MEANS = (0, 0.26, 0.48, 0.58, 0.61, 0.668, 0.705, 0.762, 0.8, 0.841, 0.865, 0.89, 0.9, 0.91, 0.92, 0.93, 0.935, 0.94)


class NoiseTracker(Protocol):
    """The noise of one recording.

    Attributes:
        noise: `(freq,)` expected power of the noise in the next frame; 0 where it is not known.
    """

    noise: Array

    def learn(self, power: Array, prior_snr: Array) -> None:
        """Takes the `(freq,)` power of a frame, and the a-priori SNR found for it."""


class NoiseEstimator(Protocol):
    """A way to find the noise."""

    @property
    def lead_seconds(self) -> float:
        """Seconds from the beginning of a recording that `start` receives."""

    def start(self, lead: Array, hop_seconds: float) -> NoiseTracker:
        """A tracker for a recording that begins with the `(frame, freq)` powers `lead`, maybe fewer than requested."""


def frame_sizes(sample_rate: int) -> tuple[int, int]:
    """Samples of a frame and of a hop: the power of two nearest to 46 ms (2048 at 44.1 kHz), and a quarter of it."""
    n_fft = max(8, 2 ** round(math.log2(_FRAME_SECONDS * sample_rate)))
    return n_fft, n_fft // OVERLAP


def hann(n_fft: int) -> Array:
    """Periodic Hann window; its squares, a quarter of the window apart, sum to 1.5."""
    window: Array = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    return window


@np.errstate(under="ignore", over="ignore")
def mean_power(spectra: NDArray[np.complex128]) -> Array:
    """`(frame, freq)` power of `(channel, frame, freq)` spectra, mean over the channels."""
    return np.asarray((np.square(spectra.real) + np.square(spectra.imag)).mean(axis=0))


def frame_powers(waveform: Array, n_fft: int, hop: int) -> Array:
    """`(frame, freq)` power of the frames that lie wholly in `(channel, time)`; perhaps none."""
    if waveform.shape[1] < n_fft:
        return np.zeros((0, n_fft // 2 + 1))
    powers = np.zeros((1 + (waveform.shape[1] - n_fft) // hop, n_fft // 2 + 1))
    for channel in waveform:  # one after the other: memory does not grow with their number
        frames = sliding_window_view(channel, n_fft)[::hop]
        powers += mean_power(np.fft.rfft(frames * hann(n_fft))[None])
    return powers / len(waveform)


def noise_profile(waveform: Array, n_fft: int, hop: int) -> Array:
    """Mean power of a stretch of noise in every bin; frames of digital silence do not count.

    Args:
        waveform: `(channel, time)`, noise alone, from `n_fft` samples on; a second gives 0.8 dB of uncertainty a bin.
        n_fft: samples a frame, see `frame_sizes`.
        hop: samples between frames.

    Returns:
        `(freq,)`, `n_fft // 2 + 1` bins.

    Raises:
        ConfigError: the stretch is shorter than a frame, or digital silence.
    """
    powers = frame_powers(waveform, n_fft, hop)
    if not len(powers):
        raise ConfigError(f"noise profile: {waveform.shape[1]} samples are too few; it needs at least {n_fft}")
    powers = powers[powers.any(axis=1)]
    if not len(powers):
        raise ConfigError("noise profile: the stretch is digital silence; choose one with only noise")
    return np.asarray(powers.mean(axis=0))


@dataclass(frozen=True)
class FixedNoise:
    """Noise that is known and does not change.

    Attributes:
        profile: `(freq,)` power, from `noise_profile`.
    """

    profile: Array
    lead_seconds: float = 0.0

    def start(self, lead: Array, hop_seconds: float) -> NoiseTracker:
        """A tracker that does not learn; raises ValueError if the profile is for another frame length."""
        if self.profile.shape != lead.shape[1:]:
            msg = f"the profile has {self.profile.shape} bins, the frames {lead.shape[1:]}; does it have another rate?"
            raise ValueError(msg)
        return _Constant(self.profile)


@dataclass
class _Constant:
    noise: Array

    def learn(self, power: Array, prior_snr: Array) -> None:
        """Keeps the noise."""


@dataclass(frozen=True)
class PauseNoise:
    """Noise from the beginning of the recording, then updated in pauses, as in the LogMMSE program.

    A frame is a pause when the mean over the bins of the log likelihood ratio of signal and noise stays low (Sohn et
    al., equation 5). If the recording begins with music, that is permanently taken for noise.

    Attributes:
        lead_seconds: of noise alone at the beginning, s.
        threshold: on the mean log likelihood ratio.
        smoothing: share of the old noise that a pause of 10 ms leaves.
    """

    lead_seconds: float = 0.12
    threshold: float = 0.15
    smoothing: float = 0.98

    def start(self, lead: Array, hop_seconds: float) -> NoiseTracker:
        """A tracker that knows the mean power of the lead."""
        noise = lead.mean(axis=0) if len(lead) else np.zeros(lead.shape[1])
        return _InPauses(noise, self.threshold, self.smoothing ** (hop_seconds / 0.01))


@dataclass
class _InPauses:
    noise: Array
    threshold: float
    smoothing: float

    def learn(self, power: Array, prior_snr: Array) -> None:
        """Moves towards the power of a frame in which nothing but noise is likely."""
        known = self.noise > 0
        ratio = np.minimum(np.divide(power, self.noise, out=np.zeros_like(power), where=known), 40.0)
        if np.mean(ratio * prior_snr / (1 + prior_snr) - np.log1p(prior_snr)) < self.threshold:
            self.noise = self.smoothing * self.noise + (1 - self.smoothing) * power


@dataclass(frozen=True)
class MinimumStatistics:
    """Noise as the smallest smoothed power of the last seconds, its bias removed (Martin 2001).

    Even in music, every bin is sometimes free of notes; what remains is noise. The window is twice as long as for
    speech. Whatever sounds longer than the window in a bin is taken for noise, and louder noise is followed only after
    that time (the paper's quicker rise is left out, because it would follow swelling notes too). A sustained note is
    narrow and noise is not, so bins that stand out from their neighbourhood are not used (own): worth 3 to 13 dB of
    SI-SDR on synthetic music of 15 dB SNR. The price: steady hum is left to a hum filter.

    Attributes:
        window_seconds: over which the minimum is taken, s.
        limit_db: how far a bin may exceed the 20th percentile of the 700 Hz around it; inf for Martin's estimate.
    """

    window_seconds: float = 3.0
    limit_db: float = 3.0

    @property
    def lead_seconds(self) -> float:
        """The window: the noise of the beginning is the minimum of what follows."""
        return self.window_seconds

    @np.errstate(under="ignore", over="ignore")
    def start(self, lead: Array, hop_seconds: float) -> NoiseTracker:
        """A tracker that has already received the lead twice; the first time, the minima depend on chance."""
        tracker = _Minima(lead.shape[1], self, hop_seconds)
        for _ in range(2):
            tracker.forget()
            for power in lead:
                tracker.learn(power, power)
        return tracker


class _Minima:
    """State of minimum statistics; numbers in parentheses are equations of Martin 2001."""

    def __init__(self, n_freqs: int, settings: MinimumStatistics, hop_seconds: float) -> None:
        step_seconds = _STRIDE * hop_seconds
        self.noise = np.zeros(n_freqs)
        self._n_sub = max(2, round(settings.window_seconds / step_seconds / _SUBWINDOWS))
        self._limit = 10 ** (settings.limit_db / 10)
        self._neighbours = 2 * round(_LIMIT_HZ / 2 * OVERLAP * hop_seconds) + 1
        self._tilt = np.arange(n_freqs) + 4.0  # levels pink noise, so its slope is not a valley
        self._decay = step_seconds / 0.064
        self._n_heard = 0
        self._correction = 1.0
        self._stored: deque[Array] = deque(maxlen=_SUBWINDOWS - 1)

    def forget(self) -> None:
        """Resets the minima but not the smoothed power."""
        self._stored.clear()
        self._n_of_sub = 0
        self._lowest = self._lowest_stored = self._ceiling = np.full_like(self.noise, np.inf)

    def learn(self, power: Array, prior_snr: Array) -> None:
        """Takes every second frame."""
        self._n_heard += 1
        if self._n_heard % _STRIDE != 1:
            return
        if self._n_heard == 1:
            self._minimum = self._smoothed = self._mean = power.copy()
            self._mean_square = np.square(power)
        smoothing = self._smoothing(power)
        self._smoothed = smoothing * self._smoothed + (1 - smoothing) * power  # (4)
        spread = self._spread(smoothing)
        correction = 1 + 2.12 * math.sqrt(spread.mean())  # B_c
        compensated = correction * self._smoothed * _bias(spread, self._n_sub * _SUBWINDOWS)
        self._lowest = np.minimum(self._lowest, compensated)
        self._minimum = np.minimum(self._lowest, self._lowest_stored)
        self._n_of_sub += 1
        if self._n_of_sub == self._n_sub:
            self._end_subwindow()
        self.noise = np.minimum(self._minimum, self._ceiling)

    def _smoothing(self, power: Array) -> Array:
        """Share of the old value in the smoothed power: small where signal starts or stops."""
        total, smoothed = float(power.sum()), float(self._smoothed.sum())
        change = smoothed / total - 1 if total > 0 else 0.0
        self._correction = 0.7 * self._correction + 0.3 * max(1 / (1 + change * change), 0.7)  # (9), (10)
        ratio = _ratio(self._smoothed, self._minimum)
        best: Array = 0.96 * self._correction / (1 + np.square(ratio - 1))  # (7), (11)
        noise = float(self._minimum.sum())
        snr = max(1.0, smoothed / noise) if noise > 0 else 1.0
        return np.maximum(best, min(0.3, snr**-self._decay))  # (12)

    def _spread(self, smoothing: Array) -> Array:
        """Variance of the smoothed power over twice the squared noise, 1/Q_eq, at most 1/2."""
        share = np.minimum(np.square(smoothing), 0.8)
        self._mean = share * self._mean + (1 - share) * self._smoothed  # (20)
        self._mean_square = share * self._mean_square + (1 - share) * np.square(self._smoothed)  # (21)
        variance = np.maximum(self._mean_square - np.square(self._mean), 0)
        return np.minimum(_ratio(variance, 2 * np.square(self._minimum)), 0.5)  # (23)

    def _end_subwindow(self) -> None:
        self._stored.append(self._lowest)
        self._lowest_stored = np.min(self._stored, axis=0)
        self._lowest = np.full_like(self._lowest, np.inf)
        level = self._lowest_stored * self._tilt
        valleys = percentile_filter(level, _LIMIT_PERCENTILE, self._neighbours, mode="reflect")
        valleys[valleys == 0] = np.inf  # beside a band without any power there is nothing to compare with
        self._ceiling = self._limit * valleys / self._tilt
        self._n_of_sub = 0


def _ratio(above: Array, below: Array) -> Array:
    """Quotient; 1 where there is nothing below."""
    return np.divide(above, below, out=np.ones_like(above), where=below > 0)


def _bias(spread: Array, n_frames: int) -> Array:
    """Mean over minimum of `n_frames` smoothed powers, (17), for 1/Q_eq = `spread`."""
    mean = float(np.interp(n_frames, _LENGTHS, _MEANS))
    return 1 + 2 * (n_frames - 1) * (1 - mean) * spread / (1 - 2 * mean * spread)
