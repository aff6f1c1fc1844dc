"""`concertclean denoise`: options to settings, progress and results to the terminal."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from concertclean.cli import console
from concertclean.cli.screen import Screen
from concertclean.cli.sink import Sink
from concertclean.errors import ConcertCleanError, ConfigError, ModelError

if TYPE_CHECKING:
    from concertclean.batch import Job
    from concertclean.config import DenoiseSettings
    from concertclean.models.registry import LoadedModel
    from concertclean.pipeline import Denoiser

_STREAM = "-"


def denoise(
    inputs: Annotated[
        list[str], typer.Argument(help="Recordings, folders or patterns; - reads standard input.", show_default=False)
    ],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="File or folder; - writes standard output. [default: NAME_clean.wav beside]"),
    ] = None,
    recursive: Annotated[bool, typer.Option("-r", "--recursive", help="Look into folders of folders.")] = False,
    model: Annotated[str | None, typer.Option(help="Model name or weights file. [default: concert]")] = None,
    strength: Annotated[float | None, typer.Option(help="0 leaves the recording as it is, 1 removes all that was found. [default: 1]")] = None,
    max_reduction: Annotated[float | None, typer.Option(metavar="DB", help="Never lower anything by more than this.")] = None,
    residual: Annotated[bool, typer.Option("--residual", help="Also write what was removed, NAME_clean_removed.")] = False,
    start: Annotated[float | None, typer.Option(metavar="SECONDS", help="Begin here.")] = None,
    duration: Annotated[float | None, typer.Option(metavar="SECONDS", help="Process only so much.")] = None,
    format: Annotated[str | None, typer.Option(help="keep, wav, flac, m4a, alac, mp3, opus or ogg. [default: by -o, else wav]")] = None,
    bit_depth: Annotated[str | None, typer.Option(help="keep, 16, 24, 32 or 32f. [default: keep; 24 for lossy sources]")] = None,
    loudness: Annotated[str | None, typer.Option(help="off, match (as loud as before) or a level in LUFS. [default: off]")] = None,
    clip: Annotated[str | None, typer.Option(help="warn, rescale or limit, where the result exceeds full scale. [default: warn]")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps. [default: auto]")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32, bf16 or fp16. [default: auto]")] = None,
    segment: Annotated[float | None, typer.Option(metavar="SECONDS", help="Seconds a network call. [default: 6]")] = None,
    overlap: Annotated[float | None, typer.Option(help="Cross-faded part of a segment, 0 to 0.5. [default: 0.02]")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Segments a call on a GPU. [default: 8]")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU cores to use. [default: all]")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with these settings; options go first.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False,
    skip_existing: Annotated[bool, typer.Option("--skip-existing", help="Leave alone what is already done.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Results as JSON on standard output.")] = False,
    jsonl_log: Annotated[Path | None, typer.Option(help="Append one JSON line a recording to this file.")] = None,
    offline: Annotated[bool | None, typer.Option("--offline", help="Never use the network.")] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Errors only.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Also say which device, precision and weights.")] = False,
    no_progress: Annotated[bool, typer.Option("--no-progress", help="No progress bar.")] = False,
) -> None:
    """Restores recordings: removes the crowd (model concert) or the disc noise (model gramophone).

    The result is NAME_clean.wav beside the recording, with its sample rate and channels; nothing is ever
    overwritten unless --overwrite says so.
    """
    from concertclean.config import read_settings

    settings = read_settings(
        config,
        {
            "model": model, "strength": strength, "max_reduction_db": max_reduction, "start_seconds": start,
            "duration_seconds": duration, "format": format or _format_of(output), "bit_depth": bit_depth,
            "loudness": _loudness(loudness), "clip": clip, "residual": residual or None, "device": device,
            "precision": precision, "segment_seconds": segment, "overlap_ratio": overlap,
            "batch_size": batch_size, "threads": threads, "offline": offline,
        },
    )  # fmt: skip
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    screen = Screen(quiet=quiet, verbose=verbose, bar=not (quiet or no_progress))
    sink = Sink(settings, as_json=as_json, log=jsonl_log)
    if _STREAM in (*inputs, output):
        _denoise_stream(inputs, output, settings, screen, sink, overwrite=overwrite)
        return
    jobs = _plan(inputs, output, settings, recursive=recursive)
    if dry_run:
        for job in jobs:
            console.out.print(f"{job.source} -> {job.target}", markup=False, soft_wrap=True)
        return
    _denoise_files(jobs, settings, screen, sink, overwrite=overwrite, skip_existing=skip_existing)


def _denoise_files(
    jobs: "list[Job]", settings: "DenoiseSettings", screen: Screen, sink: Sink, *, overwrite: bool, skip_existing: bool
) -> None:
    """The jobs, one after the other; ends the program with 3, or the one error's code, if some failed."""
    from concertclean import batch

    if skip_existing and all(job.target.exists() for job in jobs):
        outcomes = [batch.Outcome(job, "skipped") for job in jobs]
    else:
        denoiser, sink.weights = _denoiser(settings, screen)
        sink.enhancer = denoiser.enhancer
        outcomes = []
        with screen.progress(len(jobs)) as advance:
            for outcome in batch.run(
                jobs, denoiser, overwrite=overwrite, skip_existing=skip_existing, progress=advance
            ):
                outcomes.append(outcome)
                screen.tell(outcome)
                sink.add(outcome)
    for outcome in outcomes if not sink.records else []:
        screen.tell(outcome)
        sink.add(outcome)
    sink.close()
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if failed and len(jobs) > 1:
        screen.failures(failed)
        raise typer.Exit(console.SOME_FAILED)
    if failed:
        raise typer.Exit(console.exit_code(failed[0].error))  # type: ignore[arg-type]


