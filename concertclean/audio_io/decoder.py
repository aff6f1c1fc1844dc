"""What the reader needs of a decoder, and which recordings it accepts."""

from typing import Final, Protocol

import numpy as np

from concertclean.audio_io.formats import AudioInfo, Clock
from concertclean.errors import AudioFileError

LEAST_SAMPLE_RATE: Final = 1000
LARGEST_SAMPLE_RATE: Final = 768_000
MOST_CHANNELS: Final = 64
_BLOCK_SAMPLES: Final = 65_536


class Decoder(Protocol):
    """A recording that is being decoded.

    Attributes:
        info: facts about it.
        declared_samples: length by the header, of one channel, believable or not; None if it states none.
        tolerance_samples: by how much the declared length may exceed the true one in a sound file.
        clock: where the sound lies in time.
    """

    info: AudioInfo
    clock: Clock
    declared_samples: int | None
    tolerance_samples: int

    @property
    def ended_early(self) -> bool:
        """Whether the last packet was broken, as at the end of a truncated file."""

    @property
    def n_concealed(self) -> int:
        """Damaged packets that were replaced by silence."""

    def decode(self, limit: int) -> np.ndarray:
        """Next samples, `(channel, time)` float64; none at the end."""

    def jump(self, n_samples: int) -> int:
        """Skip up to so many samples without decoding; returns how many."""

    def close(self) -> None:
        """Release the library's resources; the file stays open."""


def from_sample(decoder: Decoder, start: int, limit: int) -> np.ndarray:
    """First samples from a place on, found by decoding all before it.

    Args:
        decoder: at its beginning.
        start: of the samples that are wanted.
        limit: as many at most, about.
    """
    position = 0
    while position < start and (waveform := decoder.decode(min(start - position, _BLOCK_SAMPLES))).shape[1]:
        position += waveform.shape[1]
        if position > start:
            return waveform[:, start - position :]
    return decoder.decode(limit)


def refuse_absurd(info: AudioInfo) -> None:
    """Raise for a header whose numbers no recording has.

    Raises:
        AudioFileError: the sample rate or the number of channels is out of range.
    """
    if not LEAST_SAMPLE_RATE <= info.sample_rate <= LARGEST_SAMPLE_RATE:
        fact = f"its header gives a sample rate of {info.sample_rate} Hz"
        span = f"{LEAST_SAMPLE_RATE} to {LARGEST_SAMPLE_RATE} Hz can be read"
        raise AudioFileError(f"{info.path}: {fact}; {span}: correct the header, or convert it")
    if not 1 <= info.channels <= MOST_CHANNELS:
        fact = f"its header gives {info.channels} channels"
        raise AudioFileError(f"{info.path}: {fact}; 1 to {MOST_CHANNELS} can be read: correct the header, or split it")


def nothing_decoded(path: str) -> AudioFileError:
    """The error for a recording that declares samples and yields none: an empty result would pass for a restored one.

    Args:
        path: as it is to be named.
    """
    return AudioFileError(f"{path}: nothing in it can be decoded; copy it again")


def damaged(path: str, seconds: float) -> AudioFileError:
    """The error for a recording that cannot be read past a place.

    Args:
        path: as it is to be named.
        seconds: from the beginning to that place.
    """
    return AudioFileError(f"{path}: damaged at about {seconds:.1f} s; copy it again, or cut it there")
