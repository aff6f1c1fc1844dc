"""Several files that are the tracks of one recording: checked, then read in step."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from concertclean.audio_io.formats import AudioInfo
from concertclean.audio_io.reader import AudioReader
from concertclean.dsp.arrays import Array
from concertclean.errors import OutputError, TracksError

_BLOCK_SECONDS = 1.0


def check_tracks(paths: Sequence[Path]) -> tuple[AudioInfo, ...]:
    """Facts about each track.

    Args:
        paths: of the tracks, two or more.

    Raises:
        TracksError: there are fewer than two, or sample rate, channels or declared length differ.
        AudioFileError: a file cannot be opened.
    """
    if len(paths) < 2:
        raise TracksError(f"{', '.join(map(str, paths))}: one track alone cannot be compared; give two or more")
    infos = []
    for path in paths:
        with AudioReader(path) as reader:
            infos.append(reader.info)
    first = infos[0]
    for path, info in zip(paths, infos, strict=True):
        _require_alike(f"{info.sample_rate} Hz", f"{first.sample_rate} Hz", path, paths[0], "convert one of them")
        _require_alike(
            f"{info.channels} channels", f"{first.channels} channels", path, paths[0], "make all mono or all stereo"
        )
        if info.n_samples is not None and first.n_samples is not None:
            _require_length(info.n_samples, first.n_samples, path, paths[0])
    return tuple(infos)


def count_samples(paths: Sequence[Path], infos: Sequence[AudioInfo]) -> int:
    """Samples of a track; if no file declares its length, the tracks are read to the end."""
    declared = (info.n_samples for info in infos if info.n_samples is not None)
    found = next(declared, None)
    return sum(block.shape[2] for block in read_together(paths)) if found is None else found


def read_together(paths: Sequence[Path], warnings: list[str] | None = None) -> Iterator[Array]:
    """The tracks, block by block.

    Args:
        paths: of tracks that `check_tracks` has passed.
        warnings: receives the reader's warnings at the end.

    Yields:
        `(track, channel, time)`, full scale ±1, never empty.

    Raises:
        TracksError: a track ends before the others.
        AudioFileError: a file is damaged.
    """
    with ExitStack() as stack:
        readers = [stack.enter_context(AudioReader(path)) for path in paths]
        size = round(_BLOCK_SECONDS * readers[0].info.sample_rate)
        n_done = 0
        while True:
            blocks = [reader.read(size) for reader in readers]
            for path, block in zip(paths, blocks, strict=True):
                _require_length(n_done + block.shape[1], n_done + blocks[0].shape[1], path, paths[0])
            if not blocks[0].shape[1]:
                break
            n_done += blocks[0].shape[1]
            yield np.stack(blocks)
        if warnings is not None:
            for path, reader in zip(paths, readers, strict=True):
                warnings += [f"{path.name}: {warning}" for warning in reader.warnings]


def spare_tracks(sources: Sequence[Path], targets: Sequence[Path]) -> None:
    """Refuses to overwrite a track, also through a link or another spelling.

    Raises:
        OutputError: a target is a track.
    """
    own = [source.stat() for source in sources]
    for target in targets:
        if os.path.exists(target) and any(os.path.samestat(target.stat(), one) for one in own):
            raise OutputError(f"{target}: the output is one of the tracks; choose another folder")


def _require_alike(found: str, wanted: str, path: Path, first: Path, cure: str) -> None:
    if found != wanted:
        raise TracksError(f"{path}: has {found}, {first} has {wanted}; {cure}")


def _require_length(found: int, wanted: int, path: Path, first: Path) -> None:
    if found != wanted:
        raise TracksError(
            f"{path}: {found} samples where {first} has {wanted}; export all tracks from the same start to the same end"
        )