def _denoise_stream(
    inputs: list[str], output: str | None, settings: "DenoiseSettings", screen: Screen, sink: Sink, *, overwrite: bool
) -> None:
    """One recording from standard input or to standard output."""
    from concertclean import batch

    to_stdout = output == _STREAM or (output is None and inputs == [_STREAM])
    if len(inputs) != 1 or (to_stdout and sink.as_json):
        raise ConfigError("with - there is one input, and --json cannot share standard output with the audio")
    if settings.residual:
        raise ConfigError("--residual needs an input and an output that are files")
    denoiser, sink.weights = _denoiser(settings, screen)
    sink.enhancer = denoiser.enhancer
    source = sys.stdin.buffer if inputs[0] == _STREAM else Path(inputs[0])
    target = sys.stdout.buffer if to_stdout else Path(str(output))
    job = batch.Job(Path(inputs[0]), Path(output or _STREAM))
    with screen.progress(1) as advance:
        report = denoiser.run(
            source, target, overwrite=overwrite, progress=lambda seconds: advance(job, seconds)
        )
    outcome = batch.Outcome(job, "done", report)
    screen.tell(outcome)
    sink.add(outcome)
    sink.close()


def _plan(inputs: list[str], output: str | None, settings: "DenoiseSettings", *, recursive: bool) -> "list[Job]":
    """The jobs of the command line."""
    from concertclean import batch
    from concertclean.audio_io.reader import AudioReader
    from concertclean.pipeline import output_format

    def kept(source: Path) -> str:
        try:
            with AudioReader(source) as reader:
                return output_format(reader.info, settings).name
        except ConcertCleanError:
            return "wav"  # the run itself says what is wrong with the file

    recordings = batch.find_recordings(inputs, recursive=recursive)
    target = None if output is None else Path(output)
    return batch.plan(recordings, target, settings.format, residual=settings.residual, resolve=kept)


def _denoiser(settings: "DenoiseSettings", screen: Screen) -> "tuple[Denoiser, LoadedModel]":
    """The network of the settings, ready to run."""
    import os

    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")
    from concertclean.inference import Enhancer
    from concertclean.models.registry import load_model
    from concertclean.pipeline import Denoiser

    with screen.fetching() as fetched:
        weights = load_model(settings.model, offline=settings.offline, progress=fetched)
    if weights.model.stems != 1:
        raise ModelError(f"{settings.model}: separates stems; denoise needs a model with one output")
    try:
        enhancer = Enhancer(
            weights.model,
            device=settings.device,
            precision=settings.precision,
            segment_seconds=settings.segment_seconds,
            overlap_ratio=settings.overlap_ratio,
            batch_size=settings.batch_size,
            threads=settings.threads,
            notify=lambda message: console.note(f"W106 {message}"),
        )
    except ValueError as error:
        raise ConfigError(str(error)) from error
    screen.setup(weights, enhancer)
    return Denoiser(enhancer, settings), weights


def _format_of(output: str | None) -> str | None:
    """Format named by the extension of the output, if it is a file."""
    known = {".wav": "wav", ".flac": "flac", ".m4a": "m4a", ".mp3": "mp3", ".opus": "opus", ".ogg": "ogg"}
    return known.get(Path(output).suffix.lower()) if output else None


def _loudness(text: str | None) -> float | str | None:
    if text is None or text in ("off", "match"):
        return text
    try:
        return float(text)
    except ValueError:
        raise ConfigError(f"--loudness {text}: expected off, match or a level in LUFS such as -16") from None
