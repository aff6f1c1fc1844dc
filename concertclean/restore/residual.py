"""What is removed from a recording, kept beside it, so that a result of any strength needs no second run.

The strength and the largest reduction are one factor on what the stages find. So that is found once, at full strength
and with nothing held back, and every result is the recording less a share of it: the same arithmetic, and the same
samples, as a run with these settings.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from concertclean.audio_io.reader import AudioReader
from concertclean.config.denoise import DenoiseSettings
from concertclean.dsp.arrays import Blocks
from concertclean.restore.build import Restorer
from concertclean.restore.chain import Chain
from concertclean.restore.pipeline import Denoiser, Progress
from concertclean.restore.results import Report

_PROBES = 6
_PROBE_SECONDS = 3.0
_UNLIMITED_DB = 400.0  # leaves 1e-20, less than the smallest step of a double below 1


def finding(settings: DenoiseSettings) -> DenoiseSettings:
    """Settings that find everything: full strength, no floor, nothing left alone, samples as they are calculated.

    Args:
        settings: of the results that are wanted later; its model, its part of the recording and how it runs are kept.
    """
    everything: dict[str, Any] = {
        "strength": 1.0, "max_reduction_db": _UNLIMITED_DB, "format": "wav", "bit_depth": "64f", "loudness": "off",
        "leave": (),
    }  # fmt: skip
    return settings.model_copy(update=everything)


def find_residual(
    source: Path,
    target: Path,
    denoiser: Denoiser,
    *,
    progress: Progress = lambda seconds: None,
    first_pass: Progress = lambda seconds: None,
) -> Report:
    """Writes what is removed from a recording; an old file of that name is replaced.

    Args:
        source: the recording.
        target: WAV of 64-bit floating point.
        denoiser: with settings from `finding`.
        progress: as for `Denoiser.run`.
        first_pass: the same.

    Returns:
        What was done; levels are those of full strength.

    Raises:
        As `Denoiser.run`.
    """
    return denoiser.run(source, None, removed_target=target, overwrite=True, progress=progress, first_pass=first_pass)


def restore_with(
    source: Path,
    residual: Path,
    target: Path,
    settings: DenoiseSettings,
    *,
    overwrite: bool = False,
    progress: Progress = lambda seconds: None,
) -> Report:
    """Writes the result of a recording from what was found in it.

    Args:
        source: the recording.
        residual: from `find_residual`, with the same model and the same part of the recording.
        target: the result.
        settings: of the run that the result is to equal. If a stage is a network, they need a `max_reduction_db`:
            without one its gains have a floor, which was not there when the residual was found.
        overwrite: replace a file that exists.
        progress: as for `Denoiser.run`.

    Returns:
        What was done.

    Raises:
        AudioFileError, ConfigError, OutputError: as `Denoiser.run`.
    """
    restorer = Restorer(("stored",), settings, chain=Chain((_Stored(residual),)))
    return Denoiser(restorer, settings).run(source, target, overwrite=overwrite, progress=progress)


def most_changed_start(source: Path, restorer: Restorer, seconds: float) -> float:
    """Where a recording is likely to change most, from six short probes.

    Args:
        source: the recording.
        restorer: ready to run.
        seconds: length of the part that is wanted.

    Returns:
        Its start, s, in tenths; 0 for a recording that is no longer, or states no length.

    Raises:
        AudioFileError: the recording cannot be decoded.
    """
    with AudioReader(source) as reader:
        rate, total = reader.info.sample_rate, reader.info.duration_seconds
        if total is None or total <= seconds:
            return 0.0
        centres = (np.arange(_PROBES) + 0.5) * total / _PROBES
        energies, position = [], 0
        for centre in centres:
            first = max(position, round((centre - _PROBE_SECONDS / 2) * rate))
            position += reader.skip(first - position)
            waveform = reader.read(round(_PROBE_SECONDS * rate))
            position += waveform.shape[1]
            energies.append(float(np.square(restorer(waveform, rate)[1]).sum()))
    start = centres[int(np.argmax(energies))] - seconds / 2
    return round(float(min(max(0.0, start), total - seconds)), 1)


@dataclass(frozen=True)
class _Stored:
    """A stage that removes what a file holds."""

    path: Path

    def removed(self, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
        with AudioReader(self.path) as reader:
            for block in blocks:
                yield reader.read(block.shape[1])
