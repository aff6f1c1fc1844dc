"""Songs as folders of stems or as files of MUSDB18, and excerpts of them in which every stem plays."""

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
_STEM_FILE = ".stem.mp4"
_STREAMS = ("drums", "bass", "other", "vocals")  # of a stem file of MUSDB18, after the mixture
_LEVEL = 0.05  # rms of a stem; a close microphone is set to the level of its instrument
_SILENT = 1e-4  # rms


@dataclass(frozen=True)
class Stem:
    """One instrument of a song.

    Attributes:
        name: of the instrument, as text that can be shown.
        path: of its file.
        audio_stream: which of that file, from 1; None: the only one.
    """

    name: str
    path: Path
    audio_stream: int | None = None


@dataclass(frozen=True)
class Song:
    """Stems of one song.

    Attributes:
        name: of the folder or file.
        stems: by name, or in the order of the streams.
    """

    name: str
    stems: tuple[Stem, ...]


def find_songs(folder: Path) -> list[Song]:
    """Every folder with two or more stems, as in MUSDB18-HQ, and every stem file, as in MUSDB18.

    Args:
        folder: searched at any depth; a mixture does not count as a stem.

    Raises:
        NoInputError: there is none.

    References:
        Rafii, Liutkus, Stöter, Mimilakis, Bittner, MUSDB18, 2017, doi:10.5281/zenodo.1117372: five AAC streams in an
        MP4 file, in the order mixture, drums, bass, other, vocals.
    """
    by_place: dict[Path, list[Stem]] = {}
    for path in sorted(audio_files(folder)):
        if path.name.lower().endswith(_STEM_FILE):
            by_place[path] = [Stem(name, path, number) for number, name in enumerate(_STREAMS, 2)]
        elif path.stem not in _MIXTURES:
            by_place.setdefault(path.parent, []).append(Stem(shown(path.stem), path))
    songs = [Song(_title(place), tuple(stems)) for place, stems in sorted(by_place.items()) if len(stems) > 1]
    if not songs:
        raise NoInputError(
            f"{folder}: contains no folder with two or more stems and no {_STEM_FILE} file; give one folder per song"
        )
    return songs


def _title(place: Path) -> str:
    """Name of a song from its folder or its stem file."""
    return shown(place.name[: -len(_STEM_FILE)] if place.name.lower().endswith(_STEM_FILE) else place.name)


def read_stems(
    song: Song, sample_rate: int, seconds: float, *, natural_levels: bool = False
) -> tuple[tuple[str, ...], Array]:
    """The excerpt of a song whose quietest stem is loudest, every stem at one level, or as it is in the song.

    Args:
        song: see there.
        sample_rate: Hz, of the result.
        seconds: of the excerpt, at most.
        natural_levels: stems keep their level.

    Returns:
        Names of the stems, and `(stem, time)`, rms 0.05 unless natural; stems that are silent there are left out.

    Raises:
        NoInputError: fewer than two stems are left.
        AudioFileError: a file cannot be decoded.
    """
    waveforms = [read_stem(stem, sample_rate) for stem in song.stems]
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
        raise NoInputError(f"{song.name}: fewer than two stems sound at the same time; leave this song out")
    names = tuple(song.stems[k].name for k in sounding)
    return names, stems[sounding] * (1.0 if natural_levels else _LEVEL / level[sounding, None])


def read_stem(stem: Stem, sample_rate: int) -> Array:
    """All of a stem in mono, `(time,)`, full scale ±1.

    Args:
        stem: see there.
        sample_rate: Hz, of the result.

    Raises:
        AudioFileError: the file cannot be decoded.
    """
    with AudioReader(stem.path, audio_stream=stem.audio_stream) as reader:
        waveform = resample(reader.read_all(), reader.info.sample_rate, sample_rate)
    return np.asarray(downmix(waveform)[0])
