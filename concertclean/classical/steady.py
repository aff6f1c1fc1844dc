"""Removes steady noise in two passes: floors and lines present over the whole recording.

The first pass counts the levels of the whole recording and finds the floor (`steady_floor`), at the resolution of long
frames; the second lowers each bin according to the noise there. Two seconds do not distinguish a line from a held note;
a whole recording does. If nothing is proven to be noise, nothing changes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import uniform_filter

from concertclean.classical.material import Material
from concertclean.classical.noise_floor import hann, mean_power
from concertclean.classical.steady_floor import steady_floor
from concertclean.classical.survey import OVERLAP, long_frame, survey
from concertclean.dsp.arrays import Array, Blocks
from concertclean.dsp.segments import segments
from concertclean.dsp.silence import silent_runs

_BATCH = 16  # hops a batch, 1.5 s
LEAST_GAIN = 0.1  # least gain, 20 dB: what is left masks musical noise
SUBTRACTED = 2.0  # factor on the noise, as the measured power scatters around it
SMOOTHED = 3  # frames, and bins, whose mean power decides
WIDE = 31  # bins, where these hold only noise: no isolated peak passes, which would be musical noise
NOISE_ALONE = (1.5, 2.5)  # mean power of the wide neighbourhood over the noise: only noise, and surely more
_TINY = 1e-30


@dataclass(frozen=True)
class Steady:
    """Lowers noise of a known, unchanging floor.

    All channels share one gain, computed from their mean power, so the stereo image does not move.

    Attributes:
        floor: `(freq,)` power density of the noise, mean over the channels, in bins of the frames of `sample_rate`.
        sample_rate: of the recording the floor belongs to, Hz.
    """

    floor: Array
    sample_rate: int

    def removed(self, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
        """What is removed from a recording; zero where no noise is known, and in digital silence.

        Args:
            blocks: `(channel, time)`, full scale ±1.
            channels: of the recording.
            sample_rate: of the recording, Hz.

        Yields:
            `(channel, time)` in order, together as long as the recording and the same however it is cut.

        Raises:
            ValueError: the floor was found at another sample rate.
        """
        if sample_rate != self.sample_rate:
            raise ValueError(f"sample_rate={sample_rate}, but the floor was found at {self.sample_rate}")
        if not self.floor.any():
            yield from (np.zeros(block.shape) for block in blocks)
            return
        n_fft = long_frame(sample_rate)
        hop = n_fft // OVERLAP
        step, context = _BATCH * hop, n_fft  # a frame, of which a hop is for the smoothing
        noise = self.floor * np.square(hann(n_fft)).sum()
        for segment in segments(blocks, channels, step, step, context):
            yield _removed(segment.audio, noise, n_fft)[:, : segment.n_valid]


@dataclass(frozen=True)
class Unsurveyed:
    """A remover that still needs its recording."""

    def removed(self, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
        """Raises ValueError, because the recording must be surveyed first."""
        raise ValueError("the noise floor is unknown; make the method with the recording as material")


def steady(recording: Material | None) -> "Steady | Unsurveyed":
    """The remover for a recording, after a pass over it; without a recording, one that raises."""
    if recording is None:
        return Unsurveyed()
    channels = survey(recording.read(), recording.channels, recording.sample_rate)
    return Steady(np.mean([steady_floor(levels) for levels in channels], axis=0), recording.sample_rate)


def _removed(audio: Array, noise: Array, n_fft: int) -> Array:
    """What is removed from `(channel, time)` audio between its first and its last frame."""
    hop = n_fft // OVERLAP
    window = hann(n_fft)
    silent = silent_runs(audio, hop)
    spectra = np.fft.rfft(sliding_window_view(audio, n_fft, axis=1)[:, ::hop] * window)
    # Frames that reach outside the recording, or into silence, contain less noise accordingly.
    sounding = sliding_window_view(~silent, n_fft)[::hop] @ np.square(window) / np.square(window).sum()
    share = _share(mean_power(spectra), sounding[:, None] * noise)
    frames = np.fft.irfft(spectra * share, n_fft) * (window / 1.5)
    total = np.zeros(audio.shape)
    for number in range(frames.shape[1]):
        total[:, number * hop : number * hop + n_fft] += frames[:, number]
    total[:, silent] = 0
    return np.asarray(total[:, n_fft:-n_fft])


def _share(power: Array, noise: Array) -> Array:
    """`(frame, freq)` share of each bin that is noise, 0 to 0.9."""
    near = _ratio(uniform_filter(power, SMOOTHED, mode="nearest"), noise)
    wide = uniform_filter(_ratio(power, noise), (SMOOTHED, WIDE), mode="nearest")
    alone, more = NOISE_ALONE
    signal = np.clip((wide - alone) / (more - alone), 0, 1)
    found = np.maximum(wide + signal * (near - wide), _TINY)
    return np.asarray(np.where(noise > 0, np.minimum(SUBTRACTED / found, 1 - LEAST_GAIN), 0))


def _ratio(power: Array, noise: Array) -> Array:
    """Power over noise, at most a million; a million where there is no noise."""
    most = 1e6
    return np.asarray(np.minimum(np.divide(power, noise, out=np.full(power.shape, most), where=noise > 0), most))
