"""Reduces the bleed between the tracks of one recording, from files to files.

The files are read twice. The first pass collects a minute of the loudest pieces, to which the method is fitted. The
second applies the method in blocks. So memory does not grow with the recording.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from concertclean.audio_io.formats import AudioInfo
from concertclean.audio_io.writer import require_storable
from concertclean.bleed.methods import Reduction, learn
from concertclean.bleed.microphones import excerpt
from concertclean.bleed.sinks import Sink, track_format
from concertclean.bleed.tracks import check_tracks, count_samples, read_together, spare_tracks
from concertclean.config.denoise import Clip, DenoiseSettings, read_settings
from concertclean.dsp.arrays import Array
from concertclean.dsp.levels import to_db
from concertclean.dsp.resample import Fifo
from concertclean.errors import ConfigError
from concertclean.files.places import local
from concertclean.restore import batch
from concertclean.restore.finishing import RESCALED_PEAK
from concertclean.restore.recordings import find_recordings
from concertclean.restore.results import kept_format
from concertclean.runtime.devices import choose_device, cpu_threads

Progress = Callable[[str, int, int], None]

CLIP: Clip = "rescale"
"""What happens to tracks beyond full scale unless the settings say otherwise: no sample is cut."""


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
    given = read_settings(None, {"clip": CLIP, **settings}, place="settings")
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
        ConfigError: the output of a track would be another track, or a track has a URL.
    """
    recordings = find_recordings(inputs, recursive=False)
    format = "wav" if settings.format == "auto" else settings.format
    jobs = batch.plan(
        recordings, output, format, removed=settings.removed, resolve=partial(kept_format, settings=settings)
    )
    left_out = {source for source, _ in recordings} - {job.source for job in jobs}
    if left_out:
        names = ", ".join(sorted(map(str, left_out)))
        raise ConfigError(f"{names}: another track would be written there; choose another folder")
    return [
        Track(local(job.source), local(job.target), None if job.removed is None else local(job.removed)) for job in jobs
    ]


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
    for track, info in zip(tracks, infos, strict=True):
        require_storable(str(track.target), track_format(info, settings))
    reduction = _learned(sources, infos, n_samples, method, settings, progress)
    remarks = list(reduction.remarks)
    write = partial(_written, reduction, tracks, infos, settings, partial(progress, "reducing, s"), overwrite)
    try:
        sinks = write(gain=1.0, remarks=remarks)
    except _WouldClipError as error:
        remarks = list(reduction.remarks)
        sinks = write(gain=RESCALED_PEAK / error.peak, remarks=remarks)
        remarks.append(f"W105 output would clip: all tracks rescaled by {to_db(RESCALED_PEAK / error.peak):.1f} dB")
    remarks += [remark for sink in sinks for remark in sink.remarks()]
    reductions = tuple(sink.reduction_db() for sink in sinks)
    paths = tuple(track.target for track in tracks)
    return Debled(reduction.method, n_samples / rate, time.perf_counter() - begin, reductions, tuple(remarks), paths)


def _written(
    reduction: Reduction,
    tracks: Sequence[Track],
    infos: Sequence[AudioInfo],
    settings: DenoiseSettings,
    progress: Callable[[int, int], None],
    overwrite: bool,
    *,
    gain: float,
    remarks: list[str],
) -> list[Sink]:
    """Writes all tracks with one gain, so that their balance stays; a track that would clip leaves no file.

    Raises:
        _WouldClipError: a track exceeds full scale, and the settings ask for rescaling.
    """
    n_samples = max(info.n_samples or 0 for info in infos)
    with ExitStack() as stack:
        sinks = [
            stack.enter_context(Sink(track.target, track.removed, info, settings, gain, overwrite=overwrite))
            for track, info in zip(tracks, infos, strict=True)
        ]
        n_done = 0
        for original, stems in _pairs(reduction, read_together([track.source for track in tracks], remarks)):
            for sink, before, after in zip(sinks, original, stems, strict=True):
                sink.write(before, after)
            n_done += stems.shape[2]
            progress(n_done // infos[0].sample_rate, round(n_samples / infos[0].sample_rate))
        peak = max(sink.peak for sink in sinks)
        if settings.clip == "rescale" and peak > 1.0 and any(sink.exceeds for sink in sinks):
            raise _WouldClipError(peak)
    return sinks


class _WouldClipError(Exception):
    """A result exceeds full scale."""

    def __init__(self, peak: float) -> None:
        super().__init__(peak)
        self.peak = peak


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
