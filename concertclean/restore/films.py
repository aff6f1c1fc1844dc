"""When the result of a video is a video, and what is different then."""

from dataclasses import replace
from typing import BinaryIO

from concertclean.audio_io.formats import AudioInfo, Storage, is_film_name
from concertclean.audio_io.reader import AudioReader
from concertclean.config.denoise import DenoiseSettings
from concertclean.files.places import Place
from concertclean.restore.results import output_format


def output_of(
    reader: AudioReader, source: Place | BinaryIO, target: Place | BinaryIO | None, settings: DenoiseSettings
) -> Storage:
    """Format of an output; whoever names it a sound file receives one, even of a video.

    Args:
        reader: of the recording.
        source: file or stream that it reads.
        target: of the output.
        settings: format and the rest.

    Raises:
        ConfigError: the format is for videos, and there is no picture, or it cannot be kept.
    """
    from_file_to_film = isinstance(source, Place) and isinstance(target, Place) and is_film_name(target)
    output = output_format(reader.info, settings, with_picture=from_file_to_film and settings.is_whole)
    if output.film is None or not isinstance(source, Place):
        return output
    return replace(output, film=replace(output.film, source=source, clock=lambda: reader.clock))


def sound_alone(info: AudioInfo, output: Storage, settings: DenoiseSettings) -> Storage:
    """Format of what was removed, which has the sample rate of the output, but no picture.

    Args:
        info: facts about the recording.
        output: of the result.
        settings: bit depth.
    """
    if output.film is None:
        return output
    sound = output_format(info, settings.model_copy(update={"format": "wav", "codec": None}))
    return replace(sound, sample_rate=output.sample_rate)


def gap_remarks(reader: AudioReader, output: Storage) -> list[str]:
    """A warning where the sound of a video pauses.

    Args:
        reader: at its end.
        output: of the result.
    """
    gaps = reader.clock.gaps
    if output.film is None or not gaps:
        return []
    seconds = sum(length for _, length in gaps) / reader.info.sample_rate
    count = f"{len(gaps)} place{'s' if len(gaps) > 1 else ''}, {seconds:.2f} s in all"
    return [f"W124 the sound of the video pauses at {count}: silence keeps it in step with the picture"]
