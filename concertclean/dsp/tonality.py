"""How much of a sound is in tones: what distinguishes music from noise alone without any training."""

import numpy as np

from concertclean.dsp.arrays import Array

_LOW_HZ, _HIGH_HZ = 200.0, 5000.0  # below is hum, above is little music
_FRAME_SECONDS = 0.1
_PIECE_SECONDS = 0.4
_NEIGHBOURS = 31  # bins, 300 Hz: the level of the floor
_ABOVE_FLOOR = 8.0  # times the median; of noise in a single frame 1 bin of 250 is so high


def tonal_share(waveform: Array, sample_rate: int) -> float:
    """Share of the power between 200 Hz and 5 kHz that stands out of its surroundings as tones, 0 to 1.

    A few percent for noise however short, half or more for most music.

    Args:
        waveform: `(channel, time)`.
        sample_rate: Hz.

    Returns:
        The share; 0 for less than 0.1 s and for silence.
    """
    size = round(_FRAME_SECONDS * sample_rate)
    piece = round(_PIECE_SECONDS * sample_rate)
    pieces = [waveform[:, start : start + piece] for start in range(0, waveform.shape[1], piece)]
    shares = [_share(one, size) for one in pieces if one.shape[1] >= size]
    return float(np.mean(shares)) if shares else 0.0


def _share(waveform: Array, size: int) -> float:
    """`tonal_share` of a piece in which tones hardly move, from the mean power of frames of `size` samples."""
    window = np.hanning(size)
    power = np.zeros(size // 2 + 1)
    for start in range(0, waveform.shape[1] - size + 1, max(1, size // 2)):
        frame = waveform[:, start : start + size] * window
        power += (np.abs(np.fft.rfft(frame, axis=1)) ** 2).sum(axis=0)
    hz = np.arange(power.size) / _FRAME_SECONDS
    around = np.lib.stride_tricks.sliding_window_view(np.pad(power, _NEIGHBOURS // 2, "edge"), _NEIGHBOURS)
    band = (hz >= _LOW_HZ) & (hz <= _HIGH_HZ)
    total = float(power[band].sum())
    tones = band & (power > _ABOVE_FLOOR * np.median(around, axis=1))
    return float(power[tones].sum()) / total if total > 0 else 0.0
