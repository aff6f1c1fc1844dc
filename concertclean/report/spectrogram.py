"""Spectrograms for looking at: level in dB over time and frequency, in bounded memory.

Conventions: 0 dB is a full-scale sine. Channels are averaged in power. Frames that share a column are averaged in power
too, so the level of a steady sound does not depend on the length of the recording.
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.array_stft import spectrogram, window

N_FFT = 2048  # 46 ms at 44.1 kHz: claps and crackle stay narrow
FLOOR_DB = -120.0
STEPS_A_DB = 2
_MAX_HOP = 512
_MIN_HOP = 128


class Spectrograms:
    """Levels of several waveforms, read in step, block by block.

    Args:
        n_waveforms: how many.
        channels: of each.
        n_samples: length, if known; decides how many frames share a column.
        max_columns: most columns of the result, about.
    """

    def __init__(self, n_waveforms: int, channels: int, n_samples: int, max_columns: int = 4000) -> None:
        hop = _MIN_HOP
        while hop < _MAX_HOP and n_samples / hop > max_columns:
            hop *= 2
        self.hop_length = hop
        self.frames_per_column = max(1, -(-(1 + n_samples // hop) // max_columns))
        self._margin = N_FFT // 2 // hop  # frames whose window extends beyond an edge of a segment
        self._window = window("hann", N_FFT)
        self._held = np.zeros((n_waveforms, channels, N_FFT // 2), np.float32)
        self._n_samples = 0
        self._columns: list[NDArray[np.float32]] = []
        self._frames = np.zeros((n_waveforms, N_FFT // 2 + 1, 0), np.float32)

    def timing(self, sample_rate: int) -> tuple[float, float]:
        """Seconds of a column, and how far before 0 the first one begins."""
        return self.hop_length * self.frames_per_column / sample_rate, self.hop_length / 2 / sample_rate

    def add(self, waveforms: NDArray[np.float64]) -> None:
        """Takes the next `(waveform, channel, time)`."""
        self._n_samples += waveforms.shape[-1]
        self._held = np.concatenate([self._held, waveforms.astype(np.float32)], axis=-1)
        n_frames = self._held.shape[-1] // self.hop_length - 2 * self._margin
        if n_frames > 0:
            self._take(n_frames)

    def levels(self) -> NDArray[np.float64]:
        """Everything so far, `(waveform, freq, column)` in dB, at least `FLOOR_DB`; nothing can be added afterwards."""
        n_done = (len(self._columns) * self.frames_per_column) + self._frames.shape[-1]
        n_missing = 1 + self._n_samples // self.hop_length - n_done
        n_wanted = (n_missing + 2 * self._margin) * self.hop_length
        padding = max(0, n_wanted - self._held.shape[-1])
        self._held = np.pad(self._held, ((0, 0), (0, 0), (0, padding)))
        if n_missing > 0:
            self._take(n_missing)
        rest = [self._frames.mean(axis=-1)] if self._frames.shape[-1] else []
        power = np.stack([*self._columns, *rest], axis=-1).astype(np.float64)
        # A full-scale sine has magnitude 0.5.
        levels: NDArray[np.float64] = np.maximum(10 * np.log10(np.maximum(4.0 * power, 1e-30)), FLOOR_DB)
        return levels

    def _take(self, n_frames: int) -> None:
        """Turns the first held frames into columns."""
        n_used = (n_frames + 2 * self._margin) * self.hop_length
        n_waveforms, channels = self._held.shape[:2]
        flat = self._held[..., :n_used].reshape(n_waveforms * channels, n_used)
        inner = spectrogram(flat, self._window, self.hop_length)[:, self._margin : self._margin + n_frames]
        self._held = self._held[..., n_frames * self.hop_length :]
        power = np.square(inner.real) + np.square(inner.imag)
        power = power.reshape(n_waveforms, channels, n_frames, -1).mean(axis=1).swapaxes(1, 2)
        frames = np.concatenate([self._frames, power], axis=-1)
        n_columns = frames.shape[-1] // self.frames_per_column
        n_whole = n_columns * self.frames_per_column
        whole = frames[..., :n_whole].reshape(*frames.shape[:2], n_columns, self.frames_per_column).mean(axis=-1)
        self._columns += list(np.moveaxis(whole, -1, 0))
        self._frames = frames[..., n_whole:]


def display_range(levels: NDArray[np.float64], span_db: float = 80.0) -> tuple[float, float]:
    """Lowest and highest level to show, dB; highest is the loudest of the levels, up to the next 5 dB."""
    top = min(max(5.0 * np.ceil(levels.max() / 5.0), FLOOR_DB + span_db), 5.0)
    return float(top - span_db), float(top)


def grey_png(levels: NDArray[np.float64], step_db: float = 1 / STEPS_A_DB) -> bytes:
    """A picture of levels for programs: grey value `2 (dB + 120)`, high frequencies at the top.

    Args:
        levels: `(freq, column)`, dB.
        step_db: what levels are rounded to, a multiple of 0.5 dB; coarser pictures are smaller.

    Returns:
        8-bit PNG, one row per frequency.

    References:
        W3C, Portable Network Graphics, sections 5 (chunks), 9 (filtering) and 11.2 (header).
    """
    step = round(step_db * STEPS_A_DB)
    values = np.clip(step * np.round((levels - FLOOR_DB) / step_db), 0, 255).astype(np.uint8)[::-1]
    # Filter 1 of the standard: each row starts with the filter's number, each sample is less the one before it.
    filtered = np.insert(np.diff(values, axis=1, prepend=np.uint8(0)), 0, 1, axis=1)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 8, 0, 0, 0, 0)  # 8 bits, grey, not interlaced
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG file: length, kind, data, checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
