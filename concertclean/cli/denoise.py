"""`concertclean denoise`: options to settings, progress and results to the terminal."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from concertclean.cli import console, options
from concertclean.cli.report import page_of_run, report_run
from concertclean.cli.screen import Screen
from concertclean.cli.sink import Sink
from concertclean.errors import ConcertCleanError, ConfigError, ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from concertclean.classical.material import Material, Source
    from concertclean.config.denoise import DenoiseSettings
    from concertclean.restore.auto import AutoDenoiser
    from concertclean.restore.batch import Job, Outcome
    from concertclean.restore.inference import Enhancer
    from concertclean.restore.pipeline import Denoiser
    from concertclean.weights.loading import LoadedModel

_STREAM = "-"
_SEGMENT_SECONDS = 6.0
_SHORTEST_NOISE_SECONDS, _LONGEST_NOISE_SECONDS = 0.1, 60.0


def denoise(
    inputs: options.Inputs,
    *,
    output: options.Output = None,
    recursive: options.Recursive = False,
    model: options.Model = None,
    preset: options.Preset = None,
    noise_profile: options.NoiseProfile = None,
    strength: options.Strength = None,
    max_reduction: options.MaxReduction = None,
    residual: options.Residual = False,
    report: options.Report = False,
    preview: options.Preview = False,
    start: options.Start = None,
    duration: options.Duration = None,
    format: options.OutputFormat = None,
    bit_depth: options.BitDepth = None,
    loudness: options.Loudness = None,
    clip: options.Clip = None,
    device: options.Device = None,
    precision: options.Precision = None,
    segment: options.Segment = None,
    overlap: options.Overlap = None,
    batch_size: options.BatchSize = None,
    threads: options.Threads = None,
    config: options.Config = None,
    overwrite: options.Overwrite = False,
    skip_existing: options.SkipExisting = False,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
    jsonl_log: options.JsonlLog = None,
    offline: options.Offline = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Restores recordings: looks what is wrong, then removes the crowd, the noise of a disc, clicks, hum or hiss.

    The result is NAME_clean.wav beside the recording, with its sample rate and channels; nothing is ever
    overwritten unless --overwrite says so.
    """
    from concertclean.config.denoise import read_settings

    settings = read_settings(
        config,
        {
            "model": model, "preset": preset, "noise_profile": noise_profile, "strength": strength,
            "max_reduction_db": max_reduction, "start_seconds": start, "duration_seconds": duration,
            "format": format or _format_of(output), "bit_depth": bit_depth, "loudness": loudness, "clip": clip,
            "residual": residual or None, "device": device, "precision": precision, "segment_seconds": segment,
            "overlap_ratio": overlap, "batch_size": batch_size, "threads": threads, "offline": offline,
        },
    )  # fmt: skip
    if overwrite and skip_existing:
        raise ConfigError("--overwrite and --skip-existing exclude each other; give one of them")
    if _STREAM in (*inputs, output):
        jobs = [_stream_job(inputs, output, settings, as_json=as_json)]
    else:
        jobs = _plan(inputs, output, settings, recursive=recursive)
    page = page_of_run(jobs, is_wanted=report or preview, overwrite=overwrite, skip_existing=skip_existing)
    if dry_run:
        for job in jobs:
            console.say(f"{job.source} -> {job.target}")
        if page is not None:
            console.say(f"-> {page}")
        return
    screen = Screen(settings, quiet=quiet, verbose=verbose, bar=not (quiet or no_progress))
    with console.ending_on_signals(), Sink(settings, as_json=as_json, log=jsonl_log) as sink:
        outcomes = _outcomes(jobs, settings, screen, sink, overwrite=overwrite, skip_existing=skip_existing)
        failed = _tell(outcomes, len(jobs), screen, sink)
        if page is not None:
            failed += report_run(page, jobs, settings, sink.records, preview=preview, overwrite=overwrite, quiet=quiet)
    if failed:
        raise typer.Exit(console.SOME_FAILED if len(jobs) > 1 else console.exit_code(failed[0]))


