"""`concertclean denoise --dry-run`: what would be done, and about how long it would take."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concertclean.cli import console
from concertclean.cli.screen import Screen, stream_name
from concertclean.config.times import clock
from concertclean.errors import ConcertCleanError, foreseen
from concertclean.files.storage import exists

if TYPE_CHECKING:
    from concertclean.config.denoise import DenoiseSettings
    from concertclean.restore.batch import Job

_TRIAL_SECONDS = 4.0


def show_plan(
    jobs: "Sequence[Job]", settings: "DenoiseSettings", page: Path | None, screen: Screen, *, as_json: bool
) -> list[ConcertCleanError]:
    """Prints each recording with its length and where its result would go, and an estimate of the time.

    The estimate is from a trial of a few seconds of the first recording, on this machine.

    Args:
        jobs: of the run.
        settings: of the run.
        page: of `--report`.
        screen: for remarks.
        as_json: print a JSON array, one object a recording.

    Returns:
        What is wrong with recordings.
    """
    from concertclean.config.denoise import AUTO
    from concertclean.restore.chain import stages_of

    failed: list[ConcertCleanError] = []
    stages = None if settings.model == AUTO else list(stages_of(settings.model))  # a look at each recording decides
    records = [_planned(job, settings, failed) | {"model": settings.model, "stages": stages} for job in jobs]
    for error in failed:
        console.complain(error)
    lengths = [record["duration_seconds"] for record in records]
    seconds = sum(length or 0.0 for length in lengths)
    with screen.bar:
        speed = next((_speed(job, settings) for job, length in zip(jobs, lengths, strict=True) if length), None)
    if as_json:
        for record, length in zip(records, lengths, strict=True):
            record["estimated_seconds"] = None if speed is None or length is None else length / speed
        console.say(json.dumps(records, indent=2))
        return failed
    for job, length in zip(jobs, lengths, strict=True):
        shown = "" if length is None else f"  {clock(length)}"
        console.say(f"{stream_name(job.source, 'input')} -> {stream_name(job.target, 'output')}{shown}")
    if page is not None:
        console.say(f"-> {page}")
    if stages:
        screen.note(f"stages {', '.join(stages)}")
    if speed is not None:
        count = f"{len(jobs)} recording{'s' if len(jobs) > 1 else ''}, {clock(seconds)}"
        screen.note(f"{count}: about {clock(max(1.0, seconds / speed))} here, {speed:.0f}x real time")
    return failed


def _planned(job: "Job", settings: "DenoiseSettings", failed: list[ConcertCleanError]) -> dict[str, Any]:
    """The record of a recording; what is wrong with it is also added to `failed`."""
    from concertclean.restore.denoise import check

    record: dict[str, Any] = {
        "input": str(job.source),
        "output": str(job.target),
        "removed": None if job.removed is None else str(job.removed),
        "status": "planned",
        "output_exists": job.target_stream is None and exists(job.target),
        "duration_seconds": None,
        "error": None,
    }
    if job.source_stream is not None:
        return record
    try:
        with foreseen(job.source):
            declared = check(job.source, settings).duration_seconds
    except ConcertCleanError as error:
        failed.append(error)
        return record | {"status": "failed", "error": str(error)}
    return record | {"duration_seconds": settings.processed_seconds(declared)}


def _speed(job: "Job", settings: "DenoiseSettings") -> float | None:
    """Times real time that a trial of a recording took, without loading; None: it does not work."""
    from concertclean.restore.denoise import build_denoiser

    short = {"duration_seconds": min(_TRIAL_SECONDS, settings.duration_seconds or _TRIAL_SECONDS), "format": "wav"}
    try:
        with foreseen(job.source):
            denoiser = build_denoiser(settings.model_copy(update=short))
            denoiser.run(job.source, io.BytesIO())  # the first run of a network prepares it
            report = denoiser.run(job.source, io.BytesIO())
    except ConcertCleanError as error:
        console.complain(error)
        return None
    return report.seconds / report.elapsed_seconds if report.elapsed_seconds else None
