"""Ogg streams one after the other in one file, as recordings of net radio and joined files have them.

libsndfile reads the first and stops. Here every link of the chain has a decoder of its own, so each is read to its true
end, whatever its codec.

References:
    RFC 3533, sections 4 and 6.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np

from concertclean.audio_io.decoder import Decoder
from concertclean.audio_io.formats import Clock
from concertclean.audio_io.ogg import BEGINS, MAGIC, PAGE_HEADER, next_page
from concertclean.audio_io.source import AudioBytes
from concertclean.errors import AudioFileError

_MOST_SEGMENTS: Final = 255

Opener = Callable[[AudioBytes], Decoder]


class ChainDecoder:
    """Decoder of the links of a chain, one after the other.

    Args:
        links: of the file, two or more.
        path: as shown to the user.
        open_link: returns the decoder of a link.

    Raises:
        NoInputError, AudioFileError: a link cannot be decoded, or its sample rate or channels are others.
    """

    def __init__(self, links: list[AudioBytes], path: str, open_link: Opener) -> None:
        self._path, self._open_link = path, open_link
        self.ended_early = False
        self._n_concealed = self.tolerance_samples = 0
        self.clock = Clock()
        counts: list[int | None] = []
        self._links: list[AudioBytes] = []
        for link in links:
            try:
                decoder = open_link(link)
            except AudioFileError:
                if not self._links or link is not links[-1]:
                    raise
                self.ended_early = True  # the end of the file lies in the headers of the last link
                break
            if not self._links:
                self.info = decoder.info
            self._require_alike(decoder, counts)
            self._links.append(link)
            counts.append(decoder.declared_samples)
            self.tolerance_samples += decoder.tolerance_samples
            decoder.close()
        known = [count for count in counts if count is not None]
        n_samples = sum(known) if len(known) == len(counts) else None
        self.info = replace(self.info, n_samples=n_samples)
        self.declared_samples = None if self.ended_early else n_samples
        self._current = open_link(self._links.pop(0))

    @property
    def n_concealed(self) -> int:
        """Packets replaced by silence so far."""
        return self._n_concealed + self._current.n_concealed

    def decode(self, limit: int) -> np.ndarray:
        """Next samples, `(channel, time)` float64; none at the end of the last link."""
        while True:
            waveform = self._current.decode(limit)
            if waveform.shape[1] or not self._links:
                self.ended_early = self.ended_early or self._current.ended_early
                return waveform
            self.ended_early = self.ended_early or self._current.ended_early
            self._n_concealed += self._current.n_concealed
            self._current.close()
            self._current = self._open_link(self._links.pop(0))

    def jump(self, n_samples: int) -> int:
        """Skips nothing: only decoding reaches the exact sample."""
        del n_samples
        return 0

    def close(self) -> None:
        """Release the decoder of the present link."""
        self._current.close()

    def _require_alike(self, decoder: Decoder, counts: list[int | None]) -> None:
        first, other = self.info, decoder.info
        if (first.sample_rate, first.channels) != (other.sample_rate, other.channels):
            decoder.close()
            where = sum(count or 0 for count in counts) / first.sample_rate
            raise AudioFileError(f"{self._path}: rate or channels change at {where:.1f} s; cut the recording there")


def links_of(file: AudioBytes) -> list[AudioBytes]:
    """The links of a chain.

    Args:
        file: any file.

    Returns:
        A part of the file for each link of an Ogg file; the file itself if it is a single one, or none.
    """
    starts = _starts(file)
    if len(starts) < 2:
        return [file]
    ends = [*starts[1:], file.seek(0, os.SEEK_END)]
    return [AudioBytes(file, start, end - start) for start, end in zip(starts, ends, strict=True)]


def _starts(file: AudioBytes) -> list[int]:
    """Where links begin: at pages that begin a stream, behind pages that do not."""
    found: list[int] = []
    place, began = 0, False
    while True:
        file.seek(place)
        head = file.read(PAGE_HEADER.size + _MOST_SEGMENTS)
        if len(head) < PAGE_HEADER.size:
            return found
        magic, version, flags, *_, n_segments = PAGE_HEADER.unpack_from(head)
        if magic != MAGIC or version:
            if not place:
                return found
            place = next_page(file, place + 1)
            continue
        begins = bool(flags & BEGINS)
        if begins and not began:
            found.append(place)
        began = begins
        end = PAGE_HEADER.size + n_segments
        place += end + sum(head[PAGE_HEADER.size : end])
