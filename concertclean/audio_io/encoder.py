"""Encoders: blocks in, a complete file with tags and picture out.

FFmpeg writes everything but Vorbis. Measured with FFmpeg 8 (PyAV 18.1), all its formats then start with lag 0
and have the exact length, if every frame carries its time stamp and MP4 counts time in samples
(`movie_timescale`; the usual 1/1000 s rounds the end). FFmpeg's own Vorbis encoder is experimental, so
libsndfile makes the packets, and the tags are inserted afterwards.
"""

import io
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, BinaryIO, Final, Protocol

import av
import numpy as np
import soundfile

from concertclean.audio_io.formats import FORMATS, VORBIS_ORDER, Cover
from concertclean.audio_io.ogg import retag
from concertclean.audio_io.quantiser import Quantiser
from concertclean.audio_io.tags import PICTURE_TAG, ogg_picture, vorbis_comments

# Codec and storage by (format, depth); depth 0 means floating point.
_CODECS: Final = {
    ("wav", 16): ("pcm_s16le", "s16"),
    ("wav", 24): ("pcm_s24le", "s32"),
    ("wav", 32): ("pcm_s32le", "s32"),
    ("wav", 0): ("pcm_f32le", "flt"),
    ("flac", 16): ("flac", "s16"),
    ("flac", 24): ("flac", "s32"),
    ("alac", 16): ("alac", "s16p"),
    ("alac", 24): ("alac", "s32p"),
    ("m4a", 0): ("aac", "fltp"),
    ("mp3", 0): ("libmp3lame", "fltp"),
    ("opus", 0): ("libopus", "flt"),
}
# Without "bitexact" FFmpeg numbers Ogg streams at random and signs every file with its version.
_MUXER_OPTIONS: Final = {"wav": {"rf64": "auto"}, "m4a": {"brand": "M4A "}, "alac": {"brand": "M4A "}}
# Nominal bit/s of a stereo pair at the qualities 0, 0.1 ... 1, as libvorbis states them for 44.1 kHz.
_VORBIS_BIT_RATES: Final = [64e3, 80e3, 96e3, 112e3, 128e3, 160e3, 192e3, 224e3, 256e3, 320e3, 500e3]
_VORBIS_BLOCK: Final = 4096


@dataclass(frozen=True)
class Encoding:
    """Everything an encoder needs before the first block.

    Attributes:
        format: writable key of `FORMATS`.
        sample_rate: Hz, one that the format supports.
        channels: number of channels.
        layout: FFmpeg's name of the channel layout.
        bit_depth: 16, 24 or 32; 0 for floating point, also inside lossy codecs.
        bit_rate: bit/s, ignored by lossless codecs.
        tags: cleaned.
        cover: picture that the format can hold.
        seed: of the dither.
    """

    format: str
    sample_rate: int
    channels: int
    layout: str
    bit_depth: int
    bit_rate: int
    tags: dict[str, str] = field(default_factory=dict)
    cover: Cover | None = None
    seed: int = 0


class Encoder(Protocol):
    """What the writer needs from an encoder; errors of the libraries pass through."""

    def write(self, waveform: np.ndarray) -> None:
        """Encode `(channel, time)`, finite."""

    def finish(self) -> None:
        """Complete the file."""

    def abort(self) -> None:
        """Give back memory; the file is worthless."""


