"""From restored blocks to finished files: loudness, clipping, the output's sample rate.

Most settings need one look at each block. A target loudness, or rescaling instead of clipping, needs the whole
result before its first sample can be written; it then waits in a temporary file.
"""

import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np

from concertclean.audio_io.guarded import TemporaryOutput
from concertclean.audio_io.writer import AudioWriter
from concertclean.config.denoise import DenoiseSettings
from concertclean.dsp.arrays import Array
from concertclean.dsp.levels import LoudnessMeter, soft_limit, to_db
from concertclean.dsp.resample import resampled
from concertclean.restore.results import Report, clip_remarks

Pairs = Iterator[tuple[Array, Array]]

_BLOCK_SECONDS = 1.0
RESCALED_PEAK = 10 ** (-0.1 / 20)
"""Peak of a result that was rescaled because it would clip."""


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
        self._meter = LoudnessMeter(report.output.sample_rate, self._channels)

    def write(self, pairs: Pairs) -> None:
        """Writes everything.

        Args:
            pairs: restored and removed `(channel, time)` blocks at the recording's rate.

        Raises:
            OutputError: the disk is full.
        """
        # What was removed travels as further channels of the same blocks: nothing can get out of step.
        stacked = (pair[0] if self._removed_writer is None else np.concatenate(pair) for pair in pairs)
        rates = self._report.info.sample_rate, self._report.output.sample_rate
        blocks = resampled(stacked, *rates, self._n_stacked)
        if self._settings.loudness == "off" and self._settings.clip != "rescale":
            self._write(blocks, gain=1.0)
        else:
            self._write_after_a_look(blocks)
        report, restored = self._report, self._restored_writer
        report.lufs_after, report.peak_after_db = self._meter.integrated(), to_db(self._meter.peak)
        report.n_clipped = restored.ceiling.n_cut
        report.warnings += clip_remarks(restored, report.output, "output", by_clip=True)
        if self._removed_writer is not None:
            what = "what was removed"
            report.warnings += clip_remarks(self._removed_writer, report.output, what, by_clip=False)

    def _write(self, blocks: Iterator[Array], gain: float) -> None:
        """The blocks in one pass, with the clipping rule applied to the restored channels."""
        for block in blocks:
            scaled = block * gain
            restored, removed = scaled[: self._channels], scaled[self._channels :]
            if self._settings.clip == "limit":
                restored = soft_limit(restored)
            self._meter.add(restored)
            self._restored_writer.write(restored)
            if self._removed_writer is not None:
                self._removed_writer.write(removed)

    def _write_after_a_look(self, blocks: Iterator[Array]) -> None:
        """Everything into a temporary file, then from there with the gain that the whole needs."""
        info, output = self._report.info, self._report.output
        meter = LoudnessMeter(output.sample_rate, info.channels)
        dtype = np.dtype(np.float64 if (output.bit_depth or 0) > 24 else np.float32)
        with closing(TemporaryOutput()) as waiting:
            for block in blocks:
                meter.add(block[: info.channels])
                waiting.write(np.ascontiguousarray(block.T, dtype).tobytes())
                waiting.check()
            self._write(self._again(waiting, dtype), self._gain(meter))

    def _again(self, waiting: TemporaryOutput, dtype: "np.dtype[Any]") -> Iterator[Array]:
        """The blocks of a temporary file."""
        frame_bytes = self._n_stacked * dtype.itemsize
        waiting.seek(0)
        while data := waiting.read(round(_BLOCK_SECONDS * self._report.output.sample_rate) * frame_bytes):
            yield np.frombuffer(data, dtype).reshape(-1, self._n_stacked).T.astype(np.float64)
        waiting.check()

    def _gain(self, meter: LoudnessMeter) -> float:
        """Gain for the target loudness, no higher than the peak allows when rescaling."""
        gain, target = 1.0, self._settings.loudness
        if target == "match":
            target = self._report.lufs_before
        measured = meter.integrated()
        if isinstance(target, float) and math.isfinite(target) and math.isfinite(measured):
            gain = 10 ** ((target - measured) / 20)
        if self._settings.clip == "rescale" and meter.peak * gain > 1.0:
            gain = RESCALED_PEAK / meter.peak
            self._report.warnings.append(f"W105 output would clip: rescaled by {to_db(gain):.1f} dB")
        return gain
