"""What a recording becomes, and what is reported about it."""

import math
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from concertclean.audio_io.film_formats import film_format, sound_format
from concertclean.audio_io.formats import FORMATS, AudioInfo, Film, Storage, keep_format, supported_sample_rate
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.wave_chunks import moved, moved_reference
from concertclean.audio_io.writer import AudioWriter
from concertclean.config.denoise import DenoiseSettings
from concertclean.dsp.arrays import Array
from concertclean.dsp.band_levels import BANDS_HZ
from concertclean.errors import ConfigError
from concertclean.files.places import Place, place_of

_MIN_LOSSY_BIT_RATE = 192_000
_LOUD_PERCENTILE, _LOUD_RANGE_DB = 90, 6.0  # of the seconds: which ones are the loud parts
_CARRYING_SHARE = 0.1  # of the energy of the loud parts: a band with less does not carry the melody
_HARM_DB, _BAND_HARM_DB = 8.0, 12.0  # a crowd as loud as the band is 3 dB of it, one 5 dB louder 6
_LEAST_ENERGY = 1e-12
_LOSSY_SOURCE_BITS = 24  # the output of a lossy codec goes on below the 16th bit


@dataclass(frozen=True)
class NetworkUse:
    """A network that worked on a recording.

    Attributes:
        sha256: of its weights.
        engine: program that ran it, with its version.
        device: where it ran.
        precision: of its inner layers.
        segment_seconds: seconds of a call.
        threads: CPU workers.
        seconds: spent in it for this recording, added up over workers.
    """

    sha256: str
    engine: str
    device: str
    precision: str
    segment_seconds: float
    threads: int
    seconds: float


@dataclass
class Report:
    """What was done to one recording.

    Attributes:
        info: the recording as it came.
        output: the format written.
        seconds: length of what was processed.
        elapsed_seconds: wall time.
        lufs_before, lufs_after: integrated loudness.
        peak_before_db, peak_after_db: sample peaks, dB of full scale.
        reduction_db, reduction_p95_db: level of input over output in each second that is not silent, mean and
            95th percentile.
        loud_reduction_db: the same for the loud parts together, those seconds that lie within 6 dB of the loud ones.
        n_clipped: samples of the output that were cut.
        output_path: the file written; None for a stream.
        warnings: "W1xx ..." messages.
        model: that did it, as the settings name it; "" where the recording was left alone.
        stages: that did it, in order.
        networks: of the stages.
        diagnosis: what was found in the recording, as `Diagnosis.record` returns it; None where the model was asked
            for by name.
    """

    info: AudioInfo
    output: Storage
    seconds: float = 0.0
    elapsed_seconds: float = 0.0
    lufs_before: float = -math.inf
    lufs_after: float = -math.inf
    peak_before_db: float = -math.inf
    peak_after_db: float = -math.inf
    reduction_db: float = 0.0
    reduction_p95_db: float = 0.0
    loud_reduction_db: float = 0.0
    n_clipped: int = 0
    output_path: Place | None = None
    warnings: list[str] = field(default_factory=list)
    model: str = ""
    stages: tuple[str, ...] = ()
    networks: tuple[NetworkUse, ...] = ()
    diagnosis: dict[str, Any] | None = None

    @property
    def real_time_factor(self) -> float:
        """Wall seconds a second of audio."""
        return self.elapsed_seconds / self.seconds if self.seconds else 0.0