def _outcomes(
    jobs: "list[Job]",
    settings: "DenoiseSettings",
    screen: Screen,
    sink: Sink,
    *,
    overwrite: bool,
    skip_existing: bool,
) -> "Iterator[Outcome]":
    """Outcomes of the jobs, one after the other; no network is loaded if there is nothing to do."""
    from concertclean.config.denoise import AUTO
    from concertclean.restore import batch

    if skip_existing and all(job.target.exists() for job in jobs):
        yield from (batch.Outcome(job, "skipped") for job in jobs)
        return
    denoiser = _auto(settings, screen, sink) if settings.model == AUTO else _denoiser(settings, screen, sink)
    with screen.progress(len(jobs)) as bar:
        yield from batch.run(
            jobs,
            denoiser,
            overwrite=overwrite,
            skip_existing=skip_existing,
            progress=bar.advance,
            first_pass=bar.advance_first_pass,
        )


def _tell(outcomes: "Iterator[Outcome]", n_jobs: int, screen: Screen, sink: Sink) -> list[ConcertCleanError]:
    """Reports each outcome as it comes; returns what went wrong."""
    told: list[Outcome] = []
    try:
        for outcome in outcomes:
            screen.tell(outcome)
            sink.add(outcome)
            told.append(outcome)
    except (KeyboardInterrupt, SystemExit):
        console.complain(f"interrupted, {len(told)} of {n_jobs} done; what was unfinished is removed")
        raise
    if n_jobs > 1:
        screen.failures(told)
    return [outcome.error for outcome in told if outcome.error is not None]


def _stream_job(inputs: list[str], output: str | None, settings: "DenoiseSettings", *, as_json: bool) -> "Job":
    """The one job from standard input, or to standard output, or both."""
    from concertclean.restore import batch

    if len(inputs) != 1:
        raise ConfigError("with - there is one input; give - alone, or files")
    if settings.residual:
        raise ConfigError("--residual needs an input and an output that are files")
    source = Path(inputs[0])
    from_stdin = sys.stdin.buffer if inputs[0] == _STREAM else None
    if output is None or output == _STREAM:
        if as_json:
            raise ConfigError("--json cannot share standard output with the audio; use --jsonl-log")
        return batch.Job(source, Path(_STREAM), source_stream=from_stdin, target_stream=sys.stdout.buffer)
    if settings.format == "keep" or not batch.is_file_name(Path(output)):
        raise ConfigError("- as input says neither name nor format of the output; use -o NAME.wav, for example")
    (job,) = batch.plan([(source, Path())], Path(output), settings.format, residual=False, resolve=str)
    return replace(job, source_stream=from_stdin)


def _plan(inputs: list[str], output: str | None, settings: "DenoiseSettings", *, recursive: bool) -> "list[Job]":
    """The jobs of the command line."""
    from concertclean.audio_io.reader import AudioReader
    from concertclean.restore import batch
    from concertclean.restore.results import output_format

    def kept(source: Path) -> str:
        try:
            with AudioReader(source) as reader:
                return output_format(reader.info, settings).name
        except ConcertCleanError:
            return "wav"  # the run itself says what is wrong with the file

    recordings = batch.find_recordings(inputs, recursive=recursive)
    target = None if output is None else Path(output)
    return batch.plan(recordings, target, settings.format, residual=settings.residual, resolve=kept)


def _auto(settings: "DenoiseSettings", screen: Screen, sink: Sink) -> "AutoDenoiser":
    """What looks at each recording and restores it with what it needs."""
    from concertclean.cli.analyse import record_of
    from concertclean.restore.analyse import analyse
    from concertclean.restore.auto import AutoDenoiser
    from concertclean.restore.chain import Chain
    from concertclean.restore.pipeline import Denoiser
    from concertclean.weights.loading import load_scene_classifier

    if settings.noise_profile is not None:
        raise ConfigError("--noise-profile is for lsa; name the --model, such as --model lsa-c")
    classifier = load_scene_classifier(offline=settings.offline)

    def make(model: str) -> "Denoiser":
        if model:
            return _denoiser(settings.model_copy(update={"model": model}), screen, sink)
        return Denoiser(Chain(()), settings.model_copy(update={"model": model, "strength": 0.0}))

    return AutoDenoiser(make, lambda source: analyse(source, classifier), record_of)


