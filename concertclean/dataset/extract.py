"""Extracts noise from recordings: the stretches without music, each as a separate file."""

from dataclasses import dataclass
from pathlib import Path

from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.whole import write_waveform
from concertclean.networks.noise_detector import NoiseDetector
from concertclean.restore.noise_stretches import Stretch, noise_of


@dataclass(frozen=True)
class Extract:
    """A stretch of noise that was written.

    Attributes:
        path: of the file.
        stretch: its place in the recording.
    """

    path: Path
    stretch: Stretch


def extract_noise(
    recording: Path,
    folder: Path,
    detector: NoiseDetector,
    *,
    least_seconds: float = 2.0,
    most: int | None = None,
    guesses: bool = False,
    overwrite: bool = False,
) -> list[Extract]:
    """Write the stretches of noise of a recording, with its rate and channels.

    Args:
        recording: audio file.
        folder: where NAME_START-END.wav go, seconds in the name.
        detector: the classifier.
        least_seconds: shortest stretch that counts.
        most: number of stretches at most, the longest; None: all.
        guesses: if none is recognised, write the quietest stretches.
        overwrite: replace existing files.

    Returns:
        What was written, the longest first.

    Raises:
        NoInputError, AudioFileError: the recording cannot be read.
        OutputError: a file exists or cannot be written.
    """
    found = noise_of(recording, detector, least_seconds=least_seconds)
    chosen = [stretch for stretch in found if guesses or not stretch.is_guess][:most]
    extracts = []
    with AudioReader(recording) as reader:
        rate, place = reader.info.sample_rate, 0
        for stretch in sorted(chosen, key=lambda one: one.start_seconds):
            start, end = (round(seconds * rate) for seconds in (stretch.start_seconds, stretch.end_seconds))
            reader.skip(start - place)
            waveform, place = reader.read(end - start), end
            path = folder / f"{recording.stem}_{stretch.start_seconds:.2f}-{stretch.end_seconds:.2f}.wav"
            write_waveform(path, waveform, rate, overwrite=overwrite)
            extracts.append(Extract(path, stretch))
    return sorted(extracts, key=lambda extract: -extract.stretch.seconds)
