"""`concertclean report` and `concertclean spectrogram`: results as a page and as a picture."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from concertclean.cli import console
from concertclean.cli.times import METAVAR, time_parser
from concertclean.errors import ConfigError, OutputError
from concertclean.files.places import local

if TYPE_CHECKING:
    from concertclean.config.denoise import DenoiseSettings
    from concertclean.errors import ConcertCleanError
    from concertclean.report.comparison import Comparison
    from concertclean.report.pairs import Pair
    from concertclean.restore.batch import Job

_LARGE_PAGE_BYTES = 250_000_000
_LONGEST_NAME = 255  # bytes; what common file systems take
_PICTURES = (".png", ".pdf", ".svg")

_Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what exists.")]
_Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Errors only.")]


def report(
    inputs: Annotated[
        list[Path],
        typer.Argument(help="BEFORE AFTER, or results NAME_clean.EXT, or folders with such.", show_default=False),
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The page; without it, beside the result.", show_default=False)
    ] = None,
    originals: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the recordings lie, if not beside their results.")
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only the 30 s with most change.")] = False,
    preview_seconds: Annotated[
        float | None,
        typer.Option(parser=time_parser(0.5, 600), metavar=METAVAR, help="Only so much, where most changed."),
    ] = None,
    lossless: Annotated[
        bool,
        typer.Option("--lossless", "--lossless-report", help="Exact sound (FLAC, not Opus); ten times as large."),
    ] = False,
    start: Annotated[
        float | None,
        typer.Option(
            parser=time_parser(), metavar=METAVAR, help="Where in the recordings their results begin; 5 or 0:05."
        ),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="File of `denoise --jsonl-log`, for the settings on the page.")
    ] = None,
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Makes a page to listen to and look at before, after and what was removed: one file, no server.

    Recordings of more than ten minutes together are shown by half a minute each, where most was removed.
    """
    from concertclean.report.comparison import PREVIEW_SECONDS, Comparison
    from concertclean.report.pairs import Pair, find_pairs
    from concertclean.report.records import audio_stream_of, read_records, record_of, start_of

    records = {} if log is None else read_records(log)
    pairs, orphans = find_pairs(inputs, originals)
    comparisons = []
    for pair in pairs:
        record = record_of(pair.after, records)
        begin = start_of(record) if start is None else start
        comparisons.append(Comparison(Pair(pair.before, pair.after, begin, audio_stream_of(record)), record))
    if not pairs:
        raise orphans[0][1]
    target = output or default_page([pair.after for pair in pairs])
    wanted = preview_seconds or (PREVIEW_SECONDS if preview else None)
    with console.ending_on_signals():
        failures = write_page(
            target, comparisons, preview_seconds=wanted, lossless=lossless, overwrite=overwrite, quiet=quiet
        )
    errors = [error for _, error in failures] + [error for _, error in orphans]
    for _, error in orphans:
        console.complain(error)
    if errors:
        alone = len(pairs) + len(orphans) == 1
        raise typer.Exit(console.exit_code(errors[0]) if alone else console.SOME_FAILED)


def spectrogram(
    recording: Annotated[Path, typer.Argument(help="A recording.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Argument(help="PNG, PDF or SVG; without it, NAME_spectrogram.png beside.", show_default=False),
    ] = None,
    *,
    compare: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Another recording, below in the same colours.")
    ] = None,
    start: Annotated[float, typer.Option(parser=time_parser(), metavar=METAVAR, help="Begin here; 75 or 1:15.")] = 0.0,
    duration: Annotated[
        float | None, typer.Option(parser=time_parser(0.001), metavar=METAVAR, help="Show only so much.")
    ] = None,
    linear: Annotated[bool, typer.Option("--linear", help="Linear frequency axis, not logarithmic.")] = False,
    size: Annotated[str, typer.Option(metavar="WxH", help="Pixels of one panel.")] = "1400x500",
    overwrite: _Overwrite = False,
    quiet: _Quiet = False,
) -> None:
    """Draws the spectrogram of a recording."""
    target = output or recording.with_name(_fitting(recording.stem, "_spectrogram.png"))
    if target.suffix.lower() not in _PICTURES:
        raise ConfigError(f"{target}: a picture is one of {', '.join(_PICTURES)}; name it so")
    pixels = _size(size)
    from concertclean.report.picture import Span, draw_spectrograms

    recordings = [recording, *(compare or [])]
    span = Span(start, duration)
    with console.ending_on_signals(), _waiting(recording.name, quiet=quiet):
        draw_spectrograms(target, recordings, span, is_log=not linear, size=pixels, overwrite=overwrite)
    if not quiet:
        console.note(f"{recording} -> {target}")


def default_page(results: Sequence[Path]) -> Path:
    """Where a page goes when nobody said: beside the one result, or in the folder that all have in common."""
    if len(results) == 1:
        return results[0].with_name(_fitting(results[0].stem, "_report.html"))
    return Path(os.path.commonpath([os.path.abspath(result.parent) for result in results])) / "report.html"


