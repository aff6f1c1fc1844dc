"""`concertclean denoise --dry-run`: what would be done, and about how long it would take."""

import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concertclean.cli import console
from concertclean.cli.screen import Screen, stream_name
from concertclean.config.times import clock
from concertclean.errors import ConcertCleanError, foreseen

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
    failed: list[ConcertCleanError] = []
    records = []
    for job in jobs:
        record, error = _planned(job, settings)
        records.append(record)
        if error is not None:
            failed.append(error)
            console.complain(error)
    known = [(job, record["duration_seconds"]) for job, record in zip(jobs, records, strict=True)]
    seconds = sum(duration or 0.0 for _, duration in known)
    with screen.bar:
        speed = next((_speed(job, settings) for job, duration in known if duration), None)
    if as_json:
        for record in records:
            length = record["duration_seconds"]
            record["estimated_seconds"] = None if speed is None or length is None else length / speed
        console.say(json.dumps(records, indent=2))
        return failed
    for job, record in zip(jobs, records, strict=True):
        length = "" if record["duration_seconds"] is None else f"  {clock(record['duration_seconds'])}"
        console.say(f"{stream_name(job.source, 'input')} -> {stream_name(job.target, 'output')}{length}")
    if page is not None:
        console.say(f"-> {page}")
    if speed is not None:
        count = f"{len(jobs)} recording{'s' if len(jobs) > 1 else ''}, {clock(seconds)}"
        screen.note(f"{count}: about {clock(max(1.0, seconds / speed))} here, {speed:.0f}x real time")
    return failed


def _planned(job: "Job", settings: "DenoiseSettings") -> tuple[dict[str, Any], ConcertCleanError | None]:
    """The record of a recording, and what is wrong with it."""
    from concertclean.audio_io.reader import AudioReader
    from concertclean.restore.denoise import check

    record: dict[str, Any] = {
        "input": str(job.source),
        "output": str(job.target),
        "removed": None if job.removed is None else str(job.removed),
        "status": "planned",
        "output_exists": job.target_stream is None and os.path.exists(job.target),
        "duration_seconds": None,
        "error": None,
    }
    if job.source_stream is not None:
        return record, None
    try:
        with foreseen(job.source):
            check(job.source, settings)
            with AudioReader(job.source, audio_stream=settings.audio_stream) as reader:
                record["duration_seconds"] = settings.processed_seconds(reader.info.duration_seconds)
    except ConcertCleanError as error:
        return record | {"status": "failed", "error": str(error)}, error
    return record, None


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
