"""Encoders: blocks in, a complete file with tags and picture out.

FFmpeg writes everything but Vorbis. Measured with FFmpeg 8 (PyAV 18.1) over 2,000 lengths a format, all start with lag
0 and have the exact length for this program, libsndfile and FFmpeg, if every frame carries its time stamp, MP4 counts
time in samples (`movie_timescale`; the usual 1/1000 s rounds the end), and MP3 states its padding (`mp3_length`).
One reader differs: FFmpeg plays up to 1,023 samples of padding at the end of AAC, although the edit list says where it
ends.
"""

from contextlib import suppress
from fractions import Fraction
from typing import Any, Final, Protocol

import av
import numpy as np

from concertclean.audio_io.containers import Encoding, add_cover, complete, ogg_comments, open_output
from concertclean.audio_io.formats import FORMATS
from concertclean.audio_io.guarded import GuardedFile, TemporaryOutput
from concertclean.audio_io.mp3_length import KNOWN_SAMPLES, silence_around, state_length
from concertclean.audio_io.ogg import retag
from concertclean.audio_io.quantiser import Quantiser

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


class Encoder(Protocol):
    """What the writer needs from an encoder; errors of the libraries pass through."""

    def write(self, waveform: np.ndarray) -> None:
        """Encode `(channel, time)`, finite."""

    def finish(self) -> None:
        """Complete the file."""

    def abort(self) -> None:
        """Give back memory; the file is worthless."""


class SoundStream:
    """The sound of a container that is being written.

    Args:
        container: PyAV's, not begun.
        encoding: codec, rate, channels.
        position: of the first sample on the container's clock, in samples.

    Attributes:
        stream: PyAV's.
        position: of the next sample.
    """

    def __init__(self, container: Any, encoding: Encoding, position: int = 0) -> None:
        self._encoding, self.position = encoding, position
        is_lossless = FORMATS[encoding.format].is_lossless
        is_integer = is_lossless and not encoding.is_float
        self._quantiser = Quantiser(encoding.bit_depth, encoding.seed) if is_integer else None
        codec, storage = _codec_and_storage(encoding)
        # Blocks are handed over packed, and FFmpeg distributes them over planes: PyAV counts the planes of exactly
        # eight channels beyond their end.
        self._packed = storage.removesuffix("p")
        self._dtype = np.float64 if self._packed == "dbl" else np.float32
        self.stream: Any = container.add_stream(
            codec, rate=encoding.sample_rate, layout=encoding.layout, format=storage
        )
        self.stream.time_base = Fraction(1, encoding.sample_rate)
        if not is_lossless:
            self.stream.bit_rate = encoding.bit_rate
        if encoding.format == "opus" and encoding.is_capped:
            self.stream.codec_context.options = {"vbr": "constrained"}
        self.stream.codec_context.open()

    def packets(self, waveform: np.ndarray) -> list[Any]:
        """Packets that are complete with `(channel, time)`, finite."""
        if not waveform.shape[1]:
            return []
        encoding = self._encoding
        samples = self._quantiser.quantise(waveform) if self._quantiser else waveform.astype(self._dtype)
        packed = np.ascontiguousarray(samples.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format=self._packed, layout=encoding.layout)
        frame.sample_rate = encoding.sample_rate
        # Without time stamps an AAC file has no edit list and is 1024 samples late.
        frame.time_base = Fraction(1, encoding.sample_rate)
        frame.pts = self.position
        self.position += waveform.shape[1]
        return list(self.stream.encode(frame))

    def last_packets(self) -> list[Any]:
        """What the encoder still holds."""
        return list(self.stream.encode(None))


class AvEncoder:
    """Encoder of every format but Vorbis, for sound alone.

    Args:
        file: searchable, empty.
        encoding: what to write.
    """

    def __init__(self, file: GuardedFile, encoding: Encoding) -> None:
        self._file, self._encoding = file, encoding
        self._n_leading = 0
        # The tags of Opus are written into a copy.
        self._bare = TemporaryOutput() if encoding.format == "opus" else file
        self._container = open_output(self._bare, encoding)
        self._sound = SoundStream(self._container, encoding)
        add_cover(self._container, encoding)
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
        self._container.mux(self._sound.packets(waveform))
        self._bare.check()

    def finish(self) -> None:
        """Complete the file."""
        is_mp3 = self._encoding.format == "mp3"
        if self._held:
            self._encode(self._begun_mp3())
        n_samples = self._sound.position - self._n_leading
        if is_mp3:
            _, n_trailing = silence_around(n_samples, self._encoding.sample_rate)
            self._encode(np.zeros((self._encoding.channels, n_trailing)))
        self._container.start_encoding()
        self._container.mux(self._sound.last_packets())
        self._container.close()
        if is_mp3:
            state_length(self._file, n_samples, self._n_leading)
        if self._bare is self._file:
            complete(self._file, self._encoding)
            return
        self._bare.check()
        self._bare.seek(0)
        retag(self._bare, self._file, ogg_comments(self._encoding))
        self._bare.close()

    def abort(self) -> None:
        """Give back memory; the file is worthless."""
        with suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()
        if self._bare is not self._file:
            self._bare.close()


def _codec_and_storage(encoding: Encoding) -> tuple[str, str]:
    """FFmpeg's names of a codec and of the samples that it takes."""
    if encoding.is_float:
        return _FLOAT_CODECS[encoding.bit_depth]
    return _CODECS[FORMATS[encoding.format].codec, encoding.bit_depth]
