"""Compressed audio through FFmpeg, sample-exact at both ends.

If the file states the encoder's delay (edit list, LAME tag, Opus pre-skip), FFmpeg removes it. It keeps the padding
that fills the last AAC frame; that is cut here.
"""

import os
from collections.abc import Generator, Iterator
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np

from concertclean.audio_io import probe
from concertclean.audio_io.decoder import damaged, nothing_decoded
from concertclean.audio_io.formats import AudioInfo, Clock, layout_name
from concertclean.audio_io.layouts import settled
from concertclean.audio_io.source import AudioBytes
from concertclean.errors import AudioFileError

# Padding is less than the last frame plus the encoder's look-ahead. An excess above this means that the
# declared length is wrong, not that there is padding.
_MAX_PADDING_SAMPLES: Final = 4096
_MOST_SAMPLES_PER_BYTE: Final = 8192  # the longest frame of FLAC, silence in eight bytes
_MAX_CONCEALED: Final = 40  # a second of MP3; more is a gap, not a glitch
# PyAV counts planes up to a null pointer, and an array of eight has none behind it: it reads on, and crashes.
_UNCOUNTED_PLANES: Final = 8
_LEAST_GAP_SECONDS: Final = 0.05  # less is rounding, or a clock that runs a little fast
_FULL_SCALE: Final = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "flt": 1.0, "dbl": 1.0}


