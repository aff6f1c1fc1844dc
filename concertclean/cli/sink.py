"""What programs receive from `concertclean denoise`: JSON on standard output, JSON lines in a log."""

import json
import math
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

from concertclean.cli import console
from concertclean.errors import OutputError
from concertclean.runtime.memory import peak_memory_mib

if TYPE_CHECKING:
    from concertclean.config.denoise import DenoiseSettings
    from concertclean.restore.batch import Outcome


class Sink:
    """Results for programs: JSON on standard output, JSON lines in a log; a context manager.

    Args:
        settings: of the run.
        as_json: print a JSON array at the end, even after an interruption.
        log: file that gets a line a recording; "-": standard output.

    Raises:
        OutputError: the log cannot be written; said before the work, not after.

    Attributes:
        records: one a recording, as they are printed and logged.
        failure: why the log is not complete, if it is not; the recordings go on.
    """

    def __init__(self, settings: "DenoiseSettings", *, as_json: bool, log: str | None) -> None:
        self._settings, self._as_json, self._name = settings, as_json, log
        self.records: list[dict[str, Any]] = []
        self.failure: OutputError | None = None
        self._log: TextIO | None = None
        if log is not None and log != console.STREAM:
            try:
                self._log = open(log, "a", encoding="utf-8")  # noqa: SIM115 - closed at the end of the run
            except OSError as error:
                raise self._refused(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._log is not None:
            with suppress(OSError):  # reported when the line was written
                self._log.close()
        if self._as_json and (self.records or kind is None):
            console.say(json.dumps(self.records, indent=2))

    def add(self, outcome: "Outcome") -> None:
        """Takes an outcome; writes its log line at once, so that an interrupted batch leaves its log."""
        record = self._record(outcome)
        self.records.append(record)
        if self._name == console.STREAM:
            console.say(json.dumps(record))
        elif self._log is not None and self.failure is None:
            try:
                self._log.write(json.dumps(record) + "\n")
                self._log.flush()
            except OSError as error:
                self.failure = self._refused(error)
                console.complain(self.failure)

    def _refused(self, error: OSError) -> OutputError:
        return OutputError(f"{self._name}: the log cannot be written ({error.strerror}); choose another --jsonl-log")

    def _record(self, outcome: "Outcome") -> dict[str, Any]:
        record: dict[str, Any] = {
            "input": str(outcome.job.source),
            "output": str(outcome.job.target),
            "status": outcome.status,
            "error": None if outcome.error is None else str(outcome.error),
            "exit_code": 0 if outcome.error is None else console.exit_code(outcome.error),
            "model": self._settings.model,
            "stages": (),
            "settings": self._settings.model_dump(mode="json", exclude_defaults=True),
        }
        report = outcome.report
        if report is not None:
            info, output = report.info, report.output
            record |= {"model": report.model or None, "stages": report.stages}
            if report.diagnosis is not None:
                record["found"] = report.diagnosis
            if report.networks:
                first = report.networks[0]
                record |= {
                    "sha256": ",".join(one.sha256 for one in report.networks),
                    "engine": first.engine,
                    "device": first.device,
                    "precision": first.precision,
                    "segment_seconds": first.segment_seconds,
                    "threads": first.threads,
                    "network_seconds": sum(one.seconds for one in report.networks),
                }
            record |= {
                "codec": info.codec,
                "audio_stream": info.audio_stream,
                "sample_rate": info.sample_rate,
                "channels": info.channels,
                "bit_depth": info.bit_depth,
                "output_format": output.format if output.film is None else output.film.format,
                "output_sample_rate": output.sample_rate,
                "output_bit_depth": output.bit_depth,
                "duration_seconds": report.seconds,
                "elapsed_seconds": report.elapsed_seconds,
                "real_time_factor": report.real_time_factor,
                "peak_memory_mib": peak_memory_mib(),
                "lufs_before": _finite(report.lufs_before),
                "lufs_after": _finite(report.lufs_after),
                "peak_before_db": _finite(report.peak_before_db),
                "peak_after_db": _finite(report.peak_after_db),
                "reduction_db": report.reduction_db,
                "reduction_p95_db": report.reduction_p95_db,
                "loud_reduction_db": report.loud_reduction_db,
                "warnings": report.warnings,
            }
        return record


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return value if math.isfinite(value) else None
