"""Many recordings: where the result of each goes."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import BinaryIO

from concertclean.audio_io.formats import AUDIO_EXTENSIONS, FORMATS, is_film_name
from concertclean.errors import ConcertCleanError, ConfigError
from concertclean.files.places import Place, Url, absolute, below
from concertclean.restore.results import Report

_LONGEST_NAME = 255  # bytes; what common file systems take


@dataclass(frozen=True, slots=True)  # there may be a million
class Job:
    """One recording and where its result goes.

    Attributes:
        source: the recording; only its name if there is a `source_stream`.
        target: the result; only its name if there is a `target_stream`.
        removed: what was removed, or None.
        source_stream: read instead of a file.
        target_stream: written instead of a file.
        replaces: the target may be there already, from an earlier attempt at this job.
    """

    source: Place
    target: Place
    removed: Place | None = None
    source_stream: BinaryIO | None = None
    target_stream: BinaryIO | None = None
    replaces: bool = False


@dataclass(frozen=True)
class Outcome:
    """What became of a job: "done" with a report, "skipped", or "failed" with an error.

    Attributes:
        sha256, output_sha256: of the recording and the result, where they were asked for.
    """

    job: Job
    status: str
    report: Report | None = None
    error: ConcertCleanError | None = None
    sha256: str | None = None
    output_sha256: str | None = None


def plan(
    recordings: Sequence[tuple[Place, Place]],
    output: Place | None,
    format: str,
    *,
    removed: bool,
    resolve: Callable[[Place], str],
) -> list[Job]:
    """Where each result goes; two recordings never share one.

    What another of the recordings will be written to is a result of an earlier run, not a recording; it is left
    out, so that a folder can be done again.

    Args:
        recordings: from `restore.recordings.find_recordings`.
        output: file (for one recording), folder (a tree is mirrored into it), or None: beside the recording, or here
            if it comes from a web server.
        format: of the output; "keep" and "auto" ask `resolve`.
        removed: also write what was removed.
        resolve: name of the kept format of a recording.

    Returns:
        The jobs, in order.

    Raises:
        ConfigError: the output is one file but there are several recordings, or its name says another format.
    """

    def kept(source: Place) -> str:
        return resolve(source) if format in ("keep", "auto") else format

    if output is not None and is_file_name(output):
        if len(recordings) > 1:
            raise ConfigError(f"{output}: one file cannot hold {len(recordings)} recordings; give a folder")
        source = recordings[0][0]
        _require_extension(output, kept(source))
        return [_job(source, output, removed=removed)]
    targets = _targets([(source, root, kept(source)) for source, root in recordings], output, removed=removed)
    jobs = [_job(source, target, removed=removed) for (source, _), target in zip(recordings, targets, strict=True)]
    results = {absolute(target) for target in targets}
    results.update(absolute(job.removed) for job in jobs if job.removed is not None)
    return [job for job in jobs if absolute(job.source) not in results]


def is_file_name(output: Place) -> bool:
    """Whether an output names a file; anything without the extension of audio is a folder."""
    return output.suffix.lower() in AUDIO_EXTENSIONS and not (isinstance(output, Path) and os.path.isdir(output))


def _require_extension(output: Place, format: str) -> None:
    """A name that promises another format would mislead whatever opens the file."""
    extensions = FORMATS[format].extensions
    if output.suffix.lower() not in extensions:
        cure = f"name it {extensions[0]}, or choose another format"
        raise ConfigError(f"{output}: the output is {format}; {cure}")


def _job(source: Place, target: Place, *, removed: bool) -> Job:
    if not removed:
        return Job(source, target)
    extension = ".wav" if is_film_name(target) else target.suffix
    return Job(source, target, _marked(target.parent, target.stem, "_removed", extension))


def _targets(recordings: Sequence[tuple[Place, Place, str]], output: Place | None, *, removed: bool) -> list[Place]:
    """`NAME_clean.EXT`; `NAME_mp3_clean.EXT` and `NAME_m4a_clean.EXT` where a.mp3 and a.m4a would meet.

    Both get the longer name, so that it does not depend on which came first. What was removed may meet, too.
    """
    key = partial(_key, removed=removed)
    mirrored = cache(lambda parent, root: _beside(parent) if output is None else output / below(parent, root))
    places = [
        (mirrored(source.parent, root), source, FORMATS[format].extension(source.suffix.lower()))
        for source, root, format in recordings
    ]
    short = [_marked(folder, source.stem, "_clean", extension) for folder, source, extension in places]
    keys = [key(target) for target in short]
    counts = Counter(keys)
    taken: set[str] = set()
    targets: list[Place] = []
    for place, target, own in zip(places, short, keys, strict=True):
        is_free = counts[own] == 1 and own not in taken
        targets.append(target if is_free else _free_name(*place, taken, key))
        taken.add(own if is_free else key(targets[-1]))
    return targets


def _beside(folder: Place) -> Place:
    """Where results go if nothing is said; those of web addresses, to the folder where the program runs."""
    return Path() if isinstance(folder, Url) and folder.is_web else folder


def _free_name(folder: Place, source: Place, extension: str, taken: set[str], key: Callable[[Place], str]) -> Place:
    mark = f"_{source.suffix.lstrip('.').lower()}_clean"
    target = _marked(folder, source.stem, mark, extension)
    number = 2
    while key(target) in taken:
        target = _marked(folder, source.stem, f"{mark}_{number}", extension)
        number += 1
    return target


def _key(path: Place, *, removed: bool) -> str:
    """What two names must differ in; many file systems do not distinguish A from a."""
    beside = _job(path, path, removed=True).removed if removed else None
    return absolute(beside or path).casefold()


def _marked(folder: Place, stem: str, mark: str, extension: str) -> Place:
    """A file name that says what it is, its stem shortened where the file system would refuse it."""
    room = _LONGEST_NAME - len((mark + extension).encode())
    if len(os.fsencode(stem)) > room:
        stem = os.fsencode(stem)[:room].decode(errors="ignore")
    return folder / (stem + mark + extension)
