"""The log of a run of `denoise`, one JSON line per recording, matched to each result."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from concertclean.config.reading import validated
from concertclean.config.text import read_records as json_records


class _Settings(BaseModel):
    """The settings in a record that the page uses."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    start_seconds: Annotated[float, Field(ge=0)] | None = None
    duration_seconds: Annotated[float, Field(ge=0)] | None = None


class _Record(BaseModel):
    """What the page uses of a record; the rest is shown as it is."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    output: str
    settings: _Settings = _Settings()
    reduction_db: float = 0.0
    reduction_p95_db: float = 0.0
    real_time_factor: float | None = None
    warnings: tuple[str, ...] = ()


def read_records(log: Path) -> dict[str, dict[str, Any]]:
    """Records of a log by the absolute path of their output; of several of one output, the last.

    Raises:
        ConfigError: the log cannot be read, or a line is not a record.
    """
    cure = "give the JSON log of a run of denoise"
    found = {}
    for number, record in json_records(log, cure):
        validated(_Record, record, f"{log}: line {number}", cure=cure)
        found[os.path.abspath(record["output"])] = record
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
