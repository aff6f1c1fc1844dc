"""Reduces the bleed between the tracks of one recording, from files to files.

The files are read twice. The first pass collects a minute of the loudest pieces, to which the method is fitted. The
second applies the method in blocks. So memory does not grow with the recording.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from concertclean.audio_io.formats import AudioInfo, Storage
from concertclean.audio_io.writer import AudioWriter
from concertclean.bleed.methods import Reduction, learn
from concertclean.bleed.microphones import excerpt
from concertclean.bleed.tracks import check_tracks, count_samples, read_together, spare_tracks
from concertclean.config.denoise import DenoiseSettings, read_settings
from concertclean.dsp.arrays import Array
from concertclean.dsp.levels import EnergyMeter, reduction_db
from concertclean.dsp.resample import Fifo
from concertclean.errors import ConfigError
from concertclean.restore import batch
from concertclean.restore.recordings import find_recordings
from concertclean.restore.results import kept_format, open_writer, output_format
from concertclean.runtime.devices import choose_device, cpu_threads

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Track:
    """A track and where its results go.

    Attributes:
        source: as recorded.
        target: with the bleed reduced.
        removed: what was removed, or None.
    """

    source: Path
    target: Path
    removed: Path | None = None


@dataclass(frozen=True)
class Debled:
    """What was done to the tracks of a recording.

    Attributes:
        method: that was used; "none" if there is no bleed.
        seconds: length of the recording.
        elapsed_seconds: wall time.
        reduction_db: for each track, level before over level after, mean over the seconds that are not silent.
        remarks: one sentence each.
        paths: the files written, one per track.
    """

    method: str
    seconds: float
    elapsed_seconds: float
    reduction_db: tuple[float, ...]
    remarks: tuple[str, ...]
    paths: tuple[Path, ...] = ()


def debleed_files(
    tracks: Sequence[str | Path],
    output: str | Path | None = None,
    *,
    model: str = "auto",
    overwrite: bool = False,
    progress: Progress = lambda what, done, total: None,
    **settings: object,
) -> Debled:
    """Reduces the bleed between the tracks of one recording, as `concertclean debleed` does.

    Args:
        tracks: two or more files, one per microphone, with the same rate, length and number of channels.
        output: folder; None: beside the tracks.
        model: name of a method, see `methods.learn`.
        overwrite: replace existing results, but never a track.
        progress: receives the current step, seconds done, and seconds in total.
        settings: fields of `config.denoise.DenoiseSettings` for format and device, such as `bit_depth` or `threads`.

    Returns:
        The method, and the reduction of each track; `paths` are the files.

    Raises:
        ConfigError: a setting is unknown or out of range.
        TracksError, AudioFileError, ModelError, OutputError: see `debleed`.
    """
    given = read_settings(None, settings, place="settings")
    planned = plan_tracks([str(track) for track in tracks], None if output is None else Path(output), given)
    return debleed(planned, model, given, overwrite=overwrite, progress=progress)


def plan_tracks(inputs: Sequence[str], output: Path | None, settings: DenoiseSettings) -> list[Track]:
    """Returns the output path of each track.

    Args:
        inputs: files, folders and patterns.
        output: folder; None: beside the tracks.
        settings: format of the results, and whether to write what is removed.

    Raises:
        NoInputError: a path does not exist, or nothing was found.
        ConfigError: the output of a track would be another track.
    """
    recordings = find_recordings(inputs, recursive=False)
    jobs = batch.plan(
        recordings, output, settings.format, removed=settings.removed, resolve=partial(kept_format, settings=settings)
    )
    left_out = {source for source, _ in recordings} - {job.source for job in jobs}
    if left_out:
        names = ", ".join(sorted(map(str, left_out)))
        raise ConfigError(f"{names}: another track would be written there; choose another folder")
    return [Track(job.source, job.target, job.removed) for job in jobs]


def debleed(
    tracks: Sequence[Track],
    method: str,
    settings: DenoiseSettings,
    *,
    overwrite: bool = False,
    progress: Progress = lambda what, done, total: None,
) -> Debled:
    """Reduces the bleed between tracks.

    Args:
        tracks: two or more, with the same rate, length and number of channels.
        method: name, see `methods.learn`.
        settings: format and bit depth of the results; device and threads.
        overwrite: replace existing results, but never a track.
        progress: receives the current step, seconds done, and seconds in total.

    Raises:
        ConfigError: there is no such device.
        TracksError: the tracks do not match.
        AudioFileError: a file cannot be decoded.
        ModelError: the method is unknown.
        OutputError: a result exists, is a track, or cannot be written.
    """
    choose_device(settings.device)  # a wrong name is reported before anything is read
    with cpu_threads(settings.threads):
        return _debled(tracks, method, settings, overwrite=overwrite, progress=progress)


def _debled(
    tracks: Sequence[Track], method: str, settings: DenoiseSettings, *, overwrite: bool, progress: Progress
) -> Debled:
    """What `debleed` does, on the cores of the settings."""
    begin = time.perf_counter()
    sources = [track.source for track in tracks]
    infos = check_tracks(sources)
    spare_tracks(sources, [path for track in tracks for path in (track.target, track.removed) if path is not None])
    n_samples = count_samples(sources, infos)
    rate = infos[0].sample_rate
    total = round(n_samples / rate)
    reduction = _learned(sources, infos, n_samples, method, settings, progress)
    remarks = list(reduction.remarks)
    with ExitStack() as stack:
        sinks = [
            stack.enter_context(_Sink(track, info, output_format(info, settings), overwrite=overwrite))
            for track, info in zip(tracks, infos, strict=True)
        ]
        n_done = 0
        for original, stems in _pairs(reduction, read_together(sources, remarks)):
            for sink, before, after in zip(sinks, original, stems, strict=True):
                sink.write(before, after)
            n_done += stems.shape[2]
            progress("reducing, s", n_done // rate, total)
    remarks += [remark for sink in sinks for remark in sink.remarks()]
    reductions = tuple(sink.reduction_db() for sink in sinks)
    paths = tuple(track.target for track in tracks)
    return Debled(reduction.method, n_done / rate, time.perf_counter() - begin, reductions, tuple(remarks), paths)


def _learned(
    sources: Sequence[Path],
    infos: Sequence[AudioInfo],
    n_samples: int,
    method: str,
    settings: DenoiseSettings,
    progress: Progress,
) -> Reduction:
    rate, channels = infos[0].sample_rate, infos[0].channels

    def analysed() -> Iterator[Array]:
        n_done = 0
        for block in read_together(sources):
            n_done += block.shape[2]
            progress("analysing, s", n_done // rate, round(n_samples / rate))
            yield block.reshape(-1, block.shape[2])

    blocks = analysed()
    if n_samples:
        loud = excerpt(blocks, n_samples, rate)
        for _ in blocks:  # to the end, so tracks of different length are detected before anything is written
            pass
    else:
        loud = np.zeros((len(sources) * channels, 1))
    loud = loud.reshape(len(sources), channels, -1)
    names = [source.stem for source in sources]
    return learn(method, loud, rate, tracks=names, device=settings.device, threads=settings.threads)


def _pairs(reduction: Reduction, blocks: Iterator[Array]) -> Iterator[tuple[Array, Array]]:
    """Original and stems `(track, channel, time)`, cut at the same places."""
    held: list[Fifo] = []

    def passed() -> Iterator[Array]:
        for block in blocks:
            flat = block.reshape(-1, block.shape[2])
            if not held:
                held.append(Fifo(len(flat)))
            held[0].push(flat)
            yield block

    for stems in reduction.apply(passed()):
        yield held[0].pop(stems.shape[2]).reshape(stems.shape), stems


class _Sink:
    """Files of one track, and the remarks about them; a context manager."""

    def __init__(self, track: Track, info: AudioInfo, output: Storage, *, overwrite: bool) -> None:
        self._track, self._info, self._output, self._overwrite = track, info, output, overwrite
        self._files = ExitStack()
        self._meters = EnergyMeter(info.sample_rate), EnergyMeter(info.sample_rate)
        self._n_clipped = 0

    def __enter__(self) -> "_Sink":
        with ExitStack() as stack:
            self._stem = stack.enter_context(self._writer(self._track.target))
            removed = self._track.removed
            self._removed = None if removed is None else stack.enter_context(self._writer(removed))
            self._files = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._files.__exit__(*error)  # type: ignore[arg-type]

    def write(self, original: Array, stem: Array) -> None:
        """Takes a block `(channel, time)`."""
        self._stem.write(stem)
        if self._removed is not None:
            self._removed.write(original - stem)
        if not self._output.is_float:
            self._n_clipped += int((np.abs(stem) > 1).sum())
        for meter, block in zip(self._meters, (original, stem), strict=True):
            meter.add(block)

    def reduction_db(self) -> float:
        """Level before over level after, dB."""
        return reduction_db(*(meter.values() for meter in self._meters))[0]

    def remarks(self) -> list[str]:
        """Warnings about the result."""
        if not self._n_clipped:
            return []
        cure = "set bit_depth to 32f"
        return [f"{self._track.target.name}: W105 output would clip: {self._n_clipped} samples were clipped; {cure}"]

    def _writer(self, path: Path) -> AudioWriter:
        path.parent.mkdir(parents=True, exist_ok=True)
        info = self._info
        # A format that cannot store the rate is refused; nothing is resampled.
        output = replace(self._output, sample_rate=info.sample_rate)
        return open_writer(path, info, output, n_samples=info.n_samples, overwrite=self._overwrite)