def page_of_run(jobs: "Sequence[Job]", *, is_wanted: bool, overwrite: bool, skip_existing: bool) -> Path | None:
    """Where `denoise --report` writes its page; None if no page was requested, or it exists and may stay.

    Raises:
        ConfigError: a recording or result is a stream, or has a URL.
        OutputError: the page exists; said before hours of work.
    """
    if not is_wanted or not jobs:
        return None
    if any(job.source_stream or job.target_stream for job in jobs):
        raise ConfigError("--report needs an input and an output that are files")
    for job in jobs:
        local(job.source)
    page = default_page([local(job.target) for job in jobs])
    if os.path.exists(page) and skip_existing:
        console.note(f"{page} exists: skipped")
        return None
    if os.path.exists(page) and not overwrite:
        raise OutputError(f"{page}: already exists; add --overwrite, or move it away")
    return page


def report_run(
    page: Path,
    jobs: "Sequence[Job]",
    settings: "DenoiseSettings",
    records: Sequence[Mapping[str, Any]],
    *,
    preview: bool,
    lossless: bool,
    overwrite: bool,
    quiet: bool,
) -> "list[ConcertCleanError]":
    """Writes the page of a run of `denoise`, about the results that exist.

    Args:
        page: from `page_of_run`.
        jobs: of the run.
        settings: of the run.
        records: of the run, as in its log.
        preview: half a minute of each.
        lossless: with exact sound.
        overwrite: replace a page that exists.
        quiet: errors only.

    Returns:
        What went wrong.
    """
    from concertclean.report.comparison import PREVIEW_SECONDS, Comparison
    from concertclean.report.pairs import Pair

    by_output = {record["output"]: record for record in records if record["status"] == "done"}
    is_part = settings.start_seconds or settings.duration_seconds
    start = settings.start_seconds if is_part else None
    comparisons = [
        Comparison(Pair(local(job.source), target, start, settings.audio_stream), by_output.get(str(target)))
        for job, target in ((job, local(job.target)) for job in jobs)
        if os.path.exists(target)
    ]
    if not comparisons:
        return []
    wanted = PREVIEW_SECONDS if preview else None
    failures = write_page(
        page, comparisons, preview_seconds=wanted, lossless=lossless, overwrite=overwrite, quiet=quiet
    )
    return [error for _, error in failures]


def write_page(
    target: Path,
    comparisons: "Sequence[Comparison]",
    *,
    preview_seconds: float | None,
    lossless: bool,
    overwrite: bool,
    quiet: bool,
) -> "list[tuple[Pair, ConcertCleanError]]":
    """Writes a page with a bar, and says what went wrong and where the page is."""
    from concertclean.report.comparison import write_comparison

    with _bar(len(comparisons), quiet=quiet) as progress:
        failures = write_comparison(
            target,
            comparisons,
            preview_seconds=preview_seconds,
            lossless=lossless,
            overwrite=overwrite,
            progress=progress,
        )
    for _, error in failures:
        console.complain(error)
    if len(failures) < len(comparisons) and not quiet:
        n_bytes = target.stat().st_size
        console.note(f"-> {target} ({n_bytes / 1e6:.0f} MB)")
        if n_bytes > _LARGE_PAGE_BYTES:
            console.note("  a browser may take long to open so large a page; --preview makes a smaller one")
    return failures


def _size(text: str) -> tuple[int, int]:
    """Width and height from "1400x500"."""
    width, _, height = text.lower().partition("x")
    if width.isdecimal() and height.isdecimal() and 200 <= int(width) <= 10_000 and 100 <= int(height) <= 10_000:
        return int(width), int(height)
    raise ConfigError(f"--size {text}: expected WxH in pixels, 200x100 to 10000x10000, for example 1400x500")


def _fitting(stem: str, mark: str) -> str:
    """A file name, its stem shortened where the file system would refuse it."""
    room = _LONGEST_NAME - len(mark)
    if len(os.fsencode(stem)) > room:
        stem = os.fsencode(stem)[:room].decode(errors="ignore")
    return stem + mark


@contextmanager
def _waiting(name: str, *, quiet: bool) -> Iterator[None]:
    """A sign that work goes on."""
    if quiet or not console.err.is_terminal:
        yield
        return
    from rich.markup import escape

    with console.err.status(escape(name)):
        yield


@contextmanager
def _bar(n_pairs: int, *, quiet: bool) -> "Iterator[Callable[[Pair, float, float | None], None]]":
    """A bar for the recording that is being measured."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    from concertclean.cli.columns import DescriptionColumn

    columns = (DescriptionColumn(), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    shown = not quiet and console.err.is_terminal
    with Progress(*columns, console=console.err, transient=True, disable=not shown) as bars:
        task = bars.add_task("page", total=None)
        seen: list[Path] = []

        def progress(pair: "Pair", seconds: float, total: float | None) -> None:
            console.end_if_asked()
            if pair.after not in seen:
                seen.append(pair.after)
                bars.reset(task)
            count = f"page {len(seen)}/{n_pairs} " if n_pairs > 1 else "page "
            bars.update(task, description=count + pair.before.name, completed=seconds, total=total)

        yield progress