class AvDecoder:
    """Decoder of everything that FFmpeg can read.

    Args:
        file: seekable.
        path: as shown to the user, "-" for a stream.
        audio_stream: which of several, from 1; None: the default one.

    Raises:
        NoInputError: there is no audio stream.
        AudioFileError: no sample can be decoded, or there is no such stream.

    Attributes:
        info: facts about the recording.
        declared_samples: length by the header, of one channel, believable or not; None if it states none.
        ended_early: the last packet was broken, as at the end of a truncated file.
        tolerance_samples: by how much the declared length may exceed the true one in a sound file.
        clock: where the sound lies in time, by its time stamps.
    """

    def __init__(self, file: AudioBytes, path: str, audio_stream: int | None = None) -> None:
        extras = probe.read_extras(file, path, audio_stream)
        self.ended_early = False
        self.declared_samples: int | None = None
        self._n_bytes = file.seek(0, os.SEEK_END)
        self.n_concealed = 0
        self._path = path
        self._position = 0
        self._tail: list[np.ndarray] = []
        self._container = probe.open_container(file, path)
        self._stream = probe.choose_stream(self._container, path, audio_stream)
        _, self._order = settled(self._stream)
        self._packed: av.AudioResampler | None = None
        declared = probe.declared_seconds(file, self._container, self._stream)
        self._frames = self._decode_frames()
        self._first = next(self._frames, None)
        if self._first is None and self._stream.codec_context.format is None:  # bytes that FFmpeg took for audio
            self.close()
            raise probe.not_audio(path)
        self.info = self._describe(extras, declared)
        is_exact = self.info.is_lossless and self.info.container not in {"mkv", "webm"}
        # MP4 may round its times to 1/1000 s.
        self.tolerance_samples = self.info.sample_rate // 500 if is_exact else _MAX_PADDING_SAMPLES
        self._end = self.declared_samples if self.info.codec == "aac" else None
        self.clock = Clock((None if self._first is None else _seconds(self._first)) or Fraction(0))
        self._expected: Fraction | None = None  # time of the next frame

    def _describe(self, extras: probe.Extras, declared_seconds: Fraction | None) -> AudioInfo:
        """Facts from the first decoded frame: HE-AAC's header may state half the rate, or mono for stereo."""
        shape = self._first or self._stream.codec_context
        if declared_seconds is not None:
            self.declared_samples = round(declared_seconds * shape.sample_rate)
        codec = probe.codec_name(self._stream)
        return AudioInfo(
            path=self._path,
            container=probe.container_name(self._container, self._stream, self._path),
            codec=codec,
            sample_rate=shape.sample_rate,
            channels=shape.layout.nb_channels,
            channel_layout=layout_name(shape.layout.name, shape.layout.nb_channels),
            bit_depth=probe.stored_bits(self._stream, codec, shape.format.name),
            is_float=codec.startswith("pcm_f"),
            is_lossless=probe.is_lossless_codec(codec),
            n_samples=self.declared_samples if self._is_plausible() else None,
            bit_rate=extras.bit_rate,
            tags=extras.tags,
            cover=extras.cover,
            audio_stream=self._container.streams.audio.index(self._stream) + 1,
            n_audio_streams=len(self._container.streams.audio),
            stream_words=probe.stream_words(self._stream),
            is_film=any(not probe.is_picture(stream) for stream in self._container.streams.video),
        )

    def _is_plausible(self) -> bool:
        """Whether so few bytes can hold the declared length; a damaged header may state days."""
        return self.declared_samples is not None and self.declared_samples <= _MOST_SAMPLES_PER_BYTE * self._n_bytes

    def decode(self, limit: int) -> np.ndarray:
        """Next samples, `(channel, time)` float64, as many as a packet holds; none at the end."""
        del limit
        while True:
            frame, self._first = self._first or next(self._frames, None), None
            if frame is None:
                return np.zeros((self.info.channels, 0))
            waveform = self._without_padding(self._waveform(frame))
            if waveform.shape[1]:
                return waveform

    def jump(self, n_samples: int) -> int:
        """Skips nothing: packets depend on those before, so only decoding reaches the exact sample."""
        del n_samples
        return 0

    def close(self) -> None:
        """Release FFmpeg's resources; the file itself stays open."""
        self._frames.close()
        self._container.close()

    def _without_padding(self, waveform: np.ndarray) -> np.ndarray:
        """Hold back the samples after the declared end until there are too many for padding."""
        start, self._position = self._position, self._position + waveform.shape[1]
        if self._end is None or self._position <= self._end:
            return waveform
        n_inside = max(self._end - start, 0)
        self._tail.append(waveform[:, n_inside:])
        if self._position - self._end < _MAX_PADDING_SAMPLES:
            return waveform[:, :n_inside]
        self._end = None
        return np.concatenate([waveform[:, :n_inside], *self._tail], axis=1)

    def _waveform(self, frame: Any) -> np.ndarray:
        """Samples of a frame as `(channel, time)` float64, whatever their storage."""
        info = self.info
        self._refuse_gap(frame)
        self._note_gap(frame)
        if (frame.sample_rate, frame.layout.nb_channels) != (info.sample_rate, info.channels):
            where = self._position / info.sample_rate
            message = f"{self._path}: rate or channels change at {where:.1f} s; cut the recording there"
            raise AudioFileError(message)
        storage = frame.format.name.removesuffix("p")
        if storage not in _FULL_SCALE:
            raise AudioFileError(f"{self._path}: samples are stored as {storage}; convert it to FLAC or WAV first")
        if frame.format.is_planar and info.channels >= _UNCOUNTED_PLANES:
            frame = self._as_packed(frame)
        samples = frame.to_ndarray()
        if frame.format.is_packed:
            samples = samples.reshape(-1, info.channels).T
        offset = 128.0 if storage == "u8" else 0.0
        with np.errstate(invalid="ignore"):  # of NaN and infinity, which the reader replaces and counts
            waveform: np.ndarray = (samples.astype(np.float64) - offset) / _FULL_SCALE[storage]
        return waveform if self._order is None else waveform[self._order]

    def _as_packed(self, frame: Any) -> Any:
        """The same samples, channels interleaved."""
        if self._packed is None:
            self._packed = av.AudioResampler(format=frame.format.packed.name)
        (packed,) = self._packed.resample(frame)
        return packed

    def _refuse_gap(self, frame: Any) -> None:
        """Raise where FFmpeg silently dropped damaged FLAC frames: the music after them would move forward.

        Only FLAC numbers its samples; gaps in the time stamps of films are common and harmless.
        """
        if self.info.container != "flac" or frame.pts is None:
            return
        gap = frame.pts * frame.time_base * self.info.sample_rate - self._position
        if gap > self.tolerance_samples:
            raise self._damage()

    def _note_gap(self, frame: Any) -> None:
        """Remember where a camera lost sound."""
        start = _seconds(frame)
        if start is None:
            return
        if self._expected is not None and start - self._expected > _LEAST_GAP_SECONDS:
            self.clock.gaps.append((self._position, round((start - self._expected) * frame.sample_rate)))
        self._expected = start + Fraction(frame.samples, frame.sample_rate)

    def _damage(self) -> AudioFileError:
        """Error for a recording that cannot be read past the present position."""
        return damaged(self._path, self._position / self._stream.codec_context.sample_rate)

    def _decode_frames(self) -> Generator[Any, None, None]:
        """Decoded frames; broken packets are accepted at the end, where a file was cut off, and inside an MP3."""
        broken: list[Any] = []
        cause: Exception | None = None
        decoded = False
        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                broken.append(packet)
                cause = cause or error
                continue
            if broken and frames and packet.size:
                if not self._can_conceal(broken):
                    raise self._damage() from cause
                yield from (_silent_frame(lost, frames[0]) for lost in broken)
                self.n_concealed += len(broken)
                broken = []
            decoded = decoded or bool(frames)
            yield from frames
        if broken and not decoded:
            raise nothing_decoded(self._path) from cause
        self.ended_early = self.ended_early or bool(broken)

    def _can_conceal(self, broken: list[Any]) -> bool:
        """MP3 decoders find the next frame themselves; old copies have small faults, and every player continues."""
        is_mp3 = self._stream.codec_context.name.startswith("mp3")
        return is_mp3 and len(broken) <= _MAX_CONCEALED and all(packet.duration for packet in broken)

    def _packets(self) -> Iterator[Any]:
        """Packets of the audio stream; an error in the container ends them."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                self.ended_early = True
                return
            if packet is None:
                return
            yield packet


def _seconds(frame: Any) -> Fraction | None:
    """When a frame begins on the clock of its container."""
    return None if frame.pts is None else Fraction(frame.pts * frame.time_base)


def _silent_frame(packet: Any, like: Any) -> Any:
    """Silence as long as the packet that cannot be decoded."""
    n_samples = round(packet.duration * packet.time_base * like.sample_rate)
    frame = av.AudioFrame(format=like.format.name, layout=like.layout.name, samples=n_samples)
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.sample_rate = like.sample_rate
    return frame
