"""A recording and its result: finding the two files, reading them in step."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from concertclean.audio_io.formats import AUDIO_EXTENSIONS, is_film_name
from concertclean.audio_io.reader import AudioReader
from concertclean.dsp.arrays import Array, Blocks
from concertclean.dsp.resample import Fifo, resampled
from concertclean.errors import AudioFileError, ConfigError, NoInputError
from concertclean.files.walk import find_files, is_hidden

_MARK = "_clean"
_BLOCK_SECONDS = 1.0
_TOLERANCE_SECONDS = 0.1  # lossy codecs pad the last packet


@dataclass(frozen=True)
class Pair:
    """A recording before and after.

    Attributes:
        before: the original recording. after: the result.
        start_seconds: start of the result within the recording; the recording may then be longer than the result. None:
            the result is as long as the recording.
        audio_stream: which sound of a film the recording is, from 1; None: the default one.
    """

    before: Path
    after: Path
    start_seconds: float | None = None
    audio_stream: int | None = None

    @property
    def result_stream(self) -> int | None:
        """Which sound of the result it is: a video keeps all of its own."""
        return self.audio_stream if is_film_name(self.after) else None


@dataclass(frozen=True)
class PairFacts:
    """Facts from both headers: Hz of the recording and of the result, channels, seconds if declared."""

    sample_rate: int
    after_rate: int
    channels: int
    seconds: float | None


def find_pairs(inputs: Sequence[Path], originals: Path | None) -> tuple[list[Pair], list[tuple[Path, AudioFileError]]]:
    """Pairs from files and folders.

    Args:
        inputs: two files, before and after; or results named NAME_clean.EXT; or folders, searched for such results.
        originals: folder of the recordings, mirrored as in `denoise -r -o`; None: beside the results.

    Returns:
        The pairs in the order given, folders sorted; and the results in folders whose recording is missing, and folders
        that cannot be read, with the reason.

    Raises:
        NoInputError: a path does not exist, a folder holds no result, or the recording of a named result is missing.
        ConfigError: a file is not a result and has no partner.
    """
    if len(inputs) == 2 and all(os.path.isfile(path) for path in inputs) and not is_result(inputs[0]):
        return [Pair(inputs[0], inputs[1])], []
    pairs: list[Pair] = []
    orphans: list[tuple[Path, AudioFileError]] = []
    for path in inputs:
        if os.path.isdir(path):
            _search(path, originals, pairs, orphans)
        else:
            pairs.append(Pair(_recording_of(_known_result(path), originals or path.parent), path))
    if not pairs and not orphans:
        raise NoInputError(f"{', '.join(map(str, inputs))}: no files named NAME{_MARK}.EXT; run denoise first")
    return pairs, orphans


def is_result(path: Path) -> bool:
    """Whether a file is named as an output of `denoise`."""
    return path.stem.endswith(_MARK) and path.suffix.lower() in AUDIO_EXTENSIONS and not is_hidden(path.name)


def facts(pair: Pair) -> PairFacts:
    """Facts from the headers.

    Raises:
        AudioFileError: a file cannot be opened, or the numbers of channels differ.
    """
    with (
        AudioReader(pair.before, audio_stream=pair.audio_stream) as before,
        AudioReader(pair.after, audio_stream=pair.result_stream) as after,
    ):
        if before.info.channels != after.info.channels:
            channels = f"{after.info.channels} channels, {pair.before} has {before.info.channels}"
            raise AudioFileError(f"{pair.after}: has {channels}; give the result of this recording")
        rate, seconds = before.info.sample_rate, after.info.duration_seconds
        return PairFacts(rate, after.info.sample_rate, before.info.channels, seconds)


def blocks(
    pair: Pair, sample_rate: int, *, start_seconds: float = 0.0, seconds: float | None = None
) -> Iterator[tuple[Array, Array]]:
    """Both files in step, in bounded memory.

    Args:
        pair: two files with equally many channels.
        sample_rate: Hz of the blocks; files with another rate are resampled.
        start_seconds: where in the result to start.
        seconds: length; None: to the end.

    Yields:
        Before and after, each `(channel, time)` and equally long.

    Raises:
        AudioFileError: a file is damaged, or one of them is longer than the other.
    """
    with (
        AudioReader(pair.before, audio_stream=pair.audio_stream) as before,
        AudioReader(pair.after, audio_stream=pair.result_stream) as after,
    ):
        before.skip(round(((pair.start_seconds or 0.0) + start_seconds) * before.info.sample_rate))
        after.skip(round(start_seconds * after.info.sample_rate))
        yield from _in_step(
            _part(before, sample_rate, seconds),
            _part(after, sample_rate, seconds),
            pair,
            sample_rate,
            channels=before.info.channels,
        )


def _part(reader: AudioReader, sample_rate: int, seconds: float | None) -> Blocks:
    """The next seconds of a recording at another rate."""
    rate = reader.info.sample_rate

    def cut() -> Blocks:
        left = None if seconds is None else round(seconds * rate)
        for block in reader.blocks(max(1, round(_BLOCK_SECONDS * rate))):
            yield block if left is None else block[:, :left]
            left = None if left is None else left - block.shape[1]
            if left is not None and left <= 0:
                return

    return resampled(cut(), rate, sample_rate, reader.info.channels)


def _in_step(before: Blocks, after: Blocks, pair: Pair, rate: int, *, channels: int) -> Iterator[tuple[Array, Array]]:
    """Equally long blocks of two streams; raises if one ends long before the other."""
    held = Fifo(channels), Fifo(channels)
    n_done = 0
    for both in zip_longest(before, after):
        for fifo, block in zip(held, both, strict=True):
            if block is not None:
                fifo.push(block)
        n_ready = min(map(len, held))
        if n_ready:
            yield held[0].pop(n_ready), held[1].pop(n_ready)
            n_done += n_ready
        if both[1] is None and pair.start_seconds is not None:
            return
        if both[0] is None or both[1] is None:
            _require_even(held, pair, rate, n_done)
    _require_even(held, pair, rate, n_done)


def _require_even(left: tuple[Fifo, Fifo], pair: Pair, rate: int, n_done: int) -> None:
    """Raises for a pair of which one file has ended and the other continues."""
    tolerance = _TOLERANCE_SECONDS * rate
    if len(left[0]) > tolerance and pair.start_seconds is None:
        shorter, longer = pair.after, pair.before
    elif len(left[1]) > tolerance:
        shorter, longer = pair.before, pair.after
    else:
        return
    cure = "give two files of the same recording, or state where the result starts if it is a part"
    raise AudioFileError(f"{shorter}: ends after {n_done / rate:.2f} s, {longer} continues; {cure}")


def _search(
    folder: Path, originals: Path | None, pairs: list[Pair], orphans: list[tuple[Path, AudioFileError]]
) -> None:
    """Adds the results below a folder."""
    found = find_files(folder, AUDIO_EXTENSIONS, unreadable=lambda error: orphans.append((folder, error)))
    for result in filter(is_result, found):
        place = result.parent if originals is None else originals / result.parent.relative_to(folder)
        try:
            pairs.append(Pair(_recording_of(result, place), result))
        except NoInputError as error:
            orphans.append((result, error))


def _known_result(path: Path) -> Path:
    """The path, if it is a file named as a result."""
    if not os.path.lexists(path):
        raise NoInputError(f"{path}: no such file or folder; check the spelling")
    if not is_result(path):
        raise ConfigError(f"{path}: is not named NAME{_MARK}.EXT; give two files, the recording and its result")
    return path


def _recording_of(result: Path, folder: Path) -> Path:
    """The recording that a result was made from, by its name: a_clean.wav is of a.*, a_mp3_clean.wav of a.mp3."""
    stem = result.stem.removesuffix(_MARK)
    audio = find_files(folder, AUDIO_EXTENSIONS, recursive=False) if os.path.isdir(folder) else []
    found = [path for path in audio if _same(path.stem, stem)]
    if not found:
        found = [path for path in audio if _same(f"{path.stem}_{path.suffix[1:].lower()}", stem)]
    if not found:
        raise NoInputError(f"{result}: no recording {stem}.* in {folder}; give the folder of the originals")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise NoInputError(f"{result}: could be from any of {names}; give the two files, before and after")
    return found[0]


def _same(name: str, other: str) -> bool:
    """Whether two names mean the same; macOS writes é as e and an accent, others as one character."""
    return unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other)
