"""What is done with a recording: look at it, choose a part, find what to remove, prepare what the page plays."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from concertclean.audio_io.formats import FORMATS, Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.classical.catalogue import COMBINATIONS, METHODS
from concertclean.config.denoise import AUTO, PRESETS, DenoiseSettings
from concertclean.dsp.arrays import Array
from concertclean.dsp.levels import EnergyMeter, LoudnessMeter
from concertclean.errors import AudioFileError, ConcertCleanError, ConfigError, ModelError, foreseen
from concertclean.files.atomic import write_text, written
from concertclean.report.change import STEP_SECONDS, most_changed
from concertclean.report.pairs import Pair, blocks
from concertclean.report.sound import page_rate
from concertclean.restore.build import Restorer, build_restorer
from concertclean.restore.chain import stages_of
from concertclean.restore.pipeline import Denoiser
from concertclean.restore.residual import find_residual, finding, most_changed_start, restore_with
from concertclean.restore.results import Report, kept_format
from concertclean.serve.jobs import Job, Listening, Result, SaveRequest, Wish
from concertclean.serve.refusals import RefusalError
from concertclean.serve.worker import Monitor
from concertclean.serve.workplace import Workplace
from concertclean.weights.cards import cards_by_word, load_cards

if TYPE_CHECKING:
    from concertclean.restore.analyse import Diagnosis

PREVIEW_SECONDS: Final = 30.0
LISTENING_SECONDS: Final = 300.0
SOUNDS: Final = ("before", "removed")
PICTURES: Final = ("before", "after", "removed")
RESIDUAL: Final = "residual.wav"
_PEAKS_A_SECOND: Final = 20
_MOST_PEAKS: Final = 2000
_PICTURE_COLUMNS: Final = 1500


def require_known(model: str) -> None:
    """Lets pass names only: a path would read files that nobody chose.

    Raises:
        ModelError: a stage is neither a preset, a model nor a method.
    """
    known = {AUTO, *PRESETS, *cards_by_word(load_cards()), *METHODS, *COMBINATIONS}
    unknown = [name for name in (part.strip() for part in model.split(",")) if name not in known]
    if unknown:
        raise ModelError(f"unknown model {unknown[0]!r}; choose from {', '.join(sorted(known))}")


def work(place: Workplace, job: Job, monitor: Monitor) -> dict[str, Any]:
    """Does a job.

    Args:
        place: the working folder.
        job: of it.
        monitor: receives where the work is.

    Returns:
        The fields of the job that change.

    Raises:
        ConcertCleanError: it cannot be done; the message has the recording's name.
    """
    require_known(job.wish.model)
    source = place.recording(job)
    try:
        if job.diagnosis is None:
            monitor.step("Looking at the recording")
            job = place.change(job.id, **_look(place, job, source, monitor))
        return {"result": _found(place, job, source, monitor)}
    except ConcertCleanError as error:
        error.args = (str(error).replace(str(source), job.name),)  # people know it by its name
        raise


def save(place: Workplace, job: Job, request: SaveRequest) -> tuple[Path, Report]:
    """Writes a result from what was found, without finding it again.

    Args:
        place: the working folder.
        job: one that is done.
        request: how much to remove, and the file.

    Returns:
        The file, and what was done.

    Raises:
        RefusalError: the recording has changed since.
        AudioFileError, ConfigError, OutputError: it cannot be made.
    """
    if job.result is None:
        raise AudioFileError(f"{job.name}: nothing was found in it yet; wait until it is done")
    if job.result.has_networks and request.max_reduction_db is None:
        raise ConfigError("max_reduction_db: is null, which is for methods without weights; give a number")
    source = place.recording(job)
    if _stamp(source) != job.result.stamp:
        message = f"{job.name}: has changed since it was restored; restore it again"
        raise RefusalError(HTTPStatus.CONFLICT, message)
    settings = _settings(job.result).model_copy(update=request.model_dump())
    format = kept_format(source, settings, with_picture=settings.is_whole)
    target = place.free_result(job, FORMATS[format].extension(source.suffix.lower()))
    with foreseen(job.name):
        report = restore_with(source, place.files(job) / RESIDUAL, target, settings)
    place.add_saved(job.id, target.name)
    return target, report


def _stamp(source: Path) -> tuple[int, int]:
    """What changes when a file changes."""
    found = source.stat()
    return found.st_size, found.st_mtime_ns


def _look(place: Workplace, job: Job, source: Path, monitor: Monitor) -> dict[str, Any]:
    """The diagnosis, the length and the course of the level."""
    from concertclean.restore.analyse import analyse

    diagnosis: Diagnosis = analyse(source)
    monitor.check()
    rate, levels, n_samples = 1, [np.zeros(0)], 0
    with AudioReader(source) as reader:
        rate, total = reader.info.sample_rate, reader.info.duration_seconds
        step = max(1, rate // _PEAKS_A_SECOND)
        for block in reader.blocks(step * _PEAKS_A_SECOND):
            n_samples += block.shape[1]
            levels.append(np.maximum.reduceat(np.abs(block).max(axis=0), np.arange(0, block.shape[1], step)))
            monitor.advance(n_samples / rate, total)
    found = np.concatenate(levels)
    if not len(found):
        raise AudioFileError(f"{source}: contains 0 samples; there is nothing to restore")
    if len(found) > _MOST_PEAKS:
        found = np.maximum.reduceat(found, np.linspace(0, len(found), _MOST_PEAKS, endpoint=False).astype(int))
    peaks = {"seconds": n_samples / rate, "peaks": [round(float(peak), 4) for peak in np.minimum(found, 4.0)]}
    write_text(place.files(job) / "peaks.json", json.dumps(peaks))
    return {"diagnosis": diagnosis.record(job.name), "seconds": n_samples / rate}


def _found(place: Workplace, job: Job, source: Path, monitor: Monitor) -> Result:
    """The residual of the part that is wanted, and what the page plays."""
    model, stamp = job.wish.model, _stamp(source)
    if model == AUTO:
        model = str((job.diagnosis or {}).get("model") or "")
    model = PRESETS.get(model, model)
    monitor.step("Loading the model")
    whole = job.seconds or 0.0
    everything = finding(DenoiseSettings(model=model or AUTO, offline=True))
    restorer = build_restorer(stages_of(model) if model else (), everything)
    if job.wish.part == "preview" and whole > PREVIEW_SECONDS:
        monitor.step("Choosing half a minute")
    start, seconds = _part(job.wish, source, restorer, whole)
    is_whole = seconds is None
    settings = everything.model_copy(update={"start_seconds": start, "duration_seconds": seconds})
    total = whole if seconds is None else min(seconds, whole - start)
    n_passes = 2 if restorer.reads_twice else 1
    monitor.step("Restoring")
    report = find_residual(
        source,
        place.files(job) / RESIDUAL,
        Denoiser(restorer, settings),
        progress=lambda done: monitor.advance(done + (n_passes - 1) * total, n_passes * total),
        first_pass=lambda done: monitor.advance(done, n_passes * total),
    )
    monitor.step("Preparing the sound")
    pair = Pair(source, place.files(job) / RESIDUAL, None if is_whole else start)
    return Result(
        model=model,
        has_networks=bool(restorer.networks),
        start_seconds=start,
        seconds=report.seconds,
        is_whole=is_whole,
        listening=_listening(place.files(job), pair, report, monitor.check),
        stamp=stamp,
        warnings=tuple(report.warnings),
    )


def _part(wish: Wish, source: Path, restorer: Restorer, whole: float) -> tuple[float, float | None]:
    """Start and length of what is processed; None: all of it."""
    if wish.part == "region":
        return wish.start_seconds, wish.duration_seconds
    if wish.part == "whole" or whole <= PREVIEW_SECONDS:
        return 0.0, None
    start = most_changed_start(source, restorer, PREVIEW_SECONDS) if restorer.stages else 0.0
    return start, PREVIEW_SECONDS


def _settings(result: Result) -> DenoiseSettings:
    """Settings of a run that would find the same."""
    settings = DenoiseSettings(model=result.model or AUTO)
    if result.is_whole:
        return settings
    part = {"start_seconds": result.start_seconds, "duration_seconds": result.seconds}
    return settings.model_copy(update=part)


def _listening(folder: Path, pair: Pair, report: Report, check: Callable[[], None]) -> Listening:
    """Writes the sounds and the pictures of the part that changed most."""
    from concertclean.report.spectrogram import Spectrograms, display_range, grey_png

    info = report.info
    rate, channels = page_rate(info.sample_rate), min(info.channels, 2)
    start, seconds, gain = _loudest_part(pair, report.seconds, info.sample_rate, check)
    meters = [LoudnessMeter(rate, channels) for _ in PICTURES]
    pictures = Spectrograms(len(PICTURES), channels, round(seconds * rate), _PICTURE_COLUMNS)
    with ExitStack() as stack:
        storage = Storage("flac", rate, channels, bit_depth=24)
        sounds = [stack.enter_context(AudioWriter(folder / f"{name}.flac", storage, overwrite=True)) for name in SOUNDS]
        for before, removed in blocks(pair, rate, start_seconds=start, seconds=seconds):
            check()
            both = [before[:channels], removed[:channels]]
            three = np.stack([both[0], both[0] - both[1], both[1]])
            pictures.add(three)
            for meter, block in zip(meters, three, strict=True):
                meter.add(block)
            for sound, block in zip(sounds, both, strict=True):
                sound.write(block * gain)
    levels = pictures.levels()
    for name, level in zip(PICTURES, levels, strict=True):
        with written(folder / f"{name}.png") as file:
            file.write(grey_png(level))
    lufs = [meter.integrated() for meter in meters]
    return Listening(
        start_seconds=(pair.start_seconds or 0.0) + start,
        seconds=seconds,
        sample_rate=rate,
        gain=gain,
        lufs=(_finite(lufs[0]), _finite(lufs[1]), _finite(lufs[2])),
        range_db=display_range(levels),
        column_seconds=pictures.hop_length * pictures.frames_per_column / rate,
        lead_seconds=pictures.hop_length / 2 / rate,
    )


def _loudest_part(pair: Pair, seconds: float, rate: int, check: Callable[[], None]) -> tuple[float, float, float]:
    """Start and length of what the page plays, and the gain at which no sample of it exceeds full scale."""
    meter, peak = EnergyMeter(round(STEP_SECONDS * rate)), 0.0
    for before, removed in _checked(blocks(pair, rate), check):
        meter.add(removed)
        peak = max(peak, float(np.abs(before).max(initial=0.0)), float(np.abs(removed).max(initial=0.0)))
    gain = 1.0 if peak < 0.99 else 0.9 / peak  # the rest is for what resampling adds
    if seconds <= LISTENING_SECONDS:
        return 0.0, seconds, gain
    first = most_changed(meter.values(), round(LISTENING_SECONDS / STEP_SECONDS))
    return first * STEP_SECONDS, LISTENING_SECONDS, gain


def _checked(pairs: Iterator[tuple[Array, Array]], check: Callable[[], None]) -> Iterator[tuple[Array, Array]]:
    for pair in pairs:
        check()
        yield pair


def _finite(level: float) -> float | None:
    return level if math.isfinite(level) else None
