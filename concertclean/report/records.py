"""The log of a run of `denoise`, one JSON line per recording, matched to each result."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from concertclean.errors import ConfigError


def read_records(log: Path) -> dict[str, dict[str, Any]]:
    """Records of a log by the absolute path of their output; of several of one output, the last.

    Raises:
        ConfigError: the log cannot be read, or a line is not a record.
    """
    try:
        lines = log.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{log}: cannot be read ({error}); give the JSON log of a run of denoise") from error
    found = {}
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            found[os.path.abspath(record["output"])] = record
        except (ValueError, TypeError, KeyError) as error:
            cure = "give the JSON log of a run of denoise"
            raise ConfigError(f"{log}: line {number} is not a record of a recording; {cure}") from error
    return found


def record_of(result: Path, records: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The record of a result; by name alone if that is unambiguous, for results that were moved."""
    exact = records.get(os.path.abspath(result))
    if exact is not None:
        return exact
    named = [record for output, record in records.items() if Path(output).name == result.name]
    return named[0] if len(named) == 1 else None


def start_of(record: Mapping[str, Any] | None) -> float | None:
    """Start of a result within its recording, seconds; None if it is the whole recording."""
    settings = {} if record is None else record.get("settings", {})
    start, duration = settings.get("start_seconds") or 0.0, settings.get("duration_seconds")
    return float(start) if start or duration else None


def audio_stream_of(record: Mapping[str, Any] | None) -> int | None:
    """Which sound of a film was restored, from 1; None for the default one."""
    return None if record is None else record.get("settings", {}).get("audio_stream")
