"""`concertclean denoise`: options to settings, progress and results to the terminal."""

import os
import re
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import typer

from concertclean.cli import console, options
from concertclean.cli.planned import show_plan
from concertclean.cli.report import page_of_run, report_run
from concertclean.cli.screen import Screen
from concertclean.cli.sink import Sink
from concertclean.errors import ConcertCleanError, ConfigError, NoInputError, OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from concertclean.config.denoise import DenoiseSettings
    from concertclean.restore.batch import Job, Outcome
    from concertclean.restore.execution import Work
    from concertclean.restore.manifest import Manifest


def denoise(
    inputs: options.Inputs,
    *,
    model: options.Model = None,
    preset: options.Preset = None,
    strength: options.Strength = None,
    max_reduction: options.MaxReduction = None,
    noise_profile: options.NoiseProfile = None,
    start: options.Start = None,
    duration: options.Duration = None,
    leave: options.Leave = None,
    audio_stream: options.AudioStream = None,
    output: options.Output = None,
    format: options.OutputFormat = None,
    bit_depth: options.BitDepth = None,
    loudness: options.Loudness = None,
    clip: options.Clip = None,
    removed: options.Removed = False,
    report: options.Report = False,
    preview: options.Preview = False,
    lossless_report: options.LosslessReport = False,
    overwrite: options.Overwrite = False,
    skip_existing: options.SkipExisting = False,
    dry_run: options.DryRun = False,
    recursive: options.Recursive = False,
    manifest: options.Manifest = None,
    verify: options.Verify = False,
    shard: options.Shard = None,
    device: options.Device = None,
    precision: options.Precision = None,
    segment: options.Segment = None,
    overlap: options.Overlap = None,
    batch_size: options.BatchSize = None,
    threads: options.Threads = None,
    offline: options.Offline = None,
    config: options.Config = None,
    as_json: options.Json = False,
    jsonl_log: options.JsonlLog = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Restores recordings: finds what is wrong, then removes crowd, disc noise, clicks, hum or hiss.

    The result is NAME_clean.wav beside the recording, with its sample rate and channels; a video
    stays a video, with only its sound changed. Nothing is overwritten without --overwrite.
    """
    from concertclean.config.denoise import read_settings
    from concertclean.restore.denoise import format_of, plan
    from concertclean.restore.manifest import Manifest

    settings = read_settings(
        config,
        {
            "model": model, "preset": preset, "noise_profile": noise_profile, "strength": strength,
            "max_reduction_db": max_reduction, "start_seconds": start, "duration_seconds": duration,
            "leave": leave, "audio_stream": audio_stream,
            "format": format or format_of(output), "bit_depth": bit_depth, "loudness": loudness, "clip": clip,
            "removed": removed or None, "device": device, "precision": precision, "segment_seconds": segment,
            "overlap_ratio": overlap, "batch_size": batch_size, "threads": threads, "offline": offline,
        },
    )  # fmt: skip
    is_stream = console.STREAM in (*inputs, output)
    _refuse(overwrite and skip_existing, "--overwrite and --skip-existing exclude each other; choose one")
    is_printed = jsonl_log == console.STREAM and (as_json or output == console.STREAM)
    _refuse(is_printed, "--jsonl-log - writes to standard output, where other results go; name a file")
    _refuse(verify and manifest is None, "--verify compares with a manifest; name it with --manifest")
    is_kept = manifest is not None or shard is not None
    _refuse(is_stream and is_kept, "--manifest and --shard are for files; leave them out with -")
    unreadable: list[ConcertCleanError] = []
    if is_stream:
        jobs = [_stream_job(inputs, output, settings, as_json=as_json)]
    else:
        folder = None if output is None else Path(output)
        part = (1, 1) if shard is None else _shard(shard)
        jobs = plan(inputs, folder, settings, recursive=recursive, unreadable=unreadable.append, shard=part)
    is_wanted = report or preview or lossless_report
    page = page_of_run(jobs, is_wanted=is_wanted, overwrite=overwrite, skip_existing=skip_existing)
    screen = Screen(settings, jobs, quiet=quiet, verbose=verbose, bar=not (quiet or no_progress))
    for error in unreadable:
        console.complain(error)
    if dry_run:
        failed = unreadable + show_plan(jobs, settings, page, screen, as_json=as_json)
    else:
        with (
            console.ending_on_signals(),
            Sink(settings, as_json=as_json, log=jsonl_log) as sink,
            nullcontext() if manifest is None else Manifest(manifest, settings) as kept,
        ):
            left = jobs if kept is None else kept.left(jobs, verify=verify)
            work = _work(settings, screen, overwrite=overwrite, skip_existing=skip_existing, is_hashed=kept is not None)
            outcomes = _outcomes(left, work, settings, screen, kept)
            failed = unreadable + _report(outcomes, left, len(jobs), screen, sink, has_manifest=kept is not None)
            if page is not None:
                how = {"preview": preview, "lossless": lossless_report, "overwrite": overwrite, "quiet": quiet}
                failed += report_run(page, jobs, settings, sink.records, **how)
    if len(jobs) + len(unreadable) > 1 and failed:
        raise typer.Exit(console.SOME_FAILED)
    if failed:
        raise typer.Exit(console.exit_code(failed[0]))


def _refuse(is_wrong: bool, message: str) -> None:
    if is_wrong:
        raise ConfigError(message)


def _work(
    settings: "DenoiseSettings", screen: Screen, *, overwrite: bool, skip_existing: bool, is_hashed: bool
) -> "Work":
    """What restores one recording; no network is loaded before there is something to do."""
    from concertclean.restore.build import Hooks
    from concertclean.restore.denoise import build_denoiser, check
    from concertclean.restore.execution import Work

    return Work(
        lambda: build_denoiser(settings, Hooks(screen.note, screen.fetching, screen.built)),
        overwrite=overwrite,
        skip_existing=skip_existing,
        check=lambda source: check(source, settings),
        progress=screen.bar.advance,
        first_pass=screen.bar.advance_first_pass,
        is_hashed=is_hashed,
    )


def _outcomes(
    jobs: "list[Job]", work: "Work", settings: "DenoiseSettings", screen: Screen, manifest: "Manifest | None"
) -> "Iterator[Outcome]":
    """Outcomes of the jobs in order, as many at work as there are cores; the manifest notes them at once."""
    from concertclean.restore import execution

    def arrived(outcome: "Outcome") -> None:
        if manifest is not None:
            manifest.add(outcome)
        screen.bar.ended(outcome)

    at_once = min(len(jobs), settings.threads or os.cpu_count() or 1)
    executor = execution.Threads(at_once) if at_once > 1 else execution.Serial()
    begun = (lambda job: None) if manifest is None else manifest.begin
    with screen.bar:
        yield from execution.run(jobs, work, executor, begun=begun, arrived=arrived)


def _report(
    outcomes: "Iterator[Outcome]", jobs: "list[Job]", n_jobs: int, screen: Screen, sink: Sink, *, has_manifest: bool
) -> list[ConcertCleanError]:
    """Reports each outcome as it comes; returns what went wrong.

    Args:
        outcomes: of the jobs.
        jobs: that are left to do.
        n_jobs: of the whole batch.
        screen: for people.
        sink: for programs.
        has_manifest: the same command goes on after an interruption.
    """
    reported: list[Outcome] = []
    try:
        for outcome in outcomes:
            screen.show(outcome)
            sink.add(outcome)
            reported.append(outcome)
    except (KeyboardInterrupt, SystemExit):
        done = f"{len(reported)} of {len(jobs)} done"
        cure = ""
        if n_jobs > 1:
            cure = "; the same command" + (" does the rest" if has_manifest else " with --skip-existing does the rest")
        console.complain(f"interrupted, {done}; unfinished files were removed{cure}")
        raise
    failed = [outcome.error for outcome in reported if outcome.error is not None]
    if n_jobs > 1:
        screen.total(reported, len(failed), n_jobs - len(jobs))
    return failed if sink.failure is None else [*failed, sink.failure]


def _stream_job(inputs: list[str], output: str | None, settings: "DenoiseSettings", *, as_json: bool) -> "Job":
    """The one job from standard input, or to standard output, or both."""
    from concertclean.restore import batch

    if len(inputs) != 1:
        raise ConfigError("- reads one recording from standard input; give - alone, or files")
    if settings.removed:
        raise ConfigError("--removed needs an input and an output that are files")
    source = Path(inputs[0])
    from_stdin = _standard_input() if inputs[0] == console.STREAM else None
    if output is None or output == console.STREAM:
        if as_json:
            raise ConfigError("--json cannot share standard output with the audio; use --jsonl-log")
        if sys.stdout is None:
            raise OutputError("standard output: is closed; name an output file")
        return batch.Job(source, Path(console.STREAM), source_stream=from_stdin, target_stream=sys.stdout.buffer)
    if settings.format in ("auto", "keep") or not batch.is_file_name(Path(output)):
        raise ConfigError("- as input says neither name nor format of the output; use -o NAME.wav, for example")
    (job,) = batch.plan([(source, Path())], Path(output), settings.format, removed=False, resolve=str)
    return replace(job, source_stream=from_stdin)


def _shard(text: str) -> tuple[int, int]:
    """Number and count of "3/16"."""
    found = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text, re.ASCII)
    if found is None or int(found[1]) > int(found[2]):
        raise ConfigError(f"--shard {text}: write K/N, as 3/16, with K from 1 to N")
    return int(found[1]), int(found[2])


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise NoInputError("standard input: is closed; name a recording, or send one")
    return sys.stdin.buffer
