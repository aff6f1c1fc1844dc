"""The model "auto": looks at a recording first, then restores it with what it needs, or leaves it alone."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any

from concertclean.audio_io.source import spooled
from concertclean.files.places import Place
from concertclean.restore.pipeline import Denoiser, Progress, Stream, spare_the_recording
from concertclean.restore.results import Report

if TYPE_CHECKING:
    from concertclean.restore.analyse import Diagnosis  # loads what a model by name does without


Make = Callable[[str], Denoiser]
Look = Callable[[Stream], "Diagnosis"]


class AutoDenoiser:
    """Restores each recording with the stages that its diagnosis proposes.

    Args:
        make: returns a denoiser for a model or chain as settings name it; "": one that changes nothing. Called once
            for each model.
        look: returns the diagnosis of a recording.
    """

    def __init__(self, make: Make, look: Look) -> None:
        self._make, self._look = make, look
        self._made: dict[str, Denoiser] = {}
        self._making = Lock()  # several recordings may be restored at once

    def run(
        self,
        source: Stream,
        target: Stream,
        *,
        removed_target: Place | None = None,
        overwrite: bool = False,
        progress: Progress = lambda seconds: None,
        first_pass: Progress = lambda seconds: None,
    ) -> Report:
        """Restores one recording; arguments, result and errors as of `Denoiser.run`."""
        spare_the_recording(source, (target, removed_target))
        options = {
            "removed_target": removed_target, "overwrite": overwrite, "progress": progress, "first_pass": first_pass,
        }  # fmt: skip
        if isinstance(source, Place):
            return self._run(source, target, options)
        with spooled(source, "standard input") as spool:  # a stream cannot be read twice
            return self._run(spool, target, options)

    def _run(self, source: Stream, target: Stream, options: dict[str, Any]) -> Report:
        """What `run` does, of a source that can be read twice."""
        diagnosis = self._look(_from_start(source))
        model = diagnosis.model
        with self._making:
            if model not in self._made:
                self._made[model] = self._make(model)
        report = self._made[model].run(_from_start(source), target, **options)
        name = str(source) if isinstance(source, Place) else "-"
        report.diagnosis = diagnosis.record(name)
        report.warnings = remarks(diagnosis) + report.warnings
        return report


def remarks(diagnosis: "Diagnosis") -> list[str]:
    """Warnings where a recording is left alone, or where the diagnosis is doubtful."""
    found = []
    if not diagnosis.model:
        found.append(f"W117 left as it is: {diagnosis.reason}; the model concert or the preset 78rpm work all the same")
    if diagnosis.is_doubtful:
        likely = sorted(diagnosis.probabilities, key=lambda scene: -diagnosis.probabilities[scene])[:2]
        shares = " or ".join(f"{scene} ({100 * diagnosis.probabilities[scene]:.0f} %)" for scene in likely)
        found.append(f"W118 not sure what this is: {shares}; name the model if the result is wrong")
    return found


def _from_start(source: Stream) -> Stream:
    if not isinstance(source, Place):
        source.seek(0)
    return source
