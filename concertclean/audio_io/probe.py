"""What FFmpeg reports about a file before the first sample: tags, picture, layout, length, bit depth."""

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any, Final

import av

from concertclean.audio_io import flac_header, ogg
from concertclean.audio_io.formats import Cover
from concertclean.audio_io.id3 import tag_bytes
from concertclean.audio_io.layouts import settled
from concertclean.audio_io.source import AudioBytes
from concertclean.audio_io.tags import clean_tags, picture_mime, with_repeated
from concertclean.audio_io.wave_chunks import Chunks, read_chunks
from concertclean.errors import AudioFileError, NoInputError

_PICTURE_FORMATS: Final = ("_pipe", "image2", "gif", "ico", "apng")
_LOSSLESS_CODECS: Final = frozenset(
    {"flac", "alac", "wavpack", "tta", "ape", "mlp", "truehd", "wmalossless", "shorten", "tak", "mp4als"}
)
_LENGTH_MARKS: Final = (b"Xing", b"Info", b"VBRI")
_MPEG_HEADER_BYTES: Final = 4096
_MEASURED_PACKETS: Final = 500  # ten seconds of AAC


@dataclass(frozen=True)
class Extras:
    """Everything in the file but the samples.

    Attributes:
        layout: FFmpeg's name of the channel layout, None if unknown.
        order: for each channel of the layout its number in the file, None if it is the same.
        bit_rate: bit/s of the audio stream, None if unknown.
        tags: cleaned.
        cover: front picture, if there is one.
        chunks: of a WAV file, see `wave_chunks.NAMES`.
    """

    layout: str | None
    order: list[int] | None
    bit_rate: int | None
    tags: dict[str, str]
    cover: Cover | None
    chunks: Chunks = ()


