"""`concertclean denoise`: options to settings, progress and results to the terminal."""

import re
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import typer

from concertclean.cli import console, options
from concertclean.cli.batch_run import BatchRun
from concertclean.cli.engine import Engine
from concertclean.cli.planned import show_plan
from concertclean.cli.report import page_of_run, report_run
from concertclean.cli.screen import Screen
from concertclean.cli.sink import Sink
from concertclean.errors import ConcertCleanError, ConfigError, NoInputError, OutputError
from concertclean.files.places import local, place_of

if TYPE_CHECKING:
    from concertclean.config.denoise import DenoiseSettings
    from concertclean.restore.batch import Job


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
    codec: options.Codec = None,
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
    engine: options.Engine = "threads",
    address: options.Address = None,
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
    from concertclean.restore.denoise import format_of
    from concertclean.restore.manifest import Manifest

    settings = read_settings(
        config,
        {
            "model": model, "preset": preset, "noise_profile": noise_profile, "strength": strength,
            "max_reduction_db": max_reduction, "start_seconds": start, "duration_seconds": duration,
            "leave": leave, "audio_stream": audio_stream, "codec": codec,
            "format": format or format_of(output), "bit_depth": bit_depth, "loudness": loudness, "clip": clip,
            "removed": removed or None, "device": device, "precision": precision, "segment_seconds": segment,
            "overlap_ratio": overlap, "batch_size": batch_size, "threads": threads, "offline": offline,
        },
    )  # fmt: skip
    _refuse(overwrite and skip_existing, "--overwrite and --skip-existing exclude each other; choose one")
    is_printed = jsonl_log == console.STREAM and (as_json or output == console.STREAM)
    _refuse(is_printed, "--jsonl-log - writes to standard output, where other results go; name a file")
    _refuse(verify and manifest is None, "--verify compares with a manifest; name it with --manifest")
    is_stream, is_kept = console.STREAM in (*inputs, output), manifest is not None or shard is not None
    _refuse(is_stream and is_kept, "--manifest and --shard are for files; leave them out with -")
    where = Engine(engine, address, settings, is_stream)
    unreadable: list[ConcertCleanError] = []
    jobs = _jobs(inputs, output, settings, unreadable, recursive=recursive, shard=shard, as_json=as_json)
    is_wanted = report or preview or lossless_report
    page = page_of_run(jobs, is_wanted=is_wanted, overwrite=overwrite, skip_existing=skip_existing)
    screen = Screen(settings, jobs, quiet=quiet, verbose=verbose, bar=not (quiet or no_progress))
    if dry_run:
        failed = unreadable + show_plan(jobs, settings, page, screen, as_json=as_json)
    else:
        with (
            console.ending_on_signals(),
            Sink(settings, as_json=as_json, log=jsonl_log) as sink,
            nullcontext() if manifest is None else Manifest(local(place_of(manifest)), settings) as kept,
        ):
            run = BatchRun(where, screen, sink, kept, overwrite=overwrite, skip_existing=skip_existing)
            failed = unreadable + run.restore(jobs, verify=verify)
            if page is not None:
                failed += report_run(
                    page, jobs, settings, sink.records,
                    preview=preview, lossless=lossless_report, overwrite=overwrite, quiet=quiet,
                )  # fmt: skip
    _end(failed, len(jobs) + len(unreadable))


def _end(failed: list[ConcertCleanError], count: int) -> None:
    """Exits where something failed, with the code of the error if there was one thing to do."""
    if failed:
        raise typer.Exit(console.SOME_FAILED if count > 1 else console.exit_code(failed[0]))


def _jobs(
    inputs: list[str],
    output: str | None,
    settings: "DenoiseSettings",
    unreadable: list[ConcertCleanError],
    *,
    recursive: bool,
    shard: str | None,
    as_json: bool,
) -> "list[Job]":
    """The jobs of files, or that of a stream; folders that cannot be read are reported and noted."""
    from concertclean.restore.denoise import plan

    if console.STREAM in (*inputs, output):
        return [_stream_job(inputs, output, settings, as_json=as_json)]

    def note(error: ConcertCleanError) -> None:
        console.complain(error)
        unreadable.append(error)

    folder, part = None if output is None else place_of(output), _shard(shard)
    return plan(inputs, folder, settings, recursive=recursive, unreadable=note, shard=part)


def _refuse(is_wrong: bool, message: str) -> None:
    if is_wrong:
        raise ConfigError(message)


def _stream_job(inputs: list[str], output: str | None, settings: "DenoiseSettings", *, as_json: bool) -> "Job":
    """The one job from standard input, or to standard output, or both."""
    from concertclean.restore import batch

    if len(inputs) != 1:
        raise ConfigError("- reads one recording from standard input; give - alone, or files")
    if settings.removed:
        raise ConfigError("--removed needs an input and an output that are files")
    source = place_of(inputs[0])
    from_stdin = _standard_input() if inputs[0] == console.STREAM else None
    if output is None or output == console.STREAM:
        if as_json:
            raise ConfigError("--json cannot share standard output with the audio; use --jsonl-log")
        if sys.stdout is None:
            raise OutputError("standard output: is closed; name an output file")
        return batch.Job(source, Path(console.STREAM), source_stream=from_stdin, target_stream=sys.stdout.buffer)
    if settings.format in ("auto", "keep") or not batch.is_file_name(place_of(output)):
        raise ConfigError("- as input says neither name nor format of the output; use -o NAME.wav, for example")
    (job,) = batch.plan([(source, Path())], place_of(output), settings.format, removed=False, resolve=str)
    return replace(job, source_stream=from_stdin)


def _shard(text: str | None) -> tuple[int, int]:
    """Number and count of "3/16"; all, where none is given."""
    if text is None:
        return 1, 1
    found = re.fullmatch(r"([1-9]\d{0,5})/([1-9]\d{0,5})", text, re.ASCII)
    if found is None or int(found[1]) > int(found[2]):
        raise ConfigError(f"--shard {text}: write K/N, as 3/16, with K from 1 to N")
    return int(found[1]), int(found[2])


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise NoInputError("standard input: is closed; name a recording, or send one")
    return sys.stdin.buffer
