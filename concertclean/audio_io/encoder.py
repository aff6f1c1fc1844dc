"""Encoders: blocks in, a complete file with tags and picture out.

FFmpeg writes everything but Vorbis. Measured with FFmpeg 8 (PyAV 18.1), all its formats then start with lag 0
and have the exact length, if every frame carries its time stamp and MP4 counts time in samples
(`movie_timescale`; the usual 1/1000 s rounds the end). FFmpeg's own Vorbis encoder is experimental, so
libsndfile makes the packets, and the tags are inserted afterwards.
"""

import io
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final, Protocol

import av
import numpy as np
import soundfile

from concertclean.audio_io.formats import FORMATS, VORBIS_ORDER, Cover
from concertclean.audio_io.guarded import GuardedFile, TemporaryOutput
from concertclean.audio_io.mp3_length import KNOWN_SAMPLES, silence_around, state_length
from concertclean.audio_io.ogg import retag
from concertclean.audio_io.quantiser import Quantiser
from concertclean.audio_io.tags import PICTURE_TAG, ogg_picture, vorbis_comments

# Codec and storage by (codec, depth) for integers and lossy codecs, which have depth 0, then by depth for floats.
_CODECS: Final = {
    ("pcm", 16): ("pcm_s16le", "s16"),
    ("pcm", 24): ("pcm_s24le", "s32"),
    ("pcm", 32): ("pcm_s32le", "s32"),
    ("flac", 16): ("flac", "s16"),
    ("flac", 24): ("flac", "s32"),
    ("alac", 16): ("alac", "s16p"),
    ("alac", 24): ("alac", "s32p"),
    ("aac", 0): ("aac", "fltp"),
    ("libmp3lame", 0): ("libmp3lame", "fltp"),
    ("libopus", 0): ("libopus", "flt"),
}
_FLOAT_CODECS: Final = {32: ("pcm_f32le", "flt"), 64: ("pcm_f64le", "dbl")}
# Without "bitexact" FFmpeg numbers Ogg streams at random and signs every file with its version.
_MUXER_OPTIONS: Final = {"wav": {"rf64": "auto"}, "m4a": {"brand": "M4A "}, "alac": {"brand": "M4A "}}
# What the extension of a WAV file promises besides: muxer and its options.
_WAVE_KINDS: Final = {
    ".rf64": ("wav", {"rf64": "always"}),
    ".w64": ("w64", {}),
    ".bwf": ("wav", {"rf64": "auto", "write_bext": "1"}),
}
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
        bit_depth: 16, 24 or 32, in floating point 32 or 64; 0 for lossy codecs.
        is_float: samples are stored as floating point numbers.
        bit_rate: bit/s, ignored by lossless codecs.
        tags: cleaned.
        cover: picture that the format can hold.
        seed: of the dither.
        extension: of the output, lower case; of WAV files some name another container.
    """

    format: str
    sample_rate: int
    channels: int
    layout: str
    bit_depth: int
    bit_rate: int
    is_float: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    cover: Cover | None = None
    seed: int = 0
    extension: str = ""


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

    def __init__(self, file: GuardedFile, encoding: Encoding) -> None:
        self._file, self._encoding = file, encoding
        self._position = 0
        self._n_leading = 0
        is_lossless = FORMATS[encoding.format].is_lossless
        is_integer = is_lossless and not encoding.is_float
        self._quantiser = Quantiser(encoding.bit_depth, encoding.seed) if is_integer else None
        codec, storage = _codec_and_storage(encoding)
        # Blocks are handed over packed, and FFmpeg distributes them over planes: PyAV counts the planes of exactly
        # eight channels beyond their end.
        self._packed = storage.removesuffix("p")
        self._dtype = np.float64 if self._packed == "dbl" else np.float32
        self._container = _open_output(file, encoding)
        self._stream: Any = self._container.add_stream(
            codec, rate=encoding.sample_rate, layout=encoding.layout, format=storage
        )
        self._stream.time_base = Fraction(1, encoding.sample_rate)
        if not is_lossless:
            self._stream.bit_rate = encoding.bit_rate
        self._stream.codec_context.open()
        if encoding.cover:
            _add_cover(self._container, encoding.cover)
        self._held: list[np.ndarray] | None = [] if encoding.format == "mp3" else None

    def write(self, waveform: np.ndarray) -> None:
        """Encode `(channel, time)`, finite."""
        if self._held is not None:
            self._held.append(waveform)
            if sum(block.shape[1] for block in self._held) < KNOWN_SAMPLES:
                return
            waveform = self._begun_mp3()
        self._encode(waveform)

    def _begun_mp3(self) -> np.ndarray:
        """What was held back, with silence before it where the length of the recording asks for it."""
        blocks, self._held = self._held or [], None
        n_leading, _ = silence_around(sum(block.shape[1] for block in blocks), self._encoding.sample_rate)
        self._n_leading = n_leading
        return np.concatenate([np.zeros((self._encoding.channels, n_leading)), *blocks], axis=1)

    def _encode(self, waveform: np.ndarray) -> None:
        if not waveform.shape[1]:
            return
        encoding = self._encoding
        samples = self._quantiser.quantise(waveform) if self._quantiser else waveform.astype(self._dtype)
        packed = np.ascontiguousarray(samples.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format=self._packed, layout=encoding.layout)
        frame.sample_rate = encoding.sample_rate
        # Without time stamps an AAC file has no edit list and is 1024 samples late.
        frame.time_base = Fraction(1, encoding.sample_rate)
        frame.pts = self._position
        self._position += waveform.shape[1]
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Complete the file."""
        is_mp3 = self._encoding.format == "mp3"
        if self._held:
            self._encode(self._begun_mp3())
        n_samples = self._position - self._n_leading
        if is_mp3:
            _, n_trailing = silence_around(n_samples, self._encoding.sample_rate)
            self._encode(np.zeros((self._encoding.channels, n_trailing)))
        self._container.start_encoding()
        self._container.mux(self._stream.encode(None))
        self._container.close()
        if is_mp3:
            state_length(self._file, n_samples, self._n_leading)

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

    def __init__(self, file: GuardedFile, encoding: Encoding) -> None:
        self._file = file
        self._encoding = encoding
        self._order = VORBIS_ORDER[encoding.layout]
        self._pending = np.zeros((0, encoding.channels), dtype=np.float32)
        qualities = np.linspace(0.0, 1.0, len(_VORBIS_BIT_RATES))
        quality = float(np.interp(2 * encoding.bit_rate / encoding.channels, _VORBIS_BIT_RATES, qualities))
        self._bare = TemporaryOutput()
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
        self._bare.check()

    def finish(self) -> None:
        """Complete the file."""
        self._sound.write(self._pending)
        self._sound.close()
        self._bare.check()
        self._bare.seek(0)
        retag(self._bare, self._file, vorbis_comments(self._encoding.tags, self._encoding.cover))
        self._bare.close()

    def abort(self) -> None:
        """Give back memory; the file is worthless."""
        with suppress(soundfile.LibsndfileError, OSError, ValueError):
            self._sound.close()
        self._bare.close()


def _codec_and_storage(encoding: Encoding) -> tuple[str, str]:
    """FFmpeg's names of a codec and of the samples that it takes."""
    if encoding.is_float:
        return _FLOAT_CODECS[encoding.bit_depth]
    return _CODECS[FORMATS[encoding.format].codec, encoding.bit_depth]


def _open_output(file: GuardedFile, encoding: Encoding) -> Any:
    """FFmpeg's container writer with the tags set."""
    usual = str(FORMATS[encoding.format].muxer), _MUXER_OPTIONS.get(encoding.format, {})
    muxer, special = _WAVE_KINDS.get(encoding.extension, usual)
    options = {"fflags": "+bitexact", **special}
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
