"""Writes blocks of samples to a complete file, or to none.

The writer checks the request before anything is written. The encoder encodes. The target makes the file appear under
its name only when it is complete.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, cast

import av
import numpy as np
import soundfile

from concertclean.audio_io import flac_header
from concertclean.audio_io.ceiling import Ceiling
from concertclean.audio_io.containers import Encoding, holds_tags, remarks
from concertclean.audio_io.covers import fault_of
from concertclean.audio_io.encoder import AvEncoder, Encoder
from concertclean.audio_io.films import FilmEncoder
from concertclean.audio_io.formats import FORMATS, Cover, Film, Format, Storage, supported_sample_rate
from concertclean.audio_io.guarded import GuardedFile
from concertclean.audio_io.pipe import PipeTarget, StoreTarget
from concertclean.audio_io.storable_layouts import require_last_frame, storable_layout
from concertclean.audio_io.tags import clean_tags, vorbis_comments, within_limit
from concertclean.audio_io.vorbis_encoder import VorbisEncoder
from concertclean.audio_io.wave_chunks import Chunks
from concertclean.errors import OutputError
from concertclean.files.atomic import PartFile
from concertclean.files.places import Url, place_of

_MARGIN_BYTES: Final = 2**20
_LIBRARY_ERRORS: Final = (OSError, av.FFmpegError, soundfile.LibsndfileError)


class AudioWriter:
    """A recording being written; a context manager.

    Leaving it normally completes the file; leaving it by an exception removes every trace of it.

    Args:
        path: or URL of the output, or a binary stream such as standard output, which need not be searchable.
        storage: format, sample rate, channels and the rest; of a video all but its sound is copied.
        tags: technical ones are left out; several values of one stand between zero characters.
        cover: JPEG or PNG.
        chunks: of the WAV file that the recording was; kept in another WAV file.
        seed: of the dither at 16 bits.
        overwrite: replace an existing output.
        n_samples: expected length, if known, to detect a full disk before hours of work.

    Raises:
        OutputError: the output exists or cannot be written, the format does not support this rate or these channels,
            or the disk is too small.
        ValueError: an unknown format or bit depth, or a layout of another number of channels.

    Attributes:
        ceiling: cuts what the format cannot store, and counts it.
        warnings: "W111 ..." if the cover had to be left out, "W119 ..." for tags and chunks without a place, "W123 ..."
            for streams of a video without one.
    """

    def __init__(
        self,
        path: str | Path | Url | BinaryIO,
        storage: Storage,
        *,
        tags: dict[str, str] | None = None,
        cover: Cover | None = None,
        chunks: Chunks = (),
        seed: int = 0,
        overwrite: bool = False,
        n_samples: int | None = None,
    ) -> None:
        self.warnings: list[str] = []
        place = place_of(path) if isinstance(path, str | Path | Url) else None
        self._name = "standard output" if place is None else str(place)
        entry = _writable_format(storage.format)
        _require_support(entry, self._name, storage.sample_rate, storage.channels)
        require_last_frame(self._name, entry.name, storage.channels, n_samples or 0)
        kept_tags, too_long = within_limit(clean_tags(tags or {}))
        if too_long:
            self.warnings.append(f"W119 too long, left out: {', '.join(too_long)}; shorten the tags")
        self._encoding = Encoding(
            format=storage.format,
            sample_rate=storage.sample_rate,
            channels=storage.channels,
            layout=storable_layout(entry, self._name, storage.channel_layout, storage.channels),
            bit_depth=_stored_depth(entry, storage.bit_depth, storage.is_float),
            is_float=storage.is_float and entry.name == "wav",
            bit_rate=_usable_bit_rate(entry, storage.bit_rate, storage.sample_rate, storage.channels),
            is_capped=storage.is_capped,
            tags=kept_tags,
            cover=self._storable_cover(entry, cover, flac_header.header_bytes(vorbis_comments(kept_tags), None)),
            seed=seed,
            extension="" if place is None else place.suffix.lower(),
        )
        if storage.format == "wav" and holds_tags(self._encoding):
            self._encoding = replace(self._encoding, chunks=chunks)
        self.warnings += remarks(self._encoding, chunks)
        self.ceiling = Ceiling(entry.name, self._encoding.bit_depth, self._encoding.is_float)
        self._n_written = 0
        self._target: PartFile | PipeTarget | StoreTarget
        if isinstance(place, Path):
            _require_space(place, self._encoding, n_samples)
            self._target = PartFile(place, overwrite=overwrite)
        elif place is not None:
            self._target = StoreTarget(place, overwrite=overwrite)
        else:
            self._target = PipeTarget(cast(BinaryIO, path))
        self._file = GuardedFile(self._target.file) if isinstance(self._target, PartFile) else self._target.file
        self._encoder = self._open_encoder(storage.film)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._complete()
        finally:
            try:
                self._encoder.abort()
            finally:
                self._target.discard()

    def write(self, block: np.ndarray) -> None:
        """Append a block.

        Args:
            block: `(channel, time)`, float, full scale ±1; what the format cannot store is cut and counted, see
                `Ceiling`.

        Raises:
            ValueError: wrong shape, or NaN or infinite samples, which would be written as a bang.
            OutputError: the disk is full.
        """
        if block.ndim != 2 or block.shape[0] != self._encoding.channels:
            raise ValueError(f"block has shape {block.shape}, must be ({self._encoding.channels}, time)")
        n_bad = block.size - int(np.count_nonzero(np.isfinite(block)))
        if n_bad:
            raise ValueError(f"block contains {n_bad} NaN or infinite samples; all must be finite")
        if not block.shape[1]:
            return
        self._n_written += block.shape[1]
        self._encode(lambda: self._encoder.write(self.ceiling.limited(block)))

    def _encode(self, step: Callable[[], None]) -> None:
        """A step of the encoder; what its file did not take is reported first, as the cause of all that follows."""
        try:
            try:
                step()
            finally:
                self._file.check()
        except _LIBRARY_ERRORS as error:
            raise self._failure(error) from error

    def _complete(self) -> None:
        """Finish the file and make it appear."""
        if not self._n_written and self._encoding.format not in {"wav", "flac"}:
            name = self._encoding.format
            message = f"{self._name}: {name} cannot store a recording of 0 samples; set the format to wav or flac"
            raise OutputError(message)
        require_last_frame(self._name, self._encoding.format, self._encoding.channels, self._n_written)
        self._encode(self._encoder.finish)
        self._target.commit()

    def _open_encoder(self, film: Film | None) -> Encoder:
        """Encoder on the target's file, without the cover if that is refused; nothing is left if it refuses, too."""
        make: Callable[[GuardedFile, Encoding], Encoder]
        make = VorbisEncoder if self._encoding.format == "ogg" else AvEncoder
        if film is not None:
            make = partial(FilmEncoder, film=film, remark=self.warnings.append)
        try:
            try:
                return make(self._file, self._encoding)
            except _LIBRARY_ERRORS:
                self._file.check()
                if self._encoding.cover is None:
                    raise
            self._encoding = replace(self._encoding, cover=None)
            self._file.empty()
            encoder = make(self._file, self._encoding)
        except _LIBRARY_ERRORS as error:
            self._target.discard()
            wanted = f"{self._encoding.sample_rate} Hz, {self._encoding.layout}"
            message = f"{self._name}: {self._encoding.format} refuses {wanted}; set the format to wav or flac"
            raise OutputError(message) from error
        except BaseException:
            self._target.discard()
            raise
        self.warnings.append(f"W111 the cover was left out: {self._encoding.format} refuses it")
        return encoder

    def _storable_cover(self, entry: Format, cover: Cover | None, n_tag_bytes: int) -> Cover | None:
        """The picture, if the format can hold it; else a warning."""
        fault = None if cover is None else fault_of(cover, entry, n_tag_bytes)
        if fault is None:
            return cover
        self.warnings.append(f"W111 the cover was left out: {fault}")
        return None

    def _failure(self, error: Exception) -> OutputError:
        """Error for a file that cannot be completed."""
        return OutputError(f"{self._name}: cannot be written ({error}); free some space or write elsewhere")


