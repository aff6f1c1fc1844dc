"""Numbers and settings as text for a page."""

import math
import re
from collections.abc import Mapping
from typing import Any

from concertclean import __version__
from concertclean.report.change import Change
from concertclean.report.pairs import Pair, PairFacts

_UNIT = re.compile(r"(?<=\d) (?=(dB|dBFS|LUFS|Hz|kHz|s|channels?|%)(?!\w))")
_UNTOLD = {None, False, "auto", "off", "keep"}
_SETTINGS = {
    "model": "Model",
    "strength": "Strength",
    "max_reduction_db": "Largest reduction, dB",
    "start_seconds": "Starts at, s",
    "duration_seconds": "Length, s",
    "audio_stream": "Audio stream",
    "loudness": "Loudness",
    "clip": "Above full scale",
    "segment_seconds": "Segment, s",
    "overlap_ratio": "Overlap",
    "precision": "Precision",
    "device": "Device",
}


def together(text: str) -> str:
    """A text whose numbers stay with their units where lines break: "12 dB", "44100 Hz"."""
    return _UNIT.sub("\u00a0", text)


def numbers_table(change: Change, record: Mapping[str, Any] | None) -> list[list[str]]:
    """Rows of the table of numbers: what, before, after, removed.

    Args:
        change: as measured.
        record: of the log of `denoise`; if given, its reductions are shown, so page and program agree.
    """
    known = record or {}
    reduction, p95 = (
        known.get("reduction_db", change.reduction_db),
        known.get("reduction_p95_db", change.reduction_p95_db),
    )
    removed = change.lufs_removed - change.lufs_before
    ratio = f" ({_level(removed)} dB relative to before)" if math.isfinite(removed) else ""
    return [
        ["Loudness, LUFS", *map(_level, (change.lufs_before, change.lufs_after)), _level(change.lufs_removed) + ratio],
        ["Peak, dBFS", *map(_level, (change.peak_before_db, change.peak_after_db)), ""],
        ["Reduction, mean of seconds", "", f"{reduction:.1f} dB", ""],
        ["Reduction, 95th percentile", "", f"{p95:.1f} dB", ""],
    ]


def settings_table(record: Mapping[str, Any] | None, known: PairFacts, pair: Pair) -> list[list[str]]:
    """Rows of the table of settings: name, value.

    Args:
        record: of the log of `denoise`, or None.
        known: from the headers of the files.
        pair: the files.
    """
    rows = [["Recording", pair.before.name], ["Result", pair.after.name]]
    stored = f"{known.sample_rate} Hz, {known.channels} channel{'s' if known.channels > 1 else ''}"
    rows.append(["Format", together(stored)])
    if record is None:
        return [*rows, ["concertclean (this page)", __version__]]
    told = {**record.get("settings", {}), **{key: value for key, value in record.items() if key in _SETTINGS}}
    rows += [[label, f"{told[key]}"] for key, label in _SETTINGS.items() if _is_told(told.get(key))]
    if record.get("sha256"):
        rows.append(["Weights, SHA-256", str(record["sha256"])])
    if record.get("real_time_factor"):
        rows.append(["Speed", f"{1 / record['real_time_factor']:.1f} times real time"])
    rows += [["Remark", together(str(warning))] for warning in record.get("warnings", [])]
    return [*rows, ["concertclean", str(record.get("version", __version__))]]


def _is_told(value: object) -> bool:
    return value not in _UNTOLD if isinstance(value, str | bool | None) else True


def _level(value: float) -> str:
    return f"{value:.1f}".replace("-", "−") if math.isfinite(value) else "silent"