def open_container(file: AudioBytes, name: str) -> Any:
    """Container with at least one audio stream.

    FFmpeg receives the open file, never its name: it would take "http:x" or "take%02d.wav" for a protocol or a pattern.

    Args:
        file: seekable; read from its start.
        name: for messages.

    Returns:
        PyAV's input container.

    Raises:
        NoInputError: a film without sound.
        AudioFileError: not a media file, or a damaged one.
    """
    file.seek(0)
    try:
        container = av.open(file, "r", metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise not_audio(name) from error
    if container.streams.audio:
        return container
    kind = container.format.name
    container.close()
    if kind.endswith(_PICTURE_FORMATS):
        raise AudioFileError(f"{name}: is a picture, not audio; name a recording")
    raise NoInputError(f"{name}: has no audio stream; name a recording with sound")


def not_audio(name: str) -> AudioFileError:
    """Error for a file in which no sound can be found."""
    return AudioFileError(f"{name}: not an audio file, or damaged or cut off; try it in a player, or copy it again")


def choose_stream(container: Any, name: str, number: int | None = None) -> Any:
    """The sound of a container to read.

    Args:
        container: PyAV's, with at least one audio stream.
        name: for messages.
        number: of the audio stream, from 1; None: the first that is marked as default, as players do, or the first.

    Raises:
        AudioFileError: there is no such stream, or FFmpeg does not know its codec.
    """
    streams = container.streams.audio
    if number is None:
        default = av.stream.Disposition.default
        known = [stream for stream in streams if stream.codec_context is not None]
        chosen = next((stream for stream in known if stream.disposition & default), known[0] if known else None)
        if chosen is None:
            raise AudioFileError(f"{name}: its codec is not known here; convert it to WAV or FLAC where it was made")
        return chosen
    if not 1 <= number <= len(streams):
        has = f"has {len(streams)} audio stream{'s' if len(streams) > 1 else ''}"
        words = "; ".join(f"{place} is {stream_words(stream)}" for place, stream in enumerate(streams, 1))
        raise AudioFileError(f"{name}: {has}, no number {number}; choose 1 to {len(streams)}: {words}")
    if streams[number - 1].codec_context is None:
        raise AudioFileError(f"{name}: the codec of audio stream {number} is not known here; choose another")
    return streams[number - 1]


def stream_words(stream: Any) -> str:
    """What a container says about a stream: language, title, layout, whether it is the default."""
    default = "default" if stream.disposition & av.stream.Disposition.default else ""
    words = (stream.metadata.get("language", ""), stream.metadata.get("title", ""), stream.layout.name, default)
    return ", ".join(word for word in words if word)


def read_extras(file: AudioBytes, name: str, number: int | None = None) -> Extras:
    """Layout, tags and picture, read through a separate container so that no audio packet is lost.

    Args:
        file: seekable; its position changes.
        name: for messages.
        number: of the audio stream, see `choose_stream`.

    Returns:
        What was found; a picture that cannot be read is left out and no reason to refuse the music.

    Raises:
        NoInputError: a film without sound.
        AudioFileError: not a media file, or a damaged one.
    """
    with open_container(file, name) as container:
        stream = choose_stream(container, name, number)
        # Ogg keeps its tags in the stream.
        is_ogg = container.format.name == "ogg"
        tags = clean_tags({**container.metadata, **(stream.metadata if is_ogg else {})})
        try:
            cover = _read_cover(container)
        except av.FFmpegError:
            cover = None
        bit_rate = _bit_rate(container, stream)
        layout = settled(stream)
    return Extras(*layout, bit_rate, with_repeated(tags, _comments(file)), cover, read_chunks(file))


def _bit_rate(container: Any, stream: Any) -> int | None:
    """Bits a second of a stream, measured at its beginning where the file states only those of all streams."""
    if stream.bit_rate:
        return int(stream.bit_rate)
    if all(other is stream or is_picture(other) for other in container.streams):
        return container.bit_rate or None
    n_bytes, seconds = 0, Fraction(0)
    try:
        for packet in islice(container.demux(stream), _MEASURED_PACKETS):
            n_bytes += packet.size
            seconds += (packet.duration or 0) * packet.time_base
    except av.FFmpegError:  # the decoder reports it
        return None
    return round(8 * n_bytes / seconds) if seconds else None


def _comments(file: AudioBytes) -> list[tuple[str, str]]:
    """Vorbis comments of a FLAC or Ogg file, in which a name may come more than once; none for others."""
    file.seek(0)
    magic = file.read(4)
    if magic == b"fLaC":
        return flac_header.read_comments(file)
    file.seek(0)
    return ogg.read_comments(file) if magic == b"OggS" else []


def _read_cover(container: Any) -> Cover | None:
    """The attached picture that is marked as the front cover, else the first."""
    pictures = [stream for stream in container.streams.video if stream.disposition & av.stream.Disposition.attached_pic]
    for stream in sorted(pictures, key=lambda stream: stream.metadata.get("comment") != "Cover (front)"):
        data = next((bytes(packet) for packet in container.demux(stream) if packet.size), b"")
        if data:
            return Cover(data, picture_mime(data))
    return None


def container_name(container: Any, stream: Any, path: str) -> str:
    """Key of `FORMATS` for an opened container, or FFmpeg's own name."""
    kind: str = container.format.name
    suffix = path.lower().rpartition(".")[2]
    if kind.startswith("mov,"):
        brand = container.metadata.get("major_brand", "").strip().lower()
        if brand in {"m4a", "m4b"} or suffix in {"m4a", "m4b"}:
            return "m4a"
        return "mov" if brand == "qt" else "3gp" if brand.startswith("3g") else "mp4"
    if kind.startswith("matroska"):
        return "webm" if suffix == "webm" else "mkv"
    if kind == "ogg":
        return "opus" if stream.codec_context.name == "opus" else "ogg"
    return kind


def codec_name(stream: Any) -> str:
    """FFmpeg's name of the codec, not of one of its decoders ("mp3", not "mp3float")."""
    name: str = stream.codec_context.name
    return re.sub(r"^(mp3|aac|ac3)(float|_fixed)$", r"\1", name)


def is_lossless_codec(codec: str) -> bool:
    """Whether a codec keeps every sample; companded PCM (A-law, µ-law) does not."""
    return codec in _LOSSLESS_CODECS or re.match(r"pcm_[suf]\d", codec) is not None


def stored_bits(stream: Any, codec: str, sample_format: str) -> int | None:
    """Bits of a stored sample, None for lossy codecs.

    FFmpeg unpacks 20 and 24 bits into 32, left-aligned; the true depth is in the header, which it passes on.
    """
    if not is_lossless_codec(codec):
        return None
    header = bytes(stream.codec_context.extradata or b"")
    if codec == "flac" and len(header) >= 34:
        return ((header[12] & 1) << 4 | header[13] >> 4) + 1  # STREAMINFO, RFC 9639 section 8.2
    if codec == "alac" and len(header) >= 24:
        return header[17] if len(header) >= 36 else header[5]  # with or without the MP4 box around it
    named = re.match(r"pcm_[suf](\d+)", codec)
    if named:
        return int(named[1])
    return 16 if sample_format.startswith("s16") else 24


def declared_seconds(file: AudioBytes, container: Any, stream: Any) -> Fraction | None:
    """Length that the file says it has, in seconds, None if it only allows an estimate.

    Raw ADTS, and MP3 without a Xing, Info or VBRI header, have no length; FFmpeg estimates one from the bit
    rate.
    """
    kind = container.format.name
    if kind == "aac" or (kind == "mp3" and not _has_length_header(file)):
        return None
    is_alone = all(other is stream or is_picture(other) for other in container.streams)
    start = Fraction(0) if stream.start_time is None else Fraction(stream.start_time * stream.time_base)
    if stream.duration is not None and (kind != "asf" or is_alone):  # ASF has one length, that of the longest stream
        seconds = Fraction(stream.duration * stream.time_base)
        seconds -= max(start, Fraction(0)) if kind == "ogg" else 0  # it counts from the beginning of what was cut
    elif (end := _end_in_tags(stream)) is not None:
        seconds = end - start
    elif container.duration is not None and is_alone:
        seconds = Fraction(container.duration, av.time_base) - start
    else:
        return None
    if kind == "ogg" and stream.codec_context.name == "opus":
        header = bytes(stream.codec_context.extradata or b"")
        pre_skip = int.from_bytes(header[10:12], "little")  # at 48 kHz, RFC 7845 section 5.1
        seconds -= Fraction(pre_skip, 48_000)
    return max(seconds, Fraction(0))


def is_picture(stream: Any) -> bool:
    """Whether a stream is a cover, which has no length and does not move."""
    return stream.type == "video" and bool(stream.disposition & av.stream.Disposition.attached_pic)


def _end_in_tags(stream: Any) -> Fraction | None:
    """When a stream of Matroska ends, s: its container's length is that of the longest stream."""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", "").strip("\0 "))
    return None if found is None else int(found[1]) * 3600 + int(found[2]) * 60 + Fraction(found[3])


def _has_length_header(file: AudioBytes) -> bool:
    """Look for the frame that states the length of an MP3, after an ID3v2 tag if there is one."""
    position = file.tell()
    try:
        file.seek(0)
        file.seek(tag_bytes(file.read(10)))
        start = file.read(_MPEG_HEADER_BYTES)
        return any(mark in start for mark in _LENGTH_MARKS)
    finally:
        # FFmpeg continues from its old position.
        file.seek(position)
