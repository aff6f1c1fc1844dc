"""Sound inside a page: FLAC of 16 bits or Opus, at a rate and with channels that every browser plays."""

import io
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from concertclean.audio_io.formats import Storage
from concertclean.audio_io.writer import AudioWriter

_MAX_RATE = 48_000
_MIN_RATE = 8_000
OPUS_RATE = 48_000


def page_rate(sample_rate: int) -> int:
    """Rate of a recording in a page, Hz: its own up to 48 kHz, else a half or a quarter of it, or 48 kHz."""
    if sample_rate <= _MAX_RATE:
        return max(sample_rate, _MIN_RATE)
    halves = (sample_rate // divisor for divisor in (2, 4, 8) if not sample_rate % divisor)
    return next((rate for rate in halves if rate in (44_100, 48_000)), _MAX_RATE)


def flac(sample_rate: int, channels: int) -> Storage:
    """Every sample, in 16 bits.

    Args:
        sample_rate: Hz, from `page_rate`.
        channels: 1 or 2.
    """
    return Storage("flac", sample_rate, channels, bit_depth=16)


def opus(channels: int, bit_rate: int) -> Storage:
    """A tenth of FLAC, at 48 kHz.

    Args:
        channels: 1 or 2.
        bit_rate: bit/s and channel, at most.
    """
    return Storage("opus", OPUS_RATE, channels, bit_rate=bit_rate * channels, is_capped=True)


class Sound:
    """A waveform being encoded for a page; a context manager whose `data` are available afterwards.

    Args:
        storage: from `flac` or `opus`.
        gain: factor for every sample.
    """

    def __init__(self, storage: Storage, gain: float = 1.0) -> None:
        self._file, self._gain = io.BytesIO(), gain
        self._writer = AudioWriter(self._file, storage)

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)

    def write(self, block: NDArray[np.float64]) -> None:
        """Appends `(channel, time)`."""
        self._writer.write(block * self._gain)

    @property
    def data(self) -> bytes:
        """The finished file."""
        return self._file.getvalue()
