"""Containers: how FFmpeg opens them, and the tags, pictures and chunks in them.

FFmpeg writes what it has names for. What it would join, drop or refuse is added when the sound is complete.
"""

import io
from dataclasses import dataclass, field
from typing import Any, Final

import av

from concertclean.audio_io import flac_header, mp4_tags
from concertclean.audio_io.formats import FORMATS, Cover
from concertclean.audio_io.guarded import GuardedFile
from concertclean.audio_io.id3 import id3_tag
from concertclean.audio_io.tags import joined, picture_comment, vorbis_comments
from concertclean.audio_io.vorbis_comment import Comments
from concertclean.audio_io.wave_chunks import BEXT, BEXT_TAGS, NAMES, Chunks, append_chunks

# Without "bitexact" FFmpeg numbers Ogg streams at random and signs every file with its version.
_MUXER_OPTIONS: Final = {"wav": {"rf64": "auto"}, "m4a": {"brand": "M4A "}, "alac": {"brand": "M4A "}}
# What the extension of a WAV file promises besides: muxer and its options.
_WAVE_KINDS: Final = {
    ".rf64": ("wav", {"rf64": "always"}),
    ".w64": ("w64", {}),
    ".bwf": ("wav", {"rf64": "auto", "write_bext": "1"}),
}
_COVER_BY_FFMPEG: Final = ("m4a", "alac", "mp3")
INFO_TAGS: Final = frozenset(
    {"title", "artist", "album", "genre", "comment", "copyright", "date", "track", "encoded_by"}
)
"""Tags that RIFF has a name for and FFmpeg writes."""


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
        is_capped: Opus exceeds it for moments only.
        tags: cleaned; several values of one stand between zero characters.
        chunks: of a WAV file.
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
    is_capped: bool = False
    is_float: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    chunks: Chunks = ()
    cover: Cover | None = None
    seed: int = 0
    extension: str = ""


def holds_tags(encoding: Encoding) -> bool:
    """Whether the container has a place for tags."""
    return encoding.extension != ".w64" or encoding.format != "wav"


def open_output(file: GuardedFile, encoding: Encoding) -> Any:
    """FFmpeg's container writer, with the tags that it writes itself.

    Args:
        file: searchable, empty.
        encoding: what to write.
    """
    usual = str(FORMATS[encoding.format].muxer), _MUXER_OPTIONS.get(encoding.format, {})
    muxer, special = _WAVE_KINDS.get(encoding.extension, usual) if encoding.format == "wav" else usual
    options = {"fflags": "+bitexact", **special}
    if any(kind == BEXT for kind, _ in encoding.chunks):
        options.pop("write_bext", None)
    if muxer == "mp4":
        options["movie_timescale"] = str(encoding.sample_rate)
    if muxer == "flac":
        options["metadata_header_padding"] = str(
            flac_header.header_bytes(vorbis_comments(encoding.tags), encoding.cover)
        )
    container = av.open(file, "w", format=muxer, options=options)
    container.metadata.update(joined(_by_ffmpeg(encoding)))
    return container


def add_cover(container: Any, encoding: Encoding) -> None:
    """Write the picture unchanged, before anything else: FFmpeg holds the sound back until it has the picture."""
    if encoding.cover is None or encoding.format not in _COVER_BY_FFMPEG:
        return
    with av.open(io.BytesIO(encoding.cover.data)) as picture:
        source = picture.streams.video[0]
        stream = container.add_stream_from_template(source)
        stream.disposition = av.stream.Disposition.attached_pic
        stream.metadata["comment"] = "Cover (front)"
        packet = next(picture.demux(source))
        packet.stream = stream
        packet.pts = packet.dts = 0
        container.mux(packet)


def ogg_comments(encoding: Encoding) -> Comments:
    """Tags and picture of an Ogg file."""
    picture = [] if encoding.cover is None else [picture_comment(encoding.cover)]
    return [*vorbis_comments(encoding.tags), *picture]


def complete(file: GuardedFile, encoding: Encoding) -> None:
    """Add to a file that FFmpeg has closed what it does not write itself.

    Args:
        file: complete but for that.
        encoding: what is to be in it.
    """
    if encoding.format == "flac":
        flac_header.write_header(file, vorbis_comments(encoding.tags), encoding.cover)
    elif encoding.format in ("m4a", "alac"):
        native = _by_ffmpeg(encoding)
        mp4_tags.add_free_form(file, joined({name: tag for name, tag in encoding.tags.items() if name not in native}))
    elif encoding.format == "wav" and holds_tags(encoding):
        hidden = id3_tags(encoding)
        append_chunks(file, [*encoding.chunks, *([(b"id3 ", id3_tag(hidden))] if hidden else [])])


def id3_tags(encoding: Encoding) -> dict[str, str]:
    """Tags of a WAV file for which only ID3 has a place; those of the broadcast extension stand in it."""
    elsewhere = INFO_TAGS | (BEXT_TAGS if any(kind == BEXT for kind, _ in encoding.chunks) else frozenset())
    return {name: value for name, value in encoding.tags.items() if name not in elsewhere}


def remarks(encoding: Encoding, chunks: Chunks) -> list[str]:
    """Warnings about what the container has no place for, or only one that few programs read.

    Args:
        encoding: what is to be written.
        chunks: of the recording.
    """
    found = []
    kind = encoding.extension.removeprefix(".") if not holds_tags(encoding) else encoding.format
    lost = [NAMES[name] for name, _ in chunks if name not in dict(encoding.chunks)]
    if lost:
        found.append(f"W119 {kind} has no place for {', '.join(dict.fromkeys(lost))}; wav has")
    if encoding.tags and not holds_tags(encoding):
        found.append(f"W119 {kind} has no place for tags: {', '.join(encoding.tags)}; flac has, and wav for most")
    elif encoding.format == "wav" and (hidden := id3_tags(encoding)):
        found.append(f"W119 wav has no name for {', '.join(hidden)}; an ID3 chunk holds them, which few programs read")
    return found


def _by_ffmpeg(encoding: Encoding) -> dict[str, str]:
    """Tags that FFmpeg writes."""
    if encoding.format == "mp3":
        return encoding.tags
    names = {"wav": INFO_TAGS, "m4a": mp4_tags.NATIVE, "alac": mp4_tags.NATIVE}.get(encoding.format, frozenset())
    return {name: value for name, value in encoding.tags.items() if name in names}
