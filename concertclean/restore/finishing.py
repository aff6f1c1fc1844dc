"""From restored blocks to finished files: loudness, clipping, the output's sample rate.

Most settings need one look at each block. A target loudness, or rescaling instead of clipping, needs the whole
result before its first sample can be written; it then waits in a temporary file.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from concertclean.audio_io.formats import Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.config.denoise import DenoiseSettings
from concertclean.dsp.arrays import Array
from concertclean.dsp.levels import LoudnessMeter, soft_limit, to_db
from concertclean.dsp.resample import resampled
from concertclean.restore.results import Report

Pairs = Iterator[tuple[Array, Array]]

_BLOCK_SECONDS = 1.0
_RESCALED_PEAK = 10 ** (-0.1 / 20)


class Finisher:
    """Writes what was restored, and what was removed, as the settings say.

    Args:
        settings: loudness and clipping.
        report: of the recording; loudness, peak and warnings of the output are entered into it.
        restored_writer: takes the result.
        removed_writer: takes what was removed, or None.
    """

    def __init__(
        self,
        settings: DenoiseSettings,
        report: Report,
        restored_writer: AudioWriter,
        removed_writer: AudioWriter | None = None,
    ) -> None:
        self._settings, self._report = settings, report
        self._restored_writer, self._removed_writer = restored_writer, removed_writer
        self._channels = report.info.channels
        self._n_stacked = self._channels * (1 if removed_writer is None else 2)
        self._meter = LoudnessMeter(report.info.sample_rate, self._channels)

    def write(self, pairs: Pairs) -> None:
        """Writes everything.

        Args:
            pairs: restored and removed `(channel, time)` blocks at the recording's rate.

        Raises:
            OutputError: the disk is full.
        """
        # What was removed travels as further channels of the same blocks: nothing can get out of step.
        blocks = (pair[0] if self._removed_writer is None else np.concatenate(pair) for pair in pairs)
        if self._settings.loudness == "off" and self._settings.clip != "rescale":
            self._write(blocks, gain=1.0)
        else:
            self._write_after_a_look(blocks)
        self._report.lufs_after, self._report.peak_after_db = self._meter.integrated(), to_db(self._meter.peak)
        if self._report.n_clipped:
            self._report.warnings.append(
                f"W105 output would clip: {self._report.n_clipped} samples above full scale were cut; "
                "set clip to rescale or limit, or bit_depth to 32f"
            )

    def _write(self, blocks: Iterator[Array], gain: float) -> None:
        """The blocks in one pass, at the output's rate."""
        rates = self._report.info.sample_rate, self._report.output.sample_rate
        finished = (self._finished(block * gain) for block in blocks)
        for block in resampled(finished, *rates, self._n_stacked):
            self._restored_writer.write(block[: self._channels])
            if self._removed_writer is not None:
                self._removed_writer.write(block[self._channels :])

    def _finished(self, block: Array) -> Array:
        """A block with the clipping rule applied to its restored channels, measured."""
        restored = block[: self._channels]
        if self._settings.clip == "limit":
            restored = soft_limit(restored)
        elif not self._report.output.is_float:
            self._report.n_clipped += int((np.abs(restored) > 1.0).sum())
        self._meter.add(restored)
        return np.concatenate([restored, block[self._channels :]])

    def _write_after_a_look(self, blocks: Iterator[Array]) -> None:
        """Everything into a temporary file, then from there with the gain that the whole needs."""
        info = self._report.info
        meter = LoudnessMeter(info.sample_rate, info.channels)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "restored.wav"
            with AudioWriter(
                path,
                Storage("wav", info.sample_rate, self._n_stacked, is_float=True),
                n_samples=info.n_samples if self._settings.duration_seconds is None else None,
            ) as waiting:
                for block in blocks:
                    meter.add(block[: info.channels])
                    waiting.write(block)
            with AudioReader(path) as again:
                self._write(again.blocks(round(_BLOCK_SECONDS * info.sample_rate)), self._gain(meter))

    def _gain(self, meter: LoudnessMeter) -> float:
        """Gain for the target loudness, no higher than the peak allows when rescaling."""
        gain, target = 1.0, self._settings.loudness
        if target == "match":
            target = self._report.lufs_before
        measured = meter.integrated()
        if isinstance(target, float) and math.isfinite(target) and math.isfinite(measured):
            gain = 10 ** ((target - measured) / 20)
        if self._settings.clip == "rescale" and meter.peak * gain > 1.0:
            gain = _RESCALED_PEAK / meter.peak
            self._report.warnings.append(f"W105 output would clip: rescaled by {to_db(gain):.1f} dB")
        return gain