def output_format(info: AudioInfo, settings: DenoiseSettings, *, with_picture: bool = False) -> Storage:
    """Format of the output for a recording: `keep` means the recording's own where we can write it.

    By default a video remains one, its sound with the same codec, and everything else becomes WAV; with the
    recording's rate, its bit depth if it is lossless and 24 bit if it is lossy.

    Args:
        info: facts about the recording.
        settings: format and bit depth.
        with_picture: the picture of a video can be kept.

    Raises:
        ConfigError: the format is for videos, and there is no picture, or it cannot be kept.
    """
    film = film_format(info, settings.format) if with_picture else None
    name = sound_format(info, film, settings.codec)[0] if film else _sound_alone(info, settings)
    rate = supported_sample_rate(name, info.sample_rate)
    shape: Any = {"channels": info.channels, "channel_layout": info.channel_layout}
    if film:
        shape["film"] = Film(place_of(info.path), info.audio_stream, film, info.sample_rate)
    if not FORMATS[name].is_lossless:
        bit_rate = None if info.is_lossless else max(info.bit_rate or 0, _MIN_LOSSY_BIT_RATE)
        return Storage(name, rate, bit_rate=bit_rate, **shape)
    depth, is_float = _wanted_depth(info, settings)
    if is_float and name == "wav":
        return Storage(name, rate, bit_depth=64 if depth > 32 else 32, is_float=True, **shape)
    stored = 16 if depth <= 16 else 24 if depth <= 24 or name != "wav" else 32
    return Storage(name, rate, bit_depth=stored, **shape)


def _sound_alone(info: AudioInfo, settings: DenoiseSettings) -> str:
    """Writable key of `FORMATS` for a result without a picture."""
    format = settings.format
    if settings.codec is not None:
        raise ConfigError(f"{info.path}: a codec is for the sound of a whole video; choose a format, or leave it out")
    if format == "auto":
        return "wav"
    if format == "keep":
        return keep_format(info)
    if not FORMATS[format].is_writable:
        fact = "is for whole videos, from file to file" if info.is_film else "is for videos, and this has no picture"
        raise ConfigError(f"{info.path}: {format} {fact}; choose wav, flac or m4a")
    return format


def kept_format(source: Place, settings: DenoiseSettings, *, with_picture: bool = False) -> str:
    """Name of the format that the result of a recording has: that of the video, if it remains one.

    Args:
        source: the recording.
        settings: format and bit depth.
        with_picture: the picture of a video can be kept.

    Raises:
        ConfigError: see `output_format`.
        NoInputError, AudioFileError: the recording cannot be read.
    """
    with AudioReader(source, audio_stream=settings.audio_stream) as reader:
        output = output_format(reader.info, settings, with_picture=with_picture)
        return output.film.format if output.film else output.format


def open_writer(
    target: Place | BinaryIO,
    info: AudioInfo,
    output: Storage,
    *,
    n_samples: int | None,
    overwrite: bool,
    start_seconds: float = 0.0,
) -> AudioWriter:
    """A writer of what a recording becomes, with the recording's channels, tags, cover and chunks.

    Args:
        target: file or binary stream.
        info: facts about the recording.
        output: what it becomes.
        n_samples: that will come, if that is known.
        overwrite: replace a file that exists.
        start_seconds: what is written begins here; times that count from the beginning are moved.

    Raises:
        OutputError: the file exists or cannot be written.
    """
    if output.film is not None:
        return AudioWriter(target, output, n_samples=n_samples, overwrite=overwrite)
    tags, n_cut = info.tags, round(start_seconds * info.sample_rate)
    if n_cut and "time_reference" in tags:
        tags = tags | {"time_reference": moved_reference(tags["time_reference"], n_cut)}
    chunks = moved(info.chunks, n_cut)
    return AudioWriter(
        target, output, tags=tags, cover=info.cover, chunks=chunks, n_samples=n_samples, overwrite=overwrite
    )


