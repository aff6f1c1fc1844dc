"""Any recording as blocks of float64, in bounded memory.

Decoders return different amounts at a time. The reader cuts their output into the requested blocks, replaces NaN and
infinity, lets the other library try where one finds less than the file declares, and warns at the end if the file is
shorter.
"""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import numpy as np

from concertclean.audio_io.av_decoder import AvDecoder
from concertclean.audio_io.chained_ogg import ChainDecoder, links_of
from concertclean.audio_io.decoder import Decoder, damaged, from_sample, nothing_decoded, refuse_absurd
from concertclean.audio_io.formats import AudioInfo
from concertclean.audio_io.headers import mended
from concertclean.audio_io.ogg_gaps import first_gap
from concertclean.audio_io.soundfile_decoder import SoundfileDecoder, suits_soundfile
from concertclean.audio_io.source import AudioBytes, open_source, reading
from concertclean.errors import AudioFileError
from concertclean.files.places import Url, place_of

_BLOCK_SAMPLES: Final = 65_536
_LOUDEST: Final = 1e15  # 300 dB above full scale: its square still fits into 32 bits, and no sound is so loud


class AudioReader:
    """An open recording; a context manager.

    Args:
        source: path or URL of a file, a named pipe, or a binary stream such as standard input. Pipes and streams are
            first copied to a temporary file, because an MP4 may have its index at the end.
        audio_stream: which sound of a film, from 1; None: the one that players choose, marked as default.

    Raises:
        NoInputError: the file is missing, a directory, empty, or has no audio stream.
        AudioFileError: the file cannot be opened or decoded, or has no such stream.
        OutputError: the temporary folder has no room for what a pipe or stream brings.

    Attributes:
        info: facts about the recording.
        clock: where the sound lies in time, if it is that of a video.
        warnings: "W121 ..." the header gives no length, "W122 ..." one of several streams is read; when the end is
            reached also "W103 ..." decoded shorter than declared, "W110 ..." samples that were not finite, "W114 ..."
            damaged packets.
    """

    info: AudioInfo
    warnings: list[str]

    def __init__(self, source: str | Path | Url | BinaryIO, *, audio_stream: int | None = None) -> None:
        self._path = str(place_of(source)) if isinstance(source, str | Path | Url) else "-"
        self._audio_stream = audio_stream
        self._file = open_source(source)
        try:
            self._bytes, self._remark = mended(self._file)
            with reading(self._bytes, self._path):
                self._gap = first_gap(self._bytes)
            self._begin()
        except BaseException:
            self._file.close()
            raise

    def _begin(self) -> None:
        """Starts decoding at the beginning."""
        self._decoder = self._opened()
        self.info = self._decoder.info
        self.clock = self._decoder.clock
        self.warnings = [self._remark] * bool(self._remark) + _remarks(self.info)
        self._declared = self._decoder.declared_samples
        self._has_other_tried = False
        self._pending = np.zeros((self.info.channels, 0))
        self._position = self._n_decoded = 0  # of what was returned, and with what is pending
        self._n_not_finite = 0
        self._is_finished = False

    def _opened(self) -> Decoder:
        """The decoder of the file, or of the links of a chain."""
        with reading(self._bytes, self._path):
            links = links_of(self._bytes)
            if len(links) > 1:
                decoder: Decoder = ChainDecoder(links, self._path, self._open_link)
            else:
                decoder = self._open_link(self._bytes)
        try:
            refuse_absurd(decoder.info)
            if self._gap is not None:
                raise damaged(self._path, self._gap / decoder.info.sample_rate)
        except AudioFileError:
            decoder.close()
            raise
        return decoder

    def _open_link(self, file: AudioBytes) -> Decoder:
        return _open_decoder(file, self._path, self._audio_stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def rewind(self) -> None:
        """Return to the beginning, as if nothing had been read; works for streams too, which are in a temporary file.

        Raises:
            AudioFileError: the file can no longer be decoded.
        """
        self._decoder.close()
        self._begin()

    def close(self) -> None:
        """Close the file and release the decoder's memory."""
        self._decoder.close()
        self._file.close()

    def read(self, n_samples: int) -> np.ndarray:
        """Next samples of the recording.

        Args:
            n_samples: samples of each channel, >= 0.

        Returns:
            `(channel, time)` float64, full scale ±1 (floating point files and lossy codecs may exceed it),
            always finite and within ±1e15; exactly `n_samples` long, shorter only at the end, then `(channel, 0)`.

        Raises:
            ValueError: `n_samples` is negative.
            AudioFileError: the file is damaged here.
        """
        if n_samples < 0:
            raise ValueError(f"n_samples is {n_samples}, must be at least 0")
        parts: list[np.ndarray] = []
        missing = n_samples
        while missing > 0:
            if not self._pending.shape[1]:
                self._pending = self._next(missing)
                if not self._pending.shape[1]:
                    break
            parts.append(self._pending[:, :missing])
            self._pending = self._pending[:, missing:]
            missing -= parts[-1].shape[1]
        self._position += n_samples - missing
        if missing:
            self._finish()
        return np.concatenate(parts, axis=1) if parts else np.zeros((self.info.channels, 0))

    def blocks(self, n_samples: int) -> Iterator[np.ndarray]:
        """Rest of the recording, block by block.

        Args:
            n_samples: samples of a block, >= 1; the last block may be shorter.

        Yields:
            `(channel, time)` float64, never empty.

        Raises:
            ValueError: `n_samples` is not positive.
            AudioFileError: the file is damaged.
        """
        if n_samples < 1:
            raise ValueError(f"n_samples is {n_samples}, must be at least 1")
        while (block := self.read(n_samples)).shape[1]:
            yield block

    def read_all(self) -> np.ndarray:
        """Rest of the recording at once, for short recordings.

        Returns:
            `(channel, time)` float64, as `read`.

        Raises:
            AudioFileError: the file is damaged.
        """
        return np.concatenate([np.zeros((self.info.channels, 0)), *self.blocks(_BLOCK_SAMPLES)], axis=1)

    def skip(self, n_samples: int) -> int:
        """Skip samples, exactly as if they had been read.

        Args:
            n_samples: samples of each channel, >= 0.

        Returns:
            Samples skipped; fewer than requested only at the end.

        Raises:
            ValueError: `n_samples` is negative.
            AudioFileError: the file is damaged here.
        """
        if n_samples < 0:
            raise ValueError(f"n_samples is {n_samples}, must be at least 0")
        start = self._position
        if not self._pending.shape[1]:
            with reading(self._bytes, self._path):
                n_jumped = self._decoder.jump(n_samples)
            self._position += n_jumped
            self._n_decoded += n_jumped
        while (left := start + n_samples - self._position) and self.read(min(left, _BLOCK_SAMPLES)).shape[1]:
            pass
        return self._position - start

    def _next(self, limit: int) -> np.ndarray:
        """Decoded samples, with NaN, infinity and numbers that no arithmetic here survives replaced by 0."""
        with reading(self._bytes, self._path):
            waveform = self._decoder.decode(limit)
        if not waveform.shape[1] and self._lacks_samples():
            waveform = self._from_other_library(limit)
        self._n_decoded += waveform.shape[1]
        if self.info.is_float:
            is_finite = np.abs(waveform) <= _LOUDEST  # false for NaN
            self._n_not_finite += waveform.size - int(np.count_nonzero(is_finite))
            waveform = np.where(is_finite, waveform, 0.0)
        return waveform

    def _lacks_samples(self) -> bool:
        """Whether fewer samples were found than the file declares."""
        declared, n_found = self._declared, self._n_decoded + sum(length for _, length in self.clock.gaps)
        return declared is not None and n_found + self._decoder.tolerance_samples < declared

    def _from_other_library(self, limit: int) -> np.ndarray:
        """What the other library finds behind the place where the first one stops; it goes on from there.

        Only for lossless codecs, whose samples are the same in both.
        """
        nothing = np.zeros((self.info.channels, 0))
        if self._has_other_tried or not self.info.is_lossless:
            return nothing
        self._has_other_tried = True
        try:
            with reading(self._bytes, self._path):
                other = _other_decoder(self._decoder, self._bytes, self._path)
                waveform = from_sample(other, self._n_decoded, limit)
        except AudioFileError:
            return nothing
        if (other.info.sample_rate, len(waveform)) != (self.info.sample_rate, self.info.channels):
            other.close()
            return nothing
        self._decoder.close()
        self._decoder = other
        return waveform

    def _finish(self) -> None:
        """Add, once, the warnings that are only known at the end; refuse a recording of which nothing was found."""
        if self._is_finished:
            return
        if not self._n_decoded and self._lacks_samples():
            raise nothing_decoded(self._path)
        self._is_finished = True
        decoded, declared, rate = self._n_decoded, self._declared, self.info.sample_rate
        if declared is not None and self._lacks_samples():
            seconds = f"{decoded / rate:.2f} s of {declared / rate:.2f} s"
            self.warnings.append(f"W103 decoded shorter than declared: {seconds}")
        elif declared is None and self._decoder.ended_early:
            self.warnings.append(f"W103 the file ends inside a packet: decoded {decoded / rate:.2f} s")
        if self._decoder.n_concealed:
            self.warnings.append(
                f"W114 {self._decoder.n_concealed} damaged packets were replaced by silence; copy it again"
            )
        if self._n_not_finite:
            self.warnings.append(
                f"W110 {self._n_not_finite} samples were NaN, infinite or beyond all sense and were replaced by silence"
            )


def _open_decoder(file: AudioBytes, path: str, audio_stream: int | None) -> Decoder:
    """Decoder that opens the file.

    libsndfile decodes PCM and Vorbis. It could decode MP3, FLAC and Opus too, but it prints to standard error on
    damaged MP3, returns nothing of truncated FLAC, and refuses Opus in 5.1.
    """
    if suits_soundfile(file) and audio_stream in (None, 1):
        try:
            return SoundfileDecoder(file, path)
        except AudioFileError:
            return AvDecoder(file, path, audio_stream)
    return AvDecoder(file, path, audio_stream)


def _other_decoder(decoder: Decoder, file: AudioBytes, path: str) -> Decoder:
    """The same file in the other library."""
    return AvDecoder(file, path) if isinstance(decoder, SoundfileDecoder) else SoundfileDecoder(file, path)


def _remarks(info: AudioInfo) -> list[str]:
    """Warnings that are known at the beginning."""
    if info.n_audio_streams < 2:
        return []
    return [f"W122 audio stream {info.audio_stream} of {info.n_audio_streams} is read ({info.stream_words})"]
