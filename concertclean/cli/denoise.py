"""`concertclean denoise`: options to settings, progress and results to the terminal."""

import sys
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

    The result is NAME_clean.wav beside the recording, with its sample rate and channels; nothing is
    overwritten without --overwrite.
    """
    from concertclean.config.denoise import read_settings
    from concertclean.restore.denoise import format_of, plan

    settings = read_settings(
        config,
        {
            "model": model, "preset": preset, "noise_profile": noise_profile, "strength": strength,
            "max_reduction_db": max_reduction, "start_seconds": start, "duration_seconds": duration,
            "audio_stream": audio_stream,
            "format": format or format_of(output), "bit_depth": bit_depth, "loudness": loudness, "clip": clip,
            "removed": removed or None, "device": device, "precision": precision, "segment_seconds": segment,
            "overlap_ratio": overlap, "batch_size": batch_size, "threads": threads, "offline": offline,
        },
    )  # fmt: skip
    if overwrite and skip_existing:
        raise ConfigError("--overwrite and --skip-existing exclude each other; choose one")
    if jsonl_log == console.STREAM and (as_json or output == console.STREAM):
        raise ConfigError("--jsonl-log - writes to standard output, where other results go; name a file")
    unreadable: list[ConcertCleanError] = []
    if console.STREAM in (*inputs, output):
        jobs = [_stream_job(inputs, output, settings, as_json=as_json)]
    else:
        folder = None if output is None else Path(output)
        jobs = plan(inputs, folder, settings, recursive=recursive, unreadable=unreadable.append)
    is_wanted = report or preview or lossless_report
    page = page_of_run(jobs, is_wanted=is_wanted, overwrite=overwrite, skip_existing=skip_existing)
    screen = Screen(settings, len(jobs), quiet=quiet, verbose=verbose, bar=not (quiet or no_progress))
    for error in unreadable:
        console.complain(error)
    if dry_run:
        failed = unreadable + show_plan(jobs, settings, page, screen, as_json=as_json)
    else:
        with console.ending_on_signals(), Sink(settings, as_json=as_json, log=jsonl_log) as sink:
            outcomes = _outcomes(jobs, settings, screen, overwrite=overwrite, skip_existing=skip_existing)
            failed = unreadable + _report(outcomes, len(jobs), screen, sink)
            if page is not None:
                how = {"preview": preview, "lossless": lossless_report, "overwrite": overwrite, "quiet": quiet}
                failed += report_run(page, jobs, settings, sink.records, **how)
    if len(jobs) + len(unreadable) > 1 and failed:
        raise typer.Exit(console.SOME_FAILED)
    if failed:
        raise typer.Exit(console.exit_code(failed[0]))


def _outcomes(
    jobs: "list[Job]",
    settings: "DenoiseSettings",
    screen: Screen,
    *,
    overwrite: bool,
    skip_existing: bool,
) -> "Iterator[Outcome]":
    """Outcomes of the jobs, one after the other; no network is loaded if there is nothing to do."""
    from concertclean.restore import batch
    from concertclean.restore.build import Hooks
    from concertclean.restore.denoise import build_denoiser, check

    with screen.bar:
        yield from batch.run(
            jobs,
            lambda: build_denoiser(settings, Hooks(screen.note, screen.fetching, screen.built)),
            overwrite=overwrite,
            skip_existing=skip_existing,
            check=lambda source: check(source, settings),
            progress=screen.bar.advance,
            first_pass=screen.bar.advance_first_pass,
        )


def _report(outcomes: "Iterator[Outcome]", n_jobs: int, screen: Screen, sink: Sink) -> list[ConcertCleanError]:
    """Reports each outcome as it comes; returns what went wrong."""
    reported: list[Outcome] = []
    try:
        for outcome in outcomes:
            screen.show(outcome)
            sink.add(outcome)
            reported.append(outcome)
    except (KeyboardInterrupt, SystemExit):
        cure = "; the same command with --skip-existing does the rest" if n_jobs > 1 else ""
        console.complain(f"interrupted, {len(reported)} of {n_jobs} done; unfinished files were removed{cure}")
        raise
    failed = [outcome.error for outcome in reported if outcome.error is not None]
    if n_jobs > 1:
        screen.total(reported, len(failed))
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
    if settings.format == "keep" or not batch.is_file_name(Path(output)):
        raise ConfigError("- as input says neither name nor format of the output; use -o NAME.wav, for example")
    (job,) = batch.plan([(source, Path())], Path(output), settings.format, removed=False, resolve=str)
    return replace(job, source_stream=from_stdin)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise NoInputError("standard input: is closed; name a recording, or send one")
    return sys.stdin.buffer
