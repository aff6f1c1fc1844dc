"""The table of containers and codecs, and the record that describes an open recording.

One table serves the reader (which files are audio), the writer (which codec, which rates) and the command
line (which names the setting `format` takes).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from concertclean.files.places import Place

_MPEG_RATES: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_AAC_RATES: Final = (7350, *_MPEG_RATES, 64000, 88200, 96000)


@dataclass(frozen=True)
class Format:
    """One format by name: a container and the codec that we write into it.

    Attributes:
        name: key of `FORMATS`.
        extensions: lower case, with dot; the first is the one we write.
        is_lossless: the codec returns exactly the samples it was given.
        codec: codec that we write, or the usual one in formats that we only read.
        muxer: name of FFmpeg's container writer; None if we only read this format.
        sample_rates: Hz, all that the codec supports; empty if only `max_sample_rate` limits it.
        max_sample_rate: Hz.
        max_channels: most channels that the codec supports.
        default_bit_rate: bit/s and channel, for lossy codecs.
        holds_cover: the container can hold a picture.
        film_muxer: name of FFmpeg's writer of videos; None for everything else.
    """

    name: str
    extensions: tuple[str, ...]
    is_lossless: bool
    codec: str
    muxer: str | None = None
    sample_rates: tuple[int, ...] = ()
    max_sample_rate: int = 384_000
    max_channels: int = 8
    default_bit_rate: int = 0
    holds_cover: bool = True
    film_muxer: str | None = None

    @property
    def is_writable(self) -> bool:
        """Whether a recording without a picture can be written in this format."""
        return self.muxer is not None

    def extension(self, source: str) -> str:
        """Extension of a result: a video keeps its own (.m4v), everything else has the usual one.

        Args:
            source: extension of the recording, lower case, with dot.
        """
        return source if self.film_muxer and source in self.extensions else self.extensions[0]


# Default bit rates are those at which nearly nobody hears a difference in published listening tests;
# the recording has been through one lossy codec already, so there is nothing to spare.
_TABLE: Final = (
    Format("wav", (".wav", ".wave", ".rf64", ".w64", ".bwf"), True, "pcm", "wav", max_sample_rate=768_000,
           max_channels=64, holds_cover=False),
    Format("flac", (".flac",), True, "flac", "flac"),
    Format("m4a", (".m4a", ".m4b"), False, "aac", "mp4", _AAC_RATES, 96_000, 8, 128_000),
    Format("alac", (".m4a",), True, "alac", "mp4"),
    Format("mp3", (".mp3",), False, "libmp3lame", "mp3", _MPEG_RATES, 48_000, 2, 128_000),
    Format("opus", (".opus",), False, "libopus", "ogg", (48_000,), 48_000, 8, 96_000),
    Format("ogg", (".ogg", ".oga"), False, "vorbis", "ogg", max_sample_rate=192_000,
           default_bit_rate=112_000),
    Format("aiff", (".aiff", ".aif", ".aifc"), True, "pcm"),
    Format("caf", (".caf",), True, "pcm"),
    Format("mp4", (".mp4", ".m4v"), False, "aac", film_muxer="mp4"),
    Format("mov", (".mov",), False, "aac", film_muxer="mov"),
    Format("3gp", (".3gp", ".3g2"), False, "aac", film_muxer="3gp"),
    Format("mkv", (".mkv", ".mka"), False, "aac", film_muxer="matroska"),
    Format("webm", (".webm",), False, "opus", film_muxer="webm"),
    Format("avi", (".avi",), False, "mp3", film_muxer="avi"),
    Format("aac", (".aac",), False, "aac"),
)  # fmt: skip

FORMATS: Final[dict[str, Format]] = {entry.name: entry for entry in _TABLE}
"""Every format by its name; `Format.is_writable` is true for those that can be written."""

FILM_EXTENSIONS: Final[frozenset[str]] = frozenset(
    ext for entry in _TABLE if entry.film_muxer for ext in entry.extensions
)
"""Extensions of videos that we can write: lower case, with dot."""

AUDIO_EXTENSIONS: Final[frozenset[str]] = frozenset(ext for entry in _TABLE for ext in entry.extensions)
"""Extensions of files that we can read: lower case, with dot."""

DEFAULT_LAYOUTS: Final[dict[int, str]] = {
    1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1",
}  # fmt: skip
"""Layout assumed where a file names none, by the number of channels (FFmpeg's names and order)."""


VORBIS_ORDER: Final[dict[str, list[int]]] = {
    "mono": [0],
    "stereo": [0, 1],
    "3.0": [0, 2, 1],
    "quad": [0, 1, 2, 3],
    "5.0": [0, 2, 1, 3, 4],
    "5.1": [0, 2, 1, 4, 5, 3],
    "6.1": [0, 2, 1, 5, 6, 4, 3],
    "7.1": [0, 2, 1, 6, 7, 4, 5, 3],
}
"""For each channel of Vorbis (centre second, LFE last) its number in FFmpeg's order, which is ours.

Vorbis I specification, section 4.3.9.
"""


@dataclass(frozen=True)
class Cover:
    """The cover of a recording.

    Attributes:
        data: the picture file, byte for byte.
        mime: "image/jpeg", "image/png" ...
    """

    data: bytes
    mime: str


@dataclass
class Clock:
    """Where sound lies in time.

    Attributes:
        start_seconds: of the first sample on the clock of a video.
        gaps: where the sound of a video pauses, as far as it was read: `(sample, length)` in samples of a channel.
    """

    start_seconds: Fraction = Fraction(0)
    gaps: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Film:
    """A video that gets another sound.

    Attributes:
        source: the video as it came.
        audio_stream: which of its sounds is replaced, from 1.
        format: key of `FORMATS` of the new video.
        sample_rate: Hz of the old sound.
        clock: returns where the old sound lies, as far as it was read. Where it pauses, the new one is silent, so that
            the rest keeps in step with the picture.
    """

    source: Place
    audio_stream: int
    format: str
    sample_rate: int
    clock: Callable[[], Clock] = Clock


@dataclass(frozen=True)
class Storage:
    """How audio is stored in a file.

    Attributes:
        format: writable key of `FORMATS`.
        sample_rate: Hz.
        channels: number of channels, >= 1.
        bit_depth: 1 to 64, for lossless formats; stored as 16, 24 or (WAV only) 32, as floating point 32 or
            64. None means 24, which keeps all that a lossy source had, and 32 in floating point; lossy formats have
            none.
        is_float: floating point; WAV only, 24 bits in FLAC and ALAC.
        bit_rate: bit/s for lossy formats; None for the format's default.
        is_capped: Opus only: the bit rate is what a file has at most, not what an average recording has; pure tones
            take twice as much otherwise.
        channel_layout: FFmpeg's name; None for the usual one of so many channels.
        film: the video whose sound it is, with the codec of `format`; None for sound alone.
    """

    format: str
    sample_rate: int
    channels: int
    bit_depth: int | None = None
    is_float: bool = False
    bit_rate: int | None = None
    is_capped: bool = False
    channel_layout: str | None = None
    film: Film | None = None


@dataclass(frozen=True)
class AudioInfo:
    """Facts about an open recording.

    Attributes:
        path: as given, or "-" for a stream.
        container: key of `FORMATS` where there is one, else FFmpeg's or libsndfile's name in lower case.
        codec: FFmpeg's name, such as "pcm_s16le", "aac", "alac", "vorbis".
        sample_rate: Hz.
        channels: number of channels.
        channel_layout: FFmpeg's name, such as "stereo" or "5.1".
        bit_depth: bits of a sample that were stored, None for lossy codecs.
        is_float: samples are stored as floating point numbers, which may exceed full scale.
        is_lossless: the codec keeps every sample.
        n_samples: samples of one channel that are to be expected, None if the file states no believable length.
        bit_rate: bit/s, None if unknown.
        tags: lower-case names as in FFmpeg ("title", "album_artist", "track"), technical ones removed;
            several values of one stand between zero characters.
        chunks: of a WAV file, kind and bytes of those that describe the recording, such as b"bext".
        cover: front picture, if there is one.
        audio_stream: number of the stream that is read, from 1; films may have several.
        n_audio_streams: how many there are.
        stream_words: what the file says about the stream, such as "eng, Commentary, default"; for messages.
        is_film: there is a moving picture, too; a cover is none.
    """

    path: str
    container: str
    codec: str
    sample_rate: int
    channels: int
    channel_layout: str
    bit_depth: int | None
    is_float: bool
    is_lossless: bool
    n_samples: int | None
    bit_rate: int | None
    tags: dict[str, str] = field(default_factory=dict)
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    cover: Cover | None = None
    audio_stream: int = 1
    n_audio_streams: int = 1
    stream_words: str = ""
    is_film: bool = False

    @property
    def duration_seconds(self) -> float | None:
        """Declared length in seconds, None if the file declares none."""
        return None if self.n_samples is None else self.n_samples / self.sample_rate


def is_film_name(path: Place) -> bool:
    """Whether a file is named as a video that we can write."""
    return path.suffix.lower() in FILM_EXTENSIONS


def layout_name(name: str | None, channels: int) -> str:
    """Name of a channel layout; the usual one if the file only gives the number of channels, or an odd mask.

    One channel is mono and two are stereo, whatever loudspeakers a header names.

    Args:
        name: FFmpeg's name; "6 channels", "3 channels (FL+FR+BC)" and None mean unknown.
        channels: number of channels, at least 1.

    Returns:
        FFmpeg's name of a layout.
    """
    if name and "channels" not in name and (channels > 2 or name in DEFAULT_LAYOUTS.values()):
        return name
    return DEFAULT_LAYOUTS.get(channels, f"{channels} channels")


def keep_format(info: AudioInfo) -> str:
    """Name of the writable format closest to that of the recording.

    Args:
        info: facts about the recording.

    Returns:
        Key of `FORMATS`: the same codec where we can write it, else FLAC for lossless and AAC for lossy ones.
    """
    by_codec = {"flac": "flac", "alac": "alac", "aac": "m4a", "mp3": "mp3", "opus": "opus", "vorbis": "ogg"}
    if info.codec in by_codec:
        return by_codec[info.codec]
    if info.codec.startswith("pcm_"):
        return "wav"
    return "flac" if info.is_lossless else "m4a"


def supported_sample_rate(format: str, sample_rate: int) -> int:
    """Rate nearest to `sample_rate` that a format can store without losing the top of the band.

    Args:
        format: key of `FORMATS`.
        sample_rate: Hz.

    Returns:
        `sample_rate` itself if it can be stored, else the next higher one that can, else the highest, in Hz.
    """
    entry = FORMATS[format]
    if not entry.sample_rates:
        return min(sample_rate, entry.max_sample_rate)
    return next((rate for rate in entry.sample_rates if rate >= sample_rate), entry.sample_rates[-1])
