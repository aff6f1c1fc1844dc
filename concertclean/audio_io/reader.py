"""Any recording as blocks of float64, in bounded memory.

Decoders return different amounts at a time. The reader cuts their output into the requested blocks, replaces NaN and
infinity, and warns at the end if the file was shorter than declared.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Protocol, Self, cast

import numpy as np

from concertclean.audio_io.av_decoder import AvDecoder
from concertclean.audio_io.formats import AudioInfo
from concertclean.audio_io.soundfile_decoder import SoundfileDecoder, suits_soundfile
from concertclean.errors import AudioFileError, NoInputError

_SPOOL_BYTES: Final = 16 * 2**20
_BLOCK_SAMPLES: Final = 65_536


class _Decoder(Protocol):
    info: AudioInfo
    ended_early: bool
    n_concealed: int
    tolerance_samples: int

    def decode(self, limit: int) -> np.ndarray: ...
    def jump(self, n_samples: int) -> int: ...
    def close(self) -> None: ...


class AudioReader:
    """An open recording; a context manager.

    Args:
        source: path of a file, or a binary stream such as standard input. A stream is first copied to a temporary file,
            because an MP4 may have its index at the end.

    Raises:
        NoInputError: the file is missing, a directory, empty, or has no audio stream.
        AudioFileError: the file cannot be opened or decoded.

    Attributes:
        info: facts about the recording.
        warnings: filled when the end is reached; "W103 ..." decoded shorter than declared, "W110 ..." samples
            that were not finite.
    """

    info: AudioInfo
    warnings: list[str]

    def __init__(self, source: str | Path | BinaryIO) -> None:
        is_path = isinstance(source, str | Path)
        self._path = str(source) if is_path else "-"
        self._file = _open_file(Path(cast(str, source))) if is_path else _spool(cast(BinaryIO, source))
        try:
            self._begin()
        except BaseException:
            self._file.close()
            raise

    def _begin(self) -> None:
        """Starts decoding at the beginning."""
        self._decoder = _choose_decoder(self._file, self._path)
        self.warnings = []
        self.info = self._decoder.info
        self._pending = np.zeros((self.info.channels, 0))
        self._position = 0
        self._n_not_finite = 0
        self._is_finished = False

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
            always finite; exactly `n_samples` long, shorter only at the end, then `(channel, 0)`.

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
            self._position += self._decoder.jump(n_samples)
        while (left := start + n_samples - self._position) and self.read(min(left, _BLOCK_SAMPLES)).shape[1]:
            pass
        return self._position - start

    def _next(self, limit: int) -> np.ndarray:
        """Decoded samples, with NaN and infinity replaced by 0."""
        waveform = self._decoder.decode(limit)
        if self.info.is_float:
            is_finite = np.isfinite(waveform)
            self._n_not_finite += waveform.size - int(np.count_nonzero(is_finite))
            waveform = np.where(is_finite, waveform, 0.0)
        return waveform

    def _finish(self) -> None:
        """Add, once, the warnings that are only known at the end."""
        if self._is_finished:
            return
        self._is_finished = True
        decoded, declared, rate = self._position, self.info.n_samples, self.info.sample_rate
        if declared is not None and decoded + self._decoder.tolerance_samples < declared:
            seconds = f"{decoded / rate:.2f} s of {declared / rate:.2f} s"
            self.warnings.append(f"W103 decoded shorter than declared: {seconds}")
        elif declared is None and self._decoder.ended_early:
            self.warnings.append(f"W103 the file ends inside a packet: decoded {decoded / rate:.2f} s")
        if self._decoder.n_concealed:
            self.warnings.append(
                f"W114 {self._decoder.n_concealed} damaged packets were replaced by silence; copy it again"
            )
        if self._n_not_finite:
            self.warnings.append(f"W110 {self._n_not_finite} samples were NaN or infinite and were replaced by silence")


def _open_file(path: Path) -> BinaryIO:
    """Open an existing file that is not empty."""
    if path.is_dir():
        raise NoInputError(f"{path}: is a folder; name a recording in it")
    try:
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoInputError(f"{path}: does not exist; check the name") from error
    except (OSError, ValueError) as error:
        raise AudioFileError(f"{path}: cannot be opened ({error}); check its permissions") from error
    return _refuse_empty(file, str(path))


def _spool(stream: BinaryIO) -> BinaryIO:
    """Seekable copy of a stream, in memory while it is small, else in a temporary file."""
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115  (closed by the reader)
    shutil.copyfileobj(stream, spool)
    return _refuse_empty(cast(BinaryIO, spool), "standard input")


def _refuse_empty(file: BinaryIO, name: str) -> BinaryIO:
    """The file, if it holds at least one byte."""
    file.seek(0)
    if not file.read(1):
        file.close()
        raise NoInputError(f"{name}: is empty, 0 bytes; copy the recording again")
    return file


def _choose_decoder(file: BinaryIO, path: str) -> _Decoder:
    """Decoder that opens the file.

    libsndfile decodes PCM and Vorbis. It could decode MP3, FLAC and Opus too, but it prints to standard error on
    damaged MP3, returns nothing of truncated FLAC, and refuses Opus in 5.1.
    """
    if suits_soundfile(file):
        try:
            return SoundfileDecoder(file, path)
        except AudioFileError:
            return AvDecoder(file, path)
    return AvDecoder(file, path)