def require_storable(name: str, storage: Storage) -> None:
    """Refuse what a format cannot store, before hours of work.

    Args:
        name: of the output, for messages.
        storage: format, sample rate, channels and the rest.

    Raises:
        OutputError: the format does not support this rate or these channels.
        ValueError: an unknown format, or a layout of another number of channels.
    """
    entry = _writable_format(storage.format)
    _require_support(entry, name, storage.sample_rate, storage.channels)
    storable_layout(entry, name, storage.channel_layout, storage.channels)


def _writable_format(name: str) -> Format:
    """Entry of the table for a name that can be written."""
    entry = FORMATS.get(name)
    if entry is None or not entry.is_writable:
        known = ", ".join(key for key, value in FORMATS.items() if value.is_writable)
        raise ValueError(f"format is {name!r}, must be one of {known}")
    return entry


def _require_support(entry: Format, name: str, sample_rate: int, channels: int) -> None:
    """Refuse rates and numbers of channels that the codec cannot store."""
    if sample_rate < 1 or channels < 1:
        facts = f"{sample_rate} Hz and {channels} channels cannot be stored, both must be at least 1"
        raise OutputError(f"{name}: {facts}; check the recording")
    nearest = supported_sample_rate(entry.name, sample_rate)
    if nearest != sample_rate:
        cure = f"write it at {nearest} Hz, or set the format to flac"
        message = f"{name}: {entry.name} cannot store {sample_rate} Hz; {cure}"
        raise OutputError(message)
    if channels > entry.max_channels:
        raise OutputError(f"{name}: {entry.name} cannot store {channels} channels; set the format to wav or flac")


