"""The one STFT convention of the project.

Centred frames over a zero-extended waveform, periodic window, spectrogram divided by the sum of the window, so a
full-scale sine has magnitude 0.5 with any window. Frame k is centred on sample `k * hop_length`; a waveform that starts
on a multiple of `hop_length` of a longer one therefore has the same inner frames, which allows processing in segments.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

_FRAMES_TOGETHER = 128
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
    frames = F.pad(flat, (n_fft // 2, n_fft // 2)).unfold(1, n_fft, hop_length)
    runs = _runs(frames)
    spectrum: Tensor = torch.fft.rfft(frames[:, runs[0]] * unit)
    if len(runs) > 1:
        first, spectrum = spectrum, spectrum.new_empty(*frames.shape[:2], spectrum.shape[2])
        spectrum[:, runs[0]] = first
        for run in runs[1:]:
            spectrum[:, run] = torch.fft.rfft(frames[:, run] * unit)
    return spectrum.mT.reshape(*waveform.shape[:-1], *spectrum.mT.shape[-2:])


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
    frames, synthesis = flat.mT, window * window.sum()
    runs = _runs(frames)
    total = _overlapped(torch.fft.irfft(frames[:, runs[0]], n_fft) * synthesis, hop_length)
    total = F.pad(total, (0, (frames.shape[1] - runs[0].stop) * hop_length))
    for run in runs[1:]:
        more = _overlapped(torch.fft.irfft(frames[:, run], n_fft) * synthesis, hop_length)
        total[:, run.start * hop_length :][:, : more.shape[1]] += more
    middle = slice(n_fft // 2, n_fft // 2 + n_samples)
    weight = _overlapped(window.square().expand(1, frames.shape[1], -1), hop_length)[:, middle]
    return (total[:, middle] / weight.clamp_min(_LEAST_WEIGHT)).reshape(*spectrogram.shape[:-2], n_samples)


def _runs(frames: Tensor) -> list[slice]:
    """Frames `(row, frame, ...)` to transform together: a few, near the processor, where no gradient is kept."""
    n_frames = frames.shape[1]
    size = n_frames if torch.is_grad_enabled() or frames.device.type != "cpu" else _FRAMES_TOGETHER
    return [slice(start, min(start + size, n_frames)) for start in range(0, n_frames, size)]


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