def _denoiser(settings: "DenoiseSettings", screen: Screen, sink: Sink) -> "Denoiser":
    """The stages of the settings, ready to run; torch is loaded only where one of them is a network."""
    from concertclean.classical.catalogue import METHODS
    from concertclean.restore.chain import chain_of, learns_from, require_noise_taker, stages_of
    from concertclean.restore.pipeline import Denoiser

    stages = stages_of(settings.model)
    if settings.noise_profile is not None:
        require_noise_taker(stages)
    noise = _noise_file(settings)  # what is wrong with it is told before weights are fetched for hours
    networks = {name: _network(name, settings, screen, sink) for name in dict.fromkeys(stages) if name not in METHODS}
    screen.stages(stages)
    sink.stages = stages
    return Denoiser(
        chain_of(stages, networks, noise),
        settings,
        lambda materials: chain_of(stages, networks, {**noise, **materials}),
        _noise_at(settings),
        surveys=learns_from(stages, "recording"),
    )


def _noise_at(settings: "DenoiseSettings") -> "Callable[[Path], tuple[float, float] | None] | None":
    """Where a recording holds noise alone, as the settings say; None where they do not speak of the recording."""
    from concertclean.config.denoise import NOISE_FOUND

    stretch = settings.noise_stretch
    if stretch is not None:
        return lambda recording: stretch
    if settings.noise_profile != NOISE_FOUND:
        return None
    from concertclean.restore.noise_stretches import load_detector, noise_of

    detector = load_detector(offline=settings.offline)

    def found(recording: Path) -> tuple[float, float] | None:
        longest = next((one for one in noise_of(recording, detector) if not one.is_guess), None)
        if longest is None:
            return None
        return longest.start_seconds, min(longest.end_seconds, longest.start_seconds + _LONGEST_NOISE_SECONDS)

    return found


def _noise_file(settings: "DenoiseSettings") -> "dict[Source, Material]":
    """The noise, if it is a file."""
    from concertclean.audio_io.reader import AudioReader
    from concertclean.classical.material import material_of
    from concertclean.config.denoise import NOISE_FOUND

    profile = settings.noise_profile
    if profile is None or profile == NOISE_FOUND or settings.noise_stretch is not None:
        return {}
    path = Path(profile)
    if not path.exists():
        raise ConfigError(f"--noise-profile {path}: no such file; give one, or START-END as in 0:00-0:01")
    with AudioReader(path) as reader:
        rate = reader.info.sample_rate
        noise = reader.read(round(_LONGEST_NOISE_SECONDS * rate))
    if noise.shape[1] < _SHORTEST_NOISE_SECONDS * rate or not noise.any():
        raise ConfigError(f"--noise-profile {path}: holds no noise, or less than {_SHORTEST_NOISE_SECONDS} s of it")
    return {"noise": material_of(noise, rate)}


def _network(name: str, settings: "DenoiseSettings", screen: Screen, sink: Sink) -> "Enhancer":
    """A network, ready to run."""
    import os

    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    from concertclean.networks.layers.band_gains import hold_gains
    from concertclean.restore.inference import Enhancer
    from concertclean.runtime.devices import require_device
    from concertclean.weights.loading import load_model

    require_device(settings.device)
    with screen.fetching() as fetched:
        weights = load_model(name, offline=settings.offline, progress=fetched)
    if weights.model.stems != 1:
        raise ModelError(f"{name}: separates stems; denoise needs a model with one output")
    hold_gains(weights.model, settings.network_floor)
    enhancer = Enhancer(
        weights.model,
        device=settings.device,
        precision=settings.precision,
        segment_seconds=settings.segment_seconds or _made_for(weights),
        overlap_ratio=settings.overlap_ratio,
        batch_size=settings.batch_size,
        threads=settings.threads,
        notify=lambda message: screen.note(f"W106 {message}"),
    )
    screen.setup(weights, enhancer)
    sink.networks.append((weights, enhancer))
    return enhancer


def _made_for(weights: "LoadedModel") -> float:
    """Seconds of waveform that the network was made for."""
    wanted = None if weights.card is None else weights.card.segment_seconds
    return wanted or _SEGMENT_SECONDS


def _format_of(output: str | None) -> str | None:
    """Format named by the extension of the output, if it is a file."""
    from concertclean.audio_io.formats import FORMATS

    extension = Path(output or "").suffix.lower()
    fitting = (name for name, entry in FORMATS.items() if entry.is_writable and extension in entry.extensions)
    return next(fitting, None)
