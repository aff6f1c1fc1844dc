"""The manifest of a batch: a line of JSON for each recording, from which an interrupted or repeated run goes on.

One process writes it, a line when a recording is begun and one when it has ended, and forces the latter to the disk. A
recording that was begun and never ended was interrupted: its result, should one be there, is made again. The last
line about a recording counts, so manifests of shards can simply be joined.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from concertclean.config.denoise import DenoiseSettings, RunningSettings
from concertclean.errors import AudioFileError, ConfigError
from concertclean.files import storage
from concertclean.files.atomic import write_text
from concertclean.files.lines import GrowingFile, whole_lines
from concertclean.files.places import Place, absolute
from concertclean.restore.batch import Job, Outcome

_CURE: Final = "choose another manifest"
_IRRELEVANT: Final = set(RunningSettings.model_fields) - {"precision"}  # to what comes out


@dataclass(frozen=True, slots=True)
class Known:
    """What a manifest says of a recording.

    Attributes:
        status: "started", "done" or "failed".
        settings: fingerprint of the settings.
        bytes, modified_ns, sha256: of the recording.
        output_bytes, output_sha256: of the result.
        seconds: of audio.
        elapsed_seconds: that it took.
    """

    status: str
    settings: str = ""
    bytes: int = -1
    modified_ns: int = -1
    sha256: str = ""
    output_bytes: int = -1
    output_sha256: str = ""
    seconds: float = 0.0
    elapsed_seconds: float = 0.0


_FIELDS: Final = tuple(Known.__dataclass_fields__)


def fingerprint(settings: DenoiseSettings) -> str:
    """Of all settings that change a result."""
    text = settings.model_dump_json(exclude=_IRRELEVANT)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Manifest:
    """A manifest being continued, or begun; a context manager.

    Args:
        path: the file; made if it is missing.
        settings: of the run.

    Raises:
        OutputError: it cannot be written, or another run is writing it.
        ConfigError: it is no manifest.
    """

    def __init__(self, path: Path, settings: DenoiseSettings) -> None:
        self._settings = fingerprint(settings)
        self._known: dict[str, Known] = {}
        self._file = GrowingFile(path, cure=_CURE)
        try:
            for name, known in _entries(path):
                self._known[name] = known
            self._file.end_last_line()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def left(self, jobs: Sequence[Job], *, verify: bool = False) -> list[Job]:
        """The jobs that are still to be done: new, failed, interrupted, with other settings, or with other files.

        Args:
            jobs: of the run.
            verify: compare files by their hash, not only by their size.
        """
        return [
            replace(job, replaces=absolute(job.source) in self._known)
            for job in jobs
            if not self._is_done(job, verify=verify)
        ]

    def begin(self, job: Job) -> None:
        """Notes that a recording is begun."""
        record = {"input": absolute(job.source), "output": absolute(job.target), "status": "started"}
        self._file.append(json.dumps(record))

    def add(self, outcome: Outcome) -> None:
        """Notes what became of a recording, and forces it to the disk."""
        if outcome.status == "skipped":
            return
        job, report = outcome.job, outcome.report
        record: dict[str, Any] = {
            "input": absolute(job.source),
            "output": absolute(job.target),
            "status": outcome.status,
            "settings": self._settings,
            "error": None if outcome.error is None else str(outcome.error),
        }
        if report is not None:
            source, target = _facts(job.source), _facts(job.target)
            record |= {
                "removed": None if job.removed is None else absolute(job.removed),
                "bytes": None if source is None else source.size,
                "modified_ns": None if source is None else source.modified_ns,
                "sha256": outcome.sha256,
                "output_bytes": None if target is None else target.size,
                "output_sha256": outcome.output_sha256,
                "model": report.model,
                "seconds": round(report.seconds, 3),
                "elapsed_seconds": round(report.elapsed_seconds, 3),
                "warnings": report.warnings,
            }
        self._file.append(json.dumps(record), force=True)

    def _is_done(self, job: Job, *, verify: bool) -> bool:
        known = self._known.get(absolute(job.source))
        if known is None or known.status != "done" or known.settings != self._settings:
            return False
        source, target = storage.facts(job.source), storage.facts(job.target)
        if source is None or target is None or (source.size, target.size) != (known.bytes, known.output_bytes):
            return False
        if job.removed is not None and not storage.exists(job.removed):
            return False
        if not verify:
            return source.modified_ns == known.modified_ns
        return (storage.sha256_of(job.source), storage.sha256_of(job.target)) == (known.sha256, known.output_sha256)


@dataclass(frozen=True)
class Summary:
    """What a manifest says as a whole.

    Attributes:
        counts: recordings by status; "started" are those that were interrupted, or are at work.
        seconds: of audio that was restored.
        elapsed_seconds: that this took, added up over recordings.
        failed: name and error of recordings that failed.
    """

    counts: dict[str, int]
    seconds: float
    elapsed_seconds: float
    failed: list[tuple[str, str]]


def summary(path: Path) -> Summary:
    """Reads a manifest.

    Raises:
        NoInputError: there is none.
        ConfigError: it is no manifest.
    """
    last = {str(record["input"]): record for record in _records(path)}
    done = [record for record in last.values() if record["status"] == "done"]
    return Summary(
        dict(Counter(str(record["status"]) for record in last.values())),
        sum(float(record.get("seconds") or 0.0) for record in done),
        sum(float(record.get("elapsed_seconds") or 0.0) for record in done),
        [(name, str(record.get("error") or "")) for name, record in last.items() if record["status"] == "failed"],
    )


def merge(paths: Sequence[Path], target: Path) -> int:
    """Joins manifests of shards; a recording that is done in one of them is done.

    Args:
        paths: manifests.
        target: replaced if it exists.

    Returns:
        Recordings in it.

    Raises:
        NoInputError: one is missing.
        ConfigError: one is no manifest.
        OutputError: the target cannot be written.
    """
    last: dict[str, dict[str, Any]] = {}
    for record in (record for path in paths for record in _records(path)):
        known = last.get(record["input"])
        if known is None or known["status"] != "done" or record["status"] == "done":
            last[record["input"]] = record
    write_text(target, "".join(json.dumps(record) + "\n" for record in last.values()), cure=_CURE)
    return len(last)


def _entries(path: Path) -> Iterator[tuple[str, Known]]:
    """Name of a recording and what is known of it, as far as the memory of a run needs it."""
    for record in _records(path):
        yield record["input"], Known(**{name: record[name] for name in _FIELDS if record.get(name) is not None})


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """Lines of a manifest; the last one may have been cut off."""
    for number, line in enumerate(whole_lines(path), 1):
        try:
            record = json.loads(line)
            has_fields = isinstance(record["input"], str) and record["status"] in {"started", "done", "failed"}
        except (ValueError, KeyError, TypeError):
            has_fields = False
        if not has_fields:
            raise ConfigError(f"{path}: line {number} is not that of a manifest; {_CURE}")
        yield record


def _facts(place: Place) -> storage.Facts | None:
    """What shows that a file has changed; None if that cannot be found out, and all is done again next time."""
    try:
        return storage.facts(place)
    except AudioFileError:
        return None


def shard_of(names: Iterable[str], count: int) -> list[int]:
    """The shard of each name, 1 to `count`; the same on every machine and in every listing."""
    return [int.from_bytes(hashlib.sha256(os.fsencode(name)).digest()[:8]) % count + 1 for name in names]
