"""Many recordings: which files, where their results go, and going on after a bad one."""

import glob
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from concertclean.audio_io.formats import AUDIO_EXTENSIONS, FORMATS
from concertclean.errors import ConcertCleanError, DeviceMemoryError, NoInputError, OutputError
from concertclean.pipeline import Denoiser, Report

_LONGEST_NAME = 255  # bytes; what common file systems take


@dataclass(frozen=True)
class Job:
    """One recording and where its result goes."""

    source: Path
    target: Path
    residual: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a job: "done" with a report, "skipped", or "failed" with an error."""

    job: Job
    status: str
    report: Report | None = None
    error: ConcertCleanError | None = None


def find_recordings(inputs: Sequence[str], *, recursive: bool) -> list[tuple[Path, Path]]:
    """Recordings named by files, folders and glob patterns.

    Args:
        inputs: paths as typed.
        recursive: look into folders of folders.

    Returns:
        `(file, folder it is relative to)`, in the order given, folders sorted, nothing twice.

    Raises:
        NoInputError: a path does not exist, or nothing was found.
    """
    found: dict[Path, Path] = {}
    for name in inputs:
        path = Path(name)
        if path.is_dir():
            pattern = "**/*" if recursive else "*"
            for file in sorted(path.glob(pattern)):
                if file.suffix.lower() in AUDIO_EXTENSIONS and file.is_file():
                    found.setdefault(file, path)
        elif path.exists():
            found.setdefault(path, path.parent)
        else:
            matches = sorted(glob.glob(name, recursive=recursive))
            if not matches:
                raise NoInputError(f"{name}: no such file or folder; check the spelling")
            for match in map(Path, matches):
                if match.is_file():
                    found.setdefault(match, match.parent)
    if not found:
        cure = "" if recursive else "; use --recursive to look into the folders inside"
        raise NoInputError(f"{', '.join(inputs)}: no audio files here{cure}")
    return list(found.items())


def plan(
    recordings: Sequence[tuple[Path, Path]],
    output: Path | None,
    format: str,
    *,
    residual: bool,
    resolve: Callable[[Path], str],
) -> list[Job]:
    """Where each result goes; two recordings never share one.

    Args:
        recordings: from `find_recordings`.
        output: file (for one recording), folder (a tree is mirrored into it), or None: beside the recording.
        format: of the output; "keep" asks `resolve`.
        residual: also write what was removed.
        resolve: name of the kept format of a recording.

    Returns:
        The jobs, in order.

    Raises:
        OutputError: the output is one file but there are several recordings.
    """
    is_file = output is not None and output.suffix.lower() in AUDIO_EXTENSIONS and not output.is_dir()
    if is_file and len(recordings) > 1:
        raise OutputError(f"{output}: one file cannot hold {len(recordings)} recordings; give a folder")
    jobs: list[Job] = []
    taken: set[Path] = set()
    for source, root in recordings:
        if is_file and output is not None:
            target = output
        else:
            kept = resolve(source) if format == "keep" else format
            extension = FORMATS[kept].extensions[0]
            folder = source.parent if output is None else output / source.parent.relative_to(root)
            target = _free_name(folder, source, extension, taken)
        taken.add(target)
        removed = _marked(target.parent, target.stem, "_removed", target.suffix) if residual else None
        jobs.append(Job(source, target, removed))
    return jobs


def _free_name(folder: Path, source: Path, extension: str, taken: set[Path]) -> Path:
    """`NAME_clean.EXT`; `NAME_m4a_clean.EXT` where a.mp3 and a.m4a would meet."""
    target = _marked(folder, source.stem, "_clean", extension)
    if target not in taken:
        return target
    mark = f"_{source.suffix.lstrip('.').lower()}_clean"
    target = _marked(folder, source.stem, mark, extension)
    number = 2
    while target in taken:
        target = _marked(folder, source.stem, f"{mark}_{number}", extension)
        number += 1
    return target


def _marked(folder: Path, stem: str, mark: str, extension: str) -> Path:
    """A file name that says what it is, its stem shortened where the file system would refuse it."""
    room = _LONGEST_NAME - len((mark + extension).encode())
    return folder / (stem.encode()[:room].decode(errors="ignore") + mark + extension)


def run(
    jobs: Sequence[Job],
    denoiser: Denoiser,
    *,
    overwrite: bool,
    skip_existing: bool,
    progress: Callable[[Job, float], None] = lambda job, seconds: None,
) -> Iterator[Outcome]:
    """Restores the recordings one after the other; a bad one does not stop the rest.

    Args:
        jobs: from `plan`.
        denoiser: does one recording.
        overwrite: replace existing outputs; never the recording itself.
        skip_existing: leave recordings alone whose output exists.
        progress: told which job is how many seconds along.

    Yields:
        One outcome a job, in order.

    Raises:
        DeviceMemoryError: no recording can succeed.
    """
    for job in jobs:
        if skip_existing and job.target.exists():
            yield Outcome(job, "skipped")
            continue
        try:
            _guard(job)
            job.target.parent.mkdir(parents=True, exist_ok=True)
            report = denoiser.run(
                job.source,
                job.target,
                residual_target=job.residual,
                overwrite=overwrite,
                progress=lambda seconds, job=job: progress(job, seconds),  # type: ignore[misc]
            )
        except DeviceMemoryError:
            raise
        except ConcertCleanError as error:
            yield Outcome(job, "failed", error=error)
        except OSError as error:
            wrapped = OutputError(f"{job.target}: cannot be written ({error.strerror or error})")
            yield Outcome(job, "failed", error=wrapped)
        else:
            yield Outcome(job, "done", report)


def _guard(job: Job) -> None:
    """A recording is never written over, whatever its output is called."""
    for target in filter(None, (job.target, job.residual)):
        if target.exists() and job.source.exists() and target.samefile(job.source):
            raise OutputError(f"{target}: the output is the recording itself; choose another name with -o")
