"""The STFT of `dsp.stft` on arrays, for what has to work without torch; a run of frames at a time.

Same frames, windows and scales. Spectra come as runs of frames, so that whoever changes them one by one never holds the
spectrogram of a whole segment.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_FRAMES_TOGETHER = 8  # what is computed of them stays in the cache of a core
_LEAST_WEIGHT = 1e-11  # of a sample that hardly any frame covers

Waveform = NDArray[np.float32]
Spectra = NDArray[np.complex64]
Run = tuple[slice, Spectra]
"""Some neighbouring frames: which ones, and their spectra `(channel, frame, freq)`."""


def window(name: Literal["hann", "hamming"], n_fft: int) -> Waveform:
    """Periodic analysis window of `n_fft` samples."""
    constant = {"hann": 0.5, "hamming": 0.54}[name]
    phase = 2 * np.pi * np.arange(n_fft) / n_fft
    return np.asarray(constant - (1 - constant) * np.cos(phase), np.float32)


def n_frames_of(n_samples: int, hop_length: int) -> int:
    """Frames of a waveform."""
    return 1 + n_samples // hop_length


def spectra(waveform: Waveform, window: Waveform, hop_length: int) -> Iterator[Run]:
    """Spectra of a waveform, scaled by the sum of the window.

    Args:
        waveform: `(channel, time)`, full scale ±1, any length from 1.
        window: `(n_fft,)`.
        hop_length: samples between frames.

    Yields:
        Runs of frames in order, all together `1 + time // hop_length`.
    """
    n_fft, unit = len(window), window / window.sum()
    n_frames = n_frames_of(waveform.shape[1], hop_length)
    padded = np.pad(waveform, ((0, 0), (n_fft // 2, n_fft // 2)))
    frames = sliding_window_view(padded, n_fft, axis=1)[:, ::hop_length]
    for start in range(0, n_frames, _FRAMES_TOGETHER):
        run = slice(start, min(start + _FRAMES_TOGETHER, n_frames))
        yield run, np.fft.rfft(frames[:, run] * unit).astype(np.complex64, copy=False)


def spectrogram(waveform: Waveform, window: Waveform, hop_length: int) -> Spectra:
    """All spectra of a waveform, `(channel, frame, freq)`; arguments as of `spectra`."""
    return np.concatenate([run for _, run in spectra(waveform, window, hop_length)], axis=1)


def runs_of(spectrogram: Spectra) -> Iterator[Run]:
    """Spectra `(channel, frame, freq)` as `spectra` yields them."""
    for start in range(0, spectrogram.shape[1], _FRAMES_TOGETHER):
        run = slice(start, min(start + _FRAMES_TOGETHER, spectrogram.shape[1]))
        yield run, spectrogram[:, run]


def waveform(runs: Iterable[Run], window: Waveform, hop_length: int, shape: tuple[int, int]) -> Waveform:
    """Waveform of spectra; the inverse of `spectra`.

    Args:
        runs: frames in order.
        window: `(n_fft,)`, the one of the analysis.
        hop_length: samples between frames.
        shape: channels and samples of the waveform.
    """
    n_fft, synthesis = len(window), window * window.sum()
    n_frames, n_pieces = n_frames_of(shape[1], hop_length), -(-n_fft // hop_length)
    total = np.zeros((shape[0], n_frames + n_pieces - 1, hop_length), np.float32)
    weight = np.zeros((n_frames + n_pieces - 1, hop_length), np.float32)
    square = np.square(window)
    for frames, spectrum in runs:
        found = np.fft.irfft(spectrum, n_fft).astype(np.float32, copy=False) * synthesis
        for piece in range(n_pieces):
            part = slice(piece * hop_length, min((piece + 1) * hop_length, n_fft))
            places = slice(frames.start + piece, frames.stop + piece)
            total[:, places, : part.stop - part.start] += found[:, :, part]
            weight[places, : part.stop - part.start] += square[part]
    total /= np.maximum(weight, _LEAST_WEIGHT, out=weight)
    return total.reshape(shape[0], -1)[:, n_fft // 2 : n_fft // 2 + shape[1]]