def _stored_depth(entry: Format, bit_depth: int | None, is_float: bool) -> int:
    """Bits of a stored sample, 0 for lossy codecs; never fewer than requested if the format has them."""
    if not entry.is_lossless:
        return 0
    if is_float:
        return 24 if entry.name != "wav" else 64 if (bit_depth or 32) > 32 else 32
    wanted = 24 if bit_depth is None else bit_depth
    if not 1 <= wanted <= 64:
        raise ValueError(f"bit_depth is {bit_depth}, must be 1 to 64")
    if wanted <= 16:
        return 16
    return 24 if wanted <= 24 or entry.name != "wav" else 32


def _usable_bit_rate(entry: Format, bit_rate: int | None, sample_rate: int, channels: int) -> int:
    """Bit rate within the codec's range, in bit/s."""
    wanted = bit_rate or entry.default_bit_rate * channels
    if entry.name == "mp3":
        # ISO 11172-3 and 13818-3: the largest bit rates of MPEG-1, MPEG-2 and FFmpeg's MPEG-2.5.
        return min(wanted, 320_000 if sample_rate >= 32_000 else 160_000 if sample_rate >= 16_000 else 64_000)
    if entry.name == "opus":
        return min(max(wanted, 6_000 * channels), 256_000 * channels)  # RFC 6716 section 2.1.1
    return wanted


def _require_space(path: Path, encoding: Encoding, n_samples: int | None) -> None:
    """Refuse a WAV that the disk cannot hold; the size of other formats is not known in advance."""
    if n_samples is None or encoding.format != "wav" or not os.path.isdir(path.parent):
        return
    needed = n_samples * encoding.channels * encoding.bit_depth // 8 + _MARGIN_BYTES
    free = shutil.disk_usage(os.fspath(path.parent)).free
    if needed > free:
        raise OutputError(f"{path}: needs {_size(needed)}, the disk has {_size(free)}; write elsewhere")


def _size(n_bytes: int) -> str:
    """Bytes in the unit that leaves a number from 1 to 999."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= scale:
            return f"{n_bytes / scale:.1f} {unit}"
    return f"{n_bytes / 1e3:.0f} kB"