def remarks(info: AudioInfo, output: Storage, settings: DenoiseSettings, model_rate: int | None) -> list[str]:
    """Warnings that are known before the first sample.

    Args:
        info: facts about the recording.
        output: what it becomes.
        settings: what was asked for.
        model_rate: Hz of the network; None: there is none.

    Returns:
        "W1xx ..." messages.
    """
    found = []
    if output.film is not None:
        name, reason = sound_format(info, output.film.format, settings.codec)
        found += [f"W123 {reason}: the sound becomes {FORMATS[name].codec}"] if reason else []
    elif info.is_film and settings.format in ("auto", "keep"):
        found.append("W123 only the sound is written: the picture is kept where a whole video goes from file to file")
    if not info.is_lossless:
        again = "; the output is coded once more, flac and wav are not" if output.bit_depth is None else ""
        found.append(f"W102 lossy source ({info.codec}): what the codec lost does not come back{again}")
    if model_rate is not None and info.sample_rate != model_rate:
        rates = f"{info.sample_rate} Hz to {model_rate} Hz"
        found.append(f"W104 resampled for the model: {rates}, only for finding what to remove")
    if model_rate is not None and info.channels > 2:
        found.append(f"W108 {info.channels} channels: processed in pairs")
    depth, is_float = _wanted_depth(info, settings)
    if output.bit_depth is not None and output.bit_depth < depth:
        kind = "floating point" if is_float else f"{depth} bits"
        cure = "" if output.format == "wav" else "; wav does"
        found.append(f"W112 {output.format} stores {output.bit_depth} bits, not {kind}{cure}")
    if output.sample_rate != info.sample_rate:
        rates = f"{output.sample_rate} Hz, not {info.sample_rate} Hz"
        found.append(f"W113 {output.format} stores {rates}; flac or wav does")
    return found


def clip_remarks(writer: AudioWriter, output: Storage, what: str, *, by_clip: bool) -> list[str]:
    """A warning where samples of a written file exceed full scale.

    Args:
        writer: of the file, all blocks written.
        output: how it is stored.
        what: would clip, such as "output".
        by_clip: the setting `clip` applies to this file.
    """
    cures = ["clip to rescale or limit"] if by_clip else []
    if output.format == "wav":
        cures.append("bit_depth to 64f" if output.is_float else "bit_depth to 32f")
    elif not by_clip:
        cures.append("the format to wav and bit_depth to 32f")
    return writer.ceiling.remark(what, "set " + ", or ".join(cures))


def loud_reduction_db(before: Array, after: Array) -> Array:
    """What was taken from the loud parts of a recording, in each band and of all frequencies, dB.

    Args:
        before: energies `(second, band)` of the recording, the last column of all frequencies.
        after: of the result, same shape.

    Returns:
        `(band,)`; 0 for silence, and in bands that hold less than a tenth of the loud parts' energy.
    """
    total = before[:, -1] if len(before) else np.zeros(0)
    if not total.size or total.max() <= 0:
        return np.zeros(before.shape[1])
    loud = total >= np.percentile(total[total > 0], _LOUD_PERCENTILE) * 10 ** (-_LOUD_RANGE_DB / 10)
    held, left = before[loud].sum(axis=0), after[loud].sum(axis=0)
    reduction = 10 * np.log10((held + _LEAST_ENERGY) / (left + _LEAST_ENERGY))
    return np.where(held >= _CARRYING_SHARE * held[-1], reduction, 0.0)


def harm_remarks(reductions_db: Array, model: str) -> list[str]:
    """A warning where so much of the loud parts went that it is likely to have been music.

    Args:
        reductions_db: from `loud_reduction_db`.
        model: name of the model, the method or the chain.
    """
    *bands, whole = reductions_db
    worst = int(np.argmax(bands))
    if whole <= _HARM_DB and bands[worst] <= _BAND_HARM_DB:
        return []
    low, high = BANDS_HZ[worst]
    where = f", {bands[worst]:.0f} dB of them at {low} to {high} Hz" if bands[worst] > whole else ""
    cure = "the preset 78rpm is for discs, " if "concert" in model else "the model concert is for crowds, "
    return [
        f"W116 {whole:.0f} dB of the loud parts went{where}: {model} may have taken music for noise; {cure}"
        "a maximum reduction of 6 dB or a strength of 0.5 removes less; listen to what was removed"
    ]


def _wanted_depth(info: AudioInfo, settings: DenoiseSettings) -> tuple[int, bool]:
    """Bits of a sample asked for, and whether they are floating point."""
    if settings.bit_depth != "keep":
        return int(settings.bit_depth.rstrip("f")), settings.bit_depth.endswith("f")
    if not info.is_lossless:
        return _LOSSY_SOURCE_BITS, False
    if info.is_float:
        return info.bit_depth or 32, True
    return info.bit_depth or _LOSSY_SOURCE_BITS, False
