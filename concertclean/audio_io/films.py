"""Videos with another sound: picture, subtitles, chapters and everything else copied packet by packet.

FFmpeg copies nothing by itself. What lies outside the packets, such as tags, dispositions, the kind of codec and the
rotation of the picture, is set here; what a container has no place for is left out with a warning.
"""

import io
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any, Final

import av
import numpy as np

from concertclean.audio_io import mp4_tags, probe
from concertclean.audio_io.containers import Encoding
from concertclean.audio_io.encoder import SoundStream
from concertclean.audio_io.formats import FORMATS, Film
from concertclean.audio_io.guarded import GuardedFile
from concertclean.audio_io.mp3_length import USUAL_DELAY
from concertclean.audio_io.source import AudioBytes, open_source, reading
from concertclean.audio_io.tags import clean_tags, is_statistic, picture_mime
from concertclean.errors import OutputError

_MP4_MUXERS: Final = ("mp4", "mov", "3gp")
# FFmpeg writes these from what it knows, or they count what is no longer there.
_OF_THE_FILE: Final = frozenset({"major_brand", "minor_version", "compatible_brands", "duration"})
_DELAYS: Final = {"mp3": USUAL_DELAY, "m4a": 1024}  # samples
_NOT_IN_CONTAINER: Final = (ValueError, av.FFmpegError, NotImplementedError)


class FilmEncoder:
    """Encoder of the sound of a video, which copies everything else.

    Args:
        file: searchable, empty.
        encoding: of the sound.
        film: the video.
        remark: receives "W123 ..." for what is left out.

    Raises:
        OutputError: the picture has no place in the container.
        AudioFileError: the video can no longer be read.
    """

    def __init__(self, file: GuardedFile, encoding: Encoding, *, film: Film, remark: Callable[[str], None]) -> None:
        self._file, self._encoding, self._film = file, encoding, film
        self._path = str(film.source)
        self._remark = remark
        self._n_written, self._n_silent = 0, 0
        # AVI cannot say that sound begins late: the delay of the codec takes the place of its first samples.
        self._n_to_drop = _DELAYS.get(encoding.format, 0) if film.format == "avi" else 0
        self._source = open_source(film.source)
        try:
            self._bytes = AudioBytes(self._source)
            with reading(self._bytes, self._path):
                self._original = probe.open_container(self._bytes, self._path)
                old = probe.choose_stream(self._original, self._path, film.audio_stream)
                self._container = _open_film(file, self._original, encoding, film)
                self._sound, self._copies = self._add_streams(old)
        except BaseException:
            self._source.close()
            raise
        if film.format == "avi" and self._original.chapters():
            remark("W123 avi has no place for chapters: left out")
        self._packets = self._original_packets()
        self._next = next(self._packets, None)

    def _add_streams(self, old: Any) -> tuple[SoundStream, dict[int, Any]]:
        """The streams of the new video, in the order of the old one."""
        start = round(self._film.clock().start_seconds * self._encoding.sample_rate) + self._n_to_drop
        copies: dict[int, Any] = {}
        for template in self._original.streams:
            if template.index == old.index:
                sound = SoundStream(self._container, self._encoding, start)
                _label(sound.stream, old)
            elif not _is_made_by_ffmpeg(template, self._original, self._muxer):
                copy = self._copy_of(template)
                if copy is not None:
                    copies[template.index] = copy
        return sound, copies

    @property
    def _muxer(self) -> str:
        return str(FORMATS[self._film.format].film_muxer)

    def _copy_of(self, template: Any) -> Any:
        """A stream of the new video like one of the old; None where the container has no place for it."""
        if self._muxer == "matroska" and probe.is_picture(template):
            return self._attached(template)
        for with_tag in (True, False):  # the tag "hvc1" decides what plays; other containers have other tags
            with suppress(*_NOT_IN_CONTAINER):
                with av.open(io.BytesIO(), "w", format=self._muxer) as trial:
                    _add_copy(trial, template, with_tag=with_tag)
                    trial.start_encoding()
                return _add_copy(self._container, template, with_tag=with_tag)
        what = f"{template.type} stream {template.index} ({template.name or 'unknown codec'})"
        if template.type == "video" and not probe.is_picture(template):
            cure = "set the format to mkv, or to wav for the sound alone"
            raise OutputError(f"{self._path}: {self._film.format} has no place for its {what}; {cure}")
        self._remark(f"W123 {self._film.format} has no place for {what}: left out")
        return None

    def _attached(self, template: Any) -> None:
        """Attach a cover, as Matroska does; FFmpeg would make it a film of one picture."""
        with probe.open_container(AudioBytes(self._source), self._path) as again:
            packets = again.demux(again.streams[template.index])
            cover = next((bytes(packet) for packet in packets if packet.size), b"")
        mime = picture_mime(cover)
        name = template.metadata.get("filename", f"cover.{mime.rpartition('/')[2]}")
        self._container.add_attachment(name, template.metadata.get("mimetype", mime), cover)

    def write(self, waveform: np.ndarray) -> None:
        """Encode `(channel, time)`, finite, and copy what belongs to the same time."""
        for part in self._with_gaps(waveform):
            n_dropped = min(self._n_to_drop, part.shape[1])
            self._n_to_drop -= n_dropped
            for packet in self._sound.packets(part[:, n_dropped:]):
                self._mux(packet)
        self._file.check()

    def _with_gaps(self, waveform: np.ndarray) -> Iterator[np.ndarray]:
        """A block with silence where the old sound pauses."""
        ratio = Fraction(self._encoding.sample_rate, self._film.sample_rate)
        for place, length in self._film.clock().gaps[self._n_silent :]:
            n_before = round(place * ratio) - self._n_written
            if n_before >= waveform.shape[1]:
                break
            before, waveform = waveform[:, : max(n_before, 0)], waveform[:, max(n_before, 0) :]
            self._n_written += before.shape[1]
            self._n_silent += 1
            yield before
            yield np.zeros((len(waveform), round(length * ratio)))
        self._n_written += waveform.shape[1]
        yield waveform

    def _mux(self, packet: Any) -> None:
        """Write a packet of the sound, and before it what comes earlier."""
        self._copy_until(_seconds(packet) or Fraction(0))
        self._container.mux(packet)

    def _copy_until(self, end: Fraction | None) -> None:
        """Copy packets up to a time; None: all."""
        while self._next is not None and (end is None or self._next[0] <= end):
            packet = self._next[1]
            packet.stream = self._copies[packet.stream.index]
            self._container.mux(packet)
            self._file.check()
            self._next = next(self._packets, None)

    def _original_packets(self) -> Generator[tuple[Fraction, Any], None, None]:
        """When, and what, of the old video is copied; an error in the container ends them, as it ends the sound."""
        packets = self._original.demux([one for one in self._original.streams if one.index in self._copies])
        while True:
            with reading(self._bytes, self._path):
                try:
                    packet = next(packets, None)
                except av.FFmpegError:
                    packet = None
            if packet is None:
                return
            seconds = _seconds(packet)
            if probe.is_picture(packet.stream):
                packet.pts = packet.dts = 0
            is_last = not packet.size and seconds is None
            is_blank = packet.size == 2 and packet.stream.name == "mov_text"  # FFmpeg makes them where no words are
            if not (is_last or is_blank):
                yield seconds or Fraction(0), packet

    def finish(self) -> None:
        """Complete the file."""
        for packet in self._sound.last_packets():
            self._mux(packet)
        self._copy_until(None)
        self._container.start_encoding()
        self._container.close()
        if self._muxer == "mp4":
            tags = clean_tags(self._original.metadata)
            mp4_tags.add_free_form(self._file, {name: tag for name, tag in tags.items() if name not in mp4_tags.NATIVE})

    def abort(self) -> None:
        """Give back memory; the file is worthless."""
        with suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()
        self._packets.close()
        self._original.close()
        self._source.close()


