"""What is done with a recording: look at it, choose a part, find what to remove, prepare what the page plays."""

import json
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from concertclean.audio_io.formats import FORMATS
from concertclean.audio_io.reader import AudioReader
from concertclean.classical.catalogue import COMBINATIONS, METHODS
from concertclean.config.denoise import AUTO, PRESETS, DenoiseSettings
from concertclean.errors import AudioFileError, ConcertCleanError, ConfigError, ModelError, foreseen
from concertclean.files.atomic import write_text
from concertclean.report.pairs import Pair
from concertclean.restore.build import Restorer, build_restorer
from concertclean.restore.chain import stages_of
from concertclean.restore.pipeline import Denoiser
from concertclean.restore.residual import find_residual, finding, most_changed_start, restore_with
from concertclean.restore.results import Report, kept_format
from concertclean.serve.jobs import Job, Result, SaveRequest, Wish
from concertclean.serve.listening import prepare
from concertclean.serve.refusals import RefusalError
from concertclean.serve.worker import Monitor
from concertclean.serve.workplace import Workplace
from concertclean.weights.cards import cards_by_word, load_cards

if TYPE_CHECKING:
    from concertclean.restore.analyse import Diagnosis

PREVIEW_SECONDS: Final = 30.0
RESIDUAL: Final = "residual.wav"
_PEAKS_A_SECOND: Final = 20
_MOST_PEAKS: Final = 2000


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
        message = str(error).replace(str(source), job.name)  # people know it by its name
        error.args = (message if job.name in message else f"{job.name}: {message}",)
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
    listening = prepare(
        place.files(job),
        pair,
        report.info,
        report.seconds,
        check=monitor.check,
        progress=lambda done: monitor.advance(done, 1.0),
    )
    return Result(
        model=model,
        has_networks=bool(restorer.networks),
        start_seconds=start,
        seconds=report.seconds,
        is_whole=is_whole,
        listening=listening,
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
