"""Spectral distances: differences of the magnitudes of two recordings, regardless of phase.

*Conventions*: arrays `(channel, time)`, order (reference, estimate), lower is better, 0 for equal magnitudes. Frames
are Hann windows inside the recording, the first at its start, none padded; the samples after the last full frame do
not count. Magnitudes are in units of a full-scale sine and held above 1e-6 (-120 dB): the noise of dithered 16-bit
samples lies at -122 dB in a bin of 2048 samples, so it and digital silence are nearly alike. All channels count alike.

References:
    Gray, Markel: Distance measures for speech processing, IEEE TASSP 1976 (the rms log spectral measure).
    Yamamoto, Song, Kim: Parallel WaveGAN, ICASSP 2020, equations 4 to 6 (the multi-resolution distance).
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from concertclean.dsp.arrays import Array
from concertclean.errors import MetricError
from concertclean.metrics.pair import Waveform, validate

WINDOWS = (4096, 2048, 1024, 512, 256)  # samples, 93 to 6 ms at 44.1 kHz
_FLOOR = 1e-6
_BATCH = 1 << 20  # samples in the frames that are transformed at once


def log_spectral_distance(
    reference: Waveform, estimate: Waveform, *, n_fft: int = 2048, hop_length: int = 512
) -> float:
    """Rms over frequency of the difference of the power spectra in dB; mean over frames and channels, dB.

    Args:
        reference: `(channel, time)`.
        estimate: same shape.
        n_fft: samples of a frame, 46 ms at 44.1 kHz.
        hop_length: samples between frames.

    Raises:
        ValueError: see `pair.validate`.
        MetricError: shorter than a frame.
    """
    _demand_frames(reference, estimate, n_fft)
    total, n_frames = 0.0, 0
    for truth, found in _magnitudes(reference, estimate, n_fft, hop_length):
        difference_db = 20 * np.log10(truth / found)
        distances = np.sqrt(np.square(difference_db).mean(axis=-1))
        total, n_frames = total + float(distances.sum()), n_frames + distances.size
    return total / n_frames


def multi_resolution_stft(reference: Waveform, estimate: Waveform, *, windows: Sequence[int] = WINDOWS) -> float:
    """Spectral convergence plus mean absolute difference of the log magnitudes; mean over resolutions, no unit.

    Spectral convergence is the norm of the difference of the magnitudes over that of the reference's, all channels and
    frames together; logarithms are natural (1 is 8.7 dB). The hop is a quarter of the window.

    Args:
        reference: `(channel, time)`.
        estimate: same shape.
        windows: samples of the frame of each resolution.

    Raises:
        ValueError: see `pair.validate`.
        MetricError: shorter than the longest window, or the reference is silent.
    """
    _demand_frames(reference, estimate, max(windows))
    if not reference.any():
        raise MetricError("the reference is silent: spectral convergence is not defined")
    return float(np.mean([_one_resolution(reference, estimate, n_fft) for n_fft in windows]))


def _one_resolution(reference: Waveform, estimate: Waveform, n_fft: int) -> float:
    error, power, log_error, n_values = 0.0, 0.0, 0.0, 0
    for truth, found in _magnitudes(reference, estimate, n_fft, n_fft // 4):
        error += float(np.square(truth - found).sum())
        power += float(np.square(truth).sum())
        log_error += float(np.abs(np.log(truth / found)).sum())
        n_values += truth.size
    return float(np.sqrt(error / power)) + log_error / n_values


def _magnitudes(reference: Waveform, estimate: Waveform, n_fft: int, hop_length: int) -> Iterator[tuple[Array, Array]]:
    """Magnitudes of both, `(channel, frame, freq)`, some frames at a time."""
    window = np.hanning(n_fft + 1)[:-1]  # periodic
    window *= 2 / window.sum()
    framed = [sliding_window_view(w, n_fft, axis=1)[:, ::hop_length] for w in (reference, estimate)]
    batch = max(1, _BATCH // (n_fft * len(reference)))
    for start in range(0, framed[0].shape[1], batch):
        spectra = [np.fft.rfft(frames[:, start : start + batch] * window) for frames in framed]
        truth, found = (np.maximum(np.abs(spectrum), _FLOOR) for spectrum in spectra)
        yield truth, found


def _demand_frames(reference: Waveform, estimate: Waveform, n_fft: int) -> None:
    validate(reference, estimate)
    if reference.shape[1] < n_fft:
        raise MetricError(f"the spectral distance needs {n_fft} samples, got {reference.shape[1]}")