def _open_film(file: GuardedFile, original: Any, encoding: Encoding, film: Film) -> Any:
    """FFmpeg's writer of a video with the tags and chapters of another."""
    muxer = str(FORMATS[film.format].film_muxer)
    options = {"fflags": "+bitexact"}
    if muxer in _MP4_MUXERS:
        options["movie_timescale"] = str(encoding.sample_rate)
        moving = [stream for stream in original.streams.video if not probe.is_picture(stream)]
        if len(moving) == 1 and moving[0].time_base.numerator == 1:  # FFmpeg would choose a multiple
            options["video_track_timescale"] = str(moving[0].time_base.denominator)
    if muxer == "mov":
        options["movflags"] = "use_metadata_tags"
    if muxer == "mp4" and original.metadata.get("major_brand", "qt  ") != "qt  ":
        options["brand"] = original.metadata["major_brand"]
    container = av.open(file, "w", format=muxer, options=options)
    container.metadata.update({name: tag for name, tag in original.metadata.items() if name not in _OF_THE_FILE})
    container.set_chapters(original.chapters())
    return container


def _add_copy(container: Any, template: Any, *, with_tag: bool) -> Any:
    """Add a stream like another."""
    stream = container.add_stream_from_template(template, opaque=True)
    if template.codec_context is not None:
        if with_tag and template.codec_context.codec_tag.strip("\0"):
            stream.codec_context.codec_tag = template.codec_context.codec_tag
        if template.type == "video" and template.sample_aspect_ratio:  # the container's; a codec may state another
            stream.codec_context.sample_aspect_ratio = template.sample_aspect_ratio
        _label(stream, template)
    return stream


def _label(stream: Any, template: Any) -> None:
    """Language, title and the rest of what describes a stream."""
    stream.metadata.update({name: tag for name, tag in template.metadata.items() if not is_statistic(name)})
    stream.disposition = template.disposition


def _is_made_by_ffmpeg(template: Any, original: Any, muxer: str) -> bool:
    """Whether a stream only holds what FFmpeg makes from chapters and tags: titles of chapters, the time code."""
    if template.type != "data" or not original.format.name.startswith("mov,"):
        return False
    return template.discard == av.stream.Discard.all or (muxer in _MP4_MUXERS and "timecode" in template.metadata)


def _seconds(packet: Any) -> Fraction | None:
    """When a packet is decoded."""
    time = packet.pts if packet.dts is None else packet.dts
    return None if time is None else time * packet.time_base
