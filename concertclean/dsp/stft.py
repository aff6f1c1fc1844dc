"""The one STFT convention of the project.

Centred frames over a zero-extended waveform, periodic window, spectrogram divided by the sum of the window, so a
full-scale sine has magnitude 0.5 with any window. Frame k is centred on sample `k * hop_length`; a waveform that starts
on a multiple of `hop_length` of a longer one therefore has the same inner frames, which allows processing in segments.
"""

from typing import Literal

import torch
from torch import Tensor

_LEAST_WEIGHT = 1e-11  # of a sample that hardly any frame covers

WindowName = Literal["hann", "hamming"]


def window(name: WindowName, n_fft: int) -> Tensor:
    """Periodic analysis window of `n_fft` samples, float32."""
    if name == "hann":
        return torch.hann_window(n_fft)
    if name == "hamming":
        return torch.hamming_window(n_fft)
    msg = f"window={name!r}, expected 'hann' or 'hamming'"
    raise ValueError(msg)


def spectrogram(waveform: Tensor, window: Tensor, hop_length: int) -> Tensor:
    """Complex spectrogram, scaled by the sum of the window.

    Args:
        waveform: `(..., time)`, full scale ±1, any length from 1.
        window: `(n_fft,)` real window.
        hop_length: samples between frames.

    Returns:
        `(..., freq, frame)` complex, `n_fft // 2 + 1` frequencies, `1 + time // hop_length` frames.
    """
    n_fft = window.numel()
    flat = waveform.reshape(-1, waveform.shape[-1])
    unit = window / window.sum()
    spectrum = torch.stft(flat, n_fft, hop_length, window=unit, center=True, pad_mode="constant", return_complex=True)
    return spectrum.reshape(*waveform.shape[:-1], *spectrum.shape[-2:])


def waveform(spectrogram: Tensor, window: Tensor, hop_length: int, n_samples: int) -> Tensor:
    """Waveform of a spectrogram; the inverse of `spectrogram`.

    Args:
        spectrogram: `(..., freq, frame)` complex.
        window: `(n_fft,)`, the one of the analysis.
        hop_length: samples between frames.
        n_samples: length of the result, at most `(frame - 1) * hop_length + n_fft // 2`.

    Returns:
        `(..., time)` with `n_samples` samples.
    """
    n_fft = window.numel()
    flat = spectrogram.reshape(-1, *spectrogram.shape[-2:])
    frames = torch.fft.irfft(flat.mT, n_fft) * (window * window.sum())
    middle = slice(n_fft // 2, n_fft // 2 + n_samples)
    total = _overlapped(frames, hop_length)[:, middle]
    weight = _overlapped(window.square().expand(1, flat.shape[-1], -1), hop_length)[:, middle]
    return (total / weight.clamp_min(_LEAST_WEIGHT)).reshape(*spectrogram.shape[:-2], n_samples)


def _overlapped(frames: Tensor, hop_length: int) -> Tensor:
    """Overlap-add of frames `(batch, frame, n_fft)`, `(batch, time)`.

    It works in pieces of a hop, several times as fast as the library, which places every sample separately.
    """
    batch, n_frames, _ = frames.shape
    pieces = torch.split(frames, hop_length, dim=2)
    total = frames.new_zeros(batch, n_frames + len(pieces) - 1, hop_length)
    for k, piece in enumerate(pieces):
        total[:, k : k + n_frames, : piece.shape[2]] += piece
    return total.flatten(1)
