"""Songs as folders of stems, and excerpts of them in which every stem plays."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from concertclean.audio_io.reader import AudioReader
from concertclean.corpora.sources import audio_files
from concertclean.dsp.arrays import Array
from concertclean.dsp.downmix import downmix
from concertclean.dsp.resample import resample
from concertclean.errors import NoInputError
from concertclean.files.names import shown

_MIXTURES = {"mixture", "mix", "master"}  # files beside stems that are not stems
_LEVEL = 0.05  # rms of a stem; a close microphone is set to the level of its instrument
_SILENT = 1e-4  # rms


@dataclass(frozen=True)
class Song:
    """Stems of one song.

    Attributes:
        name: of the folder.
        stems: files, by name.
    """

    name: str
    stems: tuple[Path, ...]


def find_songs(folder: Path) -> list[Song]:
    """Every folder with two or more stems, laid out as in MUSDB18-HQ; a mixture among them does not count.

    Args:
        folder: searched at any depth.

    Raises:
        NoInputError: there is none.
    """
    by_holder: dict[Path, list[Path]] = {}
    for path in sorted(audio_files(folder)):
        if path.stem not in _MIXTURES:
            by_holder.setdefault(path.parent, []).append(path)
    songs = [Song(shown(holder.name), tuple(stems)) for holder, stems in sorted(by_holder.items()) if len(stems) > 1]
    if not songs:
        raise NoInputError(f"{folder}: contains no folder with two or more stems; give one folder per song")
    return songs


def read_stems(song: Song, sample_rate: int, seconds: float) -> tuple[tuple[str, ...], Array]:
    """The excerpt of a song whose quietest stem is loudest, every stem at one level.

    Args:
        song: see there.
        sample_rate: Hz, of the result.
        seconds: of the excerpt, at most.

    Returns:
        Names of the stems, and `(stem, time)`, rms 0.05; stems that are silent there are left out.

    Raises:
        NoInputError: fewer than two stems are left.
        AudioFileError: a file cannot be decoded.
    """
    waveforms = [_mono(path, sample_rate) for path in song.stems]
    n_samples = min(map(len, waveforms))
    stems = np.stack([waveform[:n_samples] for waveform in waveforms])
    length = round(min(seconds * sample_rate, n_samples))
    starts = np.arange(0, n_samples - length + 1, sample_rate)
    sums = np.pad(np.cumsum(np.square(stems), axis=1), ((0, 0), (1, 0)))
    power = sums[:, starts + length] - sums[:, starts]
    heard = power[power.any(axis=1)]  # a stem that is silent throughout does not count
    start = int(starts[heard.min(axis=0).argmax()]) if len(heard) else 0
    stems = stems[:, start : start + length]
    level = np.sqrt(np.square(stems).mean(axis=1))
    sounding = np.flatnonzero(level > _SILENT)
    if len(sounding) < 2:
        raise NoInputError(f"{song.stems[0].parent}: fewer than two stems sound at the same time; leave this song out")
    names = tuple(shown(song.stems[k].stem) for k in sounding)
    return names, stems[sounding] * (_LEVEL / level[sounding, None])


def _mono(path: Path, sample_rate: int) -> Array:
    with AudioReader(path) as reader:
        waveform = resample(reader.read_all(), reader.info.sample_rate, sample_rate)
    return np.asarray(downmix(waveform)[0])
