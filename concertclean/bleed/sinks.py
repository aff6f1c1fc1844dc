"""Where the result of one track goes: its files, what is measured on the way, and the remarks about it."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from concertclean.audio_io.formats import AudioInfo, Storage
from concertclean.audio_io.writer import AudioWriter
from concertclean.config.denoise import DenoiseSettings
from concertclean.dsp.arrays import Array
from concertclean.dsp.levels import EnergyMeter, reduction_db, soft_limit
from concertclean.restore.results import clip_remarks, open_writer, output_format


def track_format(info: AudioInfo, settings: DenoiseSettings) -> Storage:
    """How the result of a track is stored: at its own rate, which the format may refuse; nothing is resampled."""
    return replace(output_format(info, settings), sample_rate=info.sample_rate)


class Sink:
    """Files of one track, and the remarks about them; a context manager.

    Args:
        target: takes the result.
        removed: takes what is removed, or None.
        info: facts about the track.
        settings: format, and what happens beyond full scale.
        gain: of everything that is written.
        overwrite: replace existing files.

    Attributes:
        peak: of the result, full scale 1.
    """

    def __init__(
        self,
        target: Path,
        removed: Path | None,
        info: AudioInfo,
        settings: DenoiseSettings,
        gain: float,
        *,
        overwrite: bool,
    ) -> None:
        self._paths, self._info, self._gain, self._overwrite = (target, removed), info, gain, overwrite
        self._clip = settings.clip
        self._output = track_format(info, settings)
        self._files = ExitStack()
        self._meters = EnergyMeter(info.sample_rate), EnergyMeter(info.sample_rate)
        self.peak = 0.0

    def __enter__(self) -> "Sink":
        with ExitStack() as stack:
            target, removed = self._paths
            self._stem = stack.enter_context(self._writer(target))
            self._removed = None if removed is None else stack.enter_context(self._writer(removed))
            self._files = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._files.__exit__(*error)  # type: ignore[arg-type]

    def write(self, original: Array, stem: Array) -> None:
        """Takes a block `(channel, time)`."""
        scaled = stem * self._gain
        self.peak = max(self.peak, float(np.abs(scaled).max(initial=0.0)))
        self._stem.write(soft_limit(scaled) if self._clip == "limit" else scaled)
        if self._removed is not None:
            self._removed.write((original - stem) * self._gain)
        for meter, block in zip(self._meters, (original, stem), strict=True):
            meter.add(block)

    @property
    def exceeds(self) -> bool:
        """Whether samples of the stem are above full scale in a file that should not have them."""
        return self._stem.ceiling.n_cut + self._stem.ceiling.n_loud > 0

    def reduction_db(self) -> float:
        """Level before over level after, dB."""
        return reduction_db(*(meter.values() for meter in self._meters))[0]

    def remarks(self) -> list[str]:
        """Warnings about the result."""
        found = clip_remarks(self._stem, self._output, "output", by_clip=True)
        if self._removed is not None:
            found += clip_remarks(self._removed, self._output, "what was removed", by_clip=False)
        return [f"{self._paths[0].name}: {remark}" for remark in [*self._stem.warnings, *found]]

    def _writer(self, path: Path) -> AudioWriter:
        path.parent.mkdir(parents=True, exist_ok=True)
        n_samples = self._info.n_samples
        return open_writer(path, self._info, self._output, n_samples=n_samples, overwrite=self._overwrite)