class AvEncoder:
    """Encoder of every format but Vorbis.

    Args:
        file: searchable, empty.
        encoding: what to write.
    """

    def __init__(self, file: BinaryIO, encoding: Encoding) -> None:
        self._encoding = encoding
        self._position = 0
        self._quantiser = Quantiser(encoding.bit_depth, encoding.seed) if encoding.bit_depth else None
        codec, self._sample_format = _CODECS[encoding.format, encoding.bit_depth]
        self._container = _open_output(file, encoding)
        self._stream: Any = self._container.add_stream(
            codec, rate=encoding.sample_rate, layout=encoding.layout, format=self._sample_format
        )
        self._stream.time_base = Fraction(1, encoding.sample_rate)
        if not FORMATS[encoding.format].is_lossless:
            self._stream.bit_rate = encoding.bit_rate
        self._stream.codec_context.open()
        if encoding.cover:
            _add_cover(self._container, encoding.cover)

    def write(self, waveform: np.ndarray) -> None:
        """Encode `(channel, time)`, finite."""
        encoding = self._encoding
        samples = self._quantiser.quantise(waveform) if self._quantiser else waveform.astype(np.float32)
        if not self._sample_format.endswith("p"):
            samples = samples.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format=self._sample_format, layout=encoding.layout
        )
        frame.sample_rate = encoding.sample_rate
        # Without time stamps an AAC file has no edit list and is 1024 samples late.
        frame.time_base = Fraction(1, encoding.sample_rate)
        frame.pts = self._position
        self._position += waveform.shape[1]
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Complete the file."""
        self._container.start_encoding()
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def abort(self) -> None:
        """Give back memory; the file is worthless."""
        with suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()


class VorbisEncoder:
    """Encoder of Ogg Vorbis: libsndfile writes a temporary file, which is copied to its place with the tags.

    Args:
        file: searchable, empty.
        encoding: what to write.
    """

    def __init__(self, file: BinaryIO, encoding: Encoding) -> None:
        self._file = file
        self._encoding = encoding
        self._order = VORBIS_ORDER[encoding.layout]
        self._pending = np.zeros((0, encoding.channels), dtype=np.float32)
        qualities = np.linspace(0.0, 1.0, len(_VORBIS_BIT_RATES))
        quality = float(np.interp(2 * encoding.bit_rate / encoding.channels, _VORBIS_BIT_RATES, qualities))
        self._bare: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  (closed by finish or abort)
        self._sound = soundfile.SoundFile(
            self._bare,
            "w",
            encoding.sample_rate,
            encoding.channels,
            format="OGG",
            subtype="VORBIS",
            compression_level=1.0 - quality,
        )

    def write(self, waveform: np.ndarray) -> None:
        """Encode `(channel, time)`, finite."""
        # libvorbis keeps a block on the stack, which long ones overflow, and its decisions depend on the size
        # of the blocks: equal ones make equal files of equal samples.
        samples = np.concatenate([self._pending, waveform[self._order].T.astype(np.float32)])
        n_whole = len(samples) // _VORBIS_BLOCK * _VORBIS_BLOCK
        for start in range(0, n_whole, _VORBIS_BLOCK):
            self._sound.write(samples[start : start + _VORBIS_BLOCK])
        self._pending = samples[n_whole:]

    def finish(self) -> None:
        """Complete the file."""
        self._sound.write(self._pending)
        self._sound.close()
        self._bare.seek(0)
        retag(self._bare, self._file, vorbis_comments(self._encoding.tags, self._encoding.cover))
        self._bare.close()

    def abort(self) -> None:
        """Give back memory; the file is worthless."""
        with suppress(soundfile.LibsndfileError, OSError, ValueError):
            self._sound.close()
        self._bare.close()


def _open_output(file: BinaryIO, encoding: Encoding) -> Any:
    """FFmpeg's container writer with the tags set."""
    muxer = FORMATS[encoding.format].muxer
    options = {"fflags": "+bitexact", **_MUXER_OPTIONS.get(encoding.format, {})}
    if muxer == "mp4":
        options["movie_timescale"] = str(encoding.sample_rate)
    container = av.open(file, "w", format=muxer, options=options)
    container.metadata.update(encoding.tags)
    if muxer == "ogg" and encoding.cover:
        container.metadata[PICTURE_TAG] = ogg_picture(encoding.cover)
    return container


def _add_cover(container: Any, cover: Cover) -> None:
    """Write the picture unchanged, before anything else: FFmpeg holds the sound back until it has the picture."""
    if container.format.name == "ogg":
        return
    with av.open(io.BytesIO(cover.data)) as picture:
        source = picture.streams.video[0]
        stream = container.add_stream_from_template(source)
        stream.disposition = av.stream.Disposition.attached_pic
        stream.metadata["comment"] = "Cover (front)"
        packet = next(picture.demux(source))
        packet.stream = stream
        packet.pts = packet.dts = 0
        container.mux(packet)
