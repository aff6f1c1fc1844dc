"""One recording from file to file.

The network runs at its own rate and only its residual, input minus estimate, comes back to the recording's rate,
where `strength` times it is subtracted from the untouched original. So nothing of the original is ever resampled:
at strength 0 the output is the input, the band above the network's range passes unchanged, and a smaller strength
mixes without comb filtering.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from concertclean.audio_io.formats import AudioInfo, supported_sample_rate
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.config import DenoiseSettings
from concertclean.dsp.levels import LoudnessMeter, soft_limit, to_db
from concertclean.dsp.resample import Fifo, resampled
from concertclean.inference import Enhancer

Block = NDArray[np.float64]
Progress = Callable[[float], None]
Target = Path | BinaryIO

_BLOCK_SECONDS = 1.0
_RESCALED_PEAK = 10 ** (-0.1 / 20)
_MIN_LOSSY_BIT_RATE = 192_000


@dataclass(frozen=True)
class OutputFormat:
    """What the output file will be: container name, sample rate, bit depth, bit rate."""

    name: str
    sample_rate: int
    bit_depth: int | None
    is_float: bool
    bit_rate: int | None


@dataclass
class Report:
    """What was done to one recording.

    Attributes:
        info: the recording as it came.
        output: the format written.
        seconds: length of what was processed.
        elapsed_seconds: wall time.
        lufs_before, lufs_after: integrated loudness.
        peak_before_db, peak_after_db: sample peaks, dB of full scale.
        reduction_db, reduction_p95_db: level of input over output, mean over the recording and of the seconds
            with most reduction.
        n_clipped: samples that did not fit into the output.
        warnings: "W1xx ..." messages.
    """

    info: AudioInfo
    output: OutputFormat
    seconds: float = 0.0
    elapsed_seconds: float = 0.0
    lufs_before: float = -math.inf
    lufs_after: float = -math.inf
    peak_before_db: float = -math.inf
    peak_after_db: float = -math.inf
    reduction_db: float = 0.0
    reduction_p95_db: float = 0.0
    n_clipped: int = 0
    warnings: list[str] = field(default_factory=list)

    @property
    def real_time_factor(self) -> float:
        """Wall seconds a second of audio."""
        return self.elapsed_seconds / self.seconds if self.seconds else 0.0


def output_format(info: AudioInfo, settings: DenoiseSettings) -> OutputFormat:
    """Format of the output for a recording: `keep` means the recording's own where we can write it.

    WAV by default, the recording's rate, its bit depth if it is lossless and 24 bit if it is lossy.
    """
    name = settings.format
    if name == "keep":
        name = _KEPT.get(info.codec, _KEPT.get(info.container, "wav"))
    depth = info.bit_depth if info.is_lossless else 24
    is_float = info.is_float and info.is_lossless
    if settings.bit_depth != "keep":
        is_float = settings.bit_depth == "32f"
        depth = int(settings.bit_depth.rstrip("f"))
    if is_float and name in ("flac", "alac"):
        is_float, depth = False, 24
    if name in ("flac", "alac") and depth is not None:
        depth = min(depth, 24)
    is_lossy = name in ("m4a", "mp3", "opus", "ogg")
    bit_rate = max(info.bit_rate or 0, _MIN_LOSSY_BIT_RATE) if is_lossy and not info.is_lossless else None
    rate = supported_sample_rate(name, info.sample_rate)
    if is_lossy:
        return OutputFormat(name, rate, None, False, bit_rate)
    return OutputFormat(name, rate, depth, is_float, None)


# What `--format keep` writes, by codec or container of the recording; everything else becomes WAV.
_KEPT = {
    "alac": "alac", "aac": "m4a", "flac": "flac", "mp3": "mp3", "vorbis": "ogg", "opus": "opus",
    "m4a": "m4a", "ogg": "ogg", "wav": "wav",
}  # fmt: skip


class Denoiser:
    """Restores recordings with one network and one set of settings.

    Args:
        enhancer: the network, ready to run.
        settings: strength, format and the rest.
    """

    def __init__(self, enhancer: Enhancer, settings: DenoiseSettings) -> None:
        self.enhancer, self.settings = enhancer, settings

    def run(
        self,
        source: Path | BinaryIO,
        target: Target,
        *,
        residual_target: Path | None = None,
        overwrite: bool = False,
        progress: Progress = lambda seconds: None,
    ) -> Report:
        """Restores one recording.

        Args:
            source: file or binary stream.
            target: file or binary stream; a file appears only when it is complete.
            residual_target: where what was removed goes, or None.
            overwrite: replace existing outputs.
            progress: told after each block how many seconds of the recording are done.

        Returns:
            What was done.

        Raises:
            AudioFileError: the recording cannot be decoded.
            OutputError: the output exists or cannot be written.
            DeviceMemoryError: not even the smallest segment fits into memory.
        """
        begin = time.perf_counter()
        with ExitStack() as stack:
            reader = stack.enter_context(AudioReader(source))
            report = Report(reader.info, output_format(reader.info, self.settings))
            self._note(report)
            writer = stack.enter_context(self._writer(target, report, overwrite=overwrite))
            removed = None
            if residual_target is not None:
                removed = stack.enter_context(self._writer(residual_target, report, overwrite=overwrite))
            pairs = self._restored(self._original(reader), report, progress)
            if self.settings.loudness == "off" and self.settings.clip != "rescale":
                self._write(pairs, writer, removed, report, gain=1.0)
            else:
                self._write_in_two_passes(pairs, writer, removed, report)
            report.warnings += reader.warnings
        report.elapsed_seconds = time.perf_counter() - begin
        return report

    def _original(self, reader: AudioReader) -> Iterator[Block]:
        """Blocks of the wanted part of the recording."""
        rate = reader.info.sample_rate
        reader.skip(round(self.settings.start_seconds * rate))
        size = round(_BLOCK_SECONDS * rate)
        left = math.inf
        if self.settings.duration_seconds is not None:
            left = round(self.settings.duration_seconds * rate)
        while left > 0:
            block = reader.read(int(min(size, left)))
            if not block.shape[1]:
                return
            left -= block.shape[1]
            yield block

    def _restored(
        self, blocks: Iterator[Block], report: Report, progress: Progress
    ) -> Iterator[tuple[Block, Block]]:
        """Pairs of restored and removed blocks, together as long as the recording; fills the report."""
        info, share = report.info, self.settings.share
        before = LoudnessMeter(info.sample_rate, info.channels)
        held = Fifo(info.channels)
        n_done = 0
        powers: list[tuple[float, float]] = []

        def listened() -> Iterator[Block]:
            for block in blocks:
                before.add(block)
                held.push(block)
                yield block

        for removed in self._removed(listened(), info) if share > 0 else map(np.zeros_like, listened()):
            removed = removed[:, : len(held)] * share  # the resampler may round the length up by one
            original = held.pop(removed.shape[1])
            restored = original - removed
            powers.append((float(np.square(original).sum()), float(np.square(restored).sum())))
            n_done += removed.shape[1]
            progress(n_done / info.sample_rate)
            yield restored, removed
        rest = held.pop(len(held))  # or down
        yield rest, np.zeros_like(rest)
        report.seconds = (n_done + rest.shape[1]) / info.sample_rate
        report.lufs_before, report.peak_before_db = before.integrated(), to_db(before.peak)
        _summarise(powers, report)

    def _removed(self, blocks: Iterator[Block], info: AudioInfo) -> Iterator[Block]:
        """What the network removes, at the recording's rate."""
        rate, channels = self.enhancer.sample_rate, info.channels
        seen = Fifo(channels)

        def at_model_rate() -> Iterator[Block]:
            for block in resampled(blocks, info.sample_rate, rate, channels):
                seen.push(block)
                yield block

        estimates = self.enhancer.stream(at_model_rate(), channels)
        residual = (seen.pop(estimate.shape[1]) - estimate for estimate in estimates)
        return resampled(residual, rate, info.sample_rate, channels)

    def _write(
        self,
        pairs: Iterator[tuple[Block, Block]],
        writer: AudioWriter,
        removed_writer: AudioWriter | None,
        report: Report,
        gain: float,
    ) -> None:
        """Writes restored (and removed) blocks at the output's rate."""
        after = LoudnessMeter(report.info.sample_rate, report.info.channels)
        removed_blocks: list[Block] = []

        def restored() -> Iterator[Block]:
            for block, removed in pairs:
                removed_blocks.append(removed * gain)
                yield self._finished(block * gain if gain != 1.0 else block, after, report)

        rates = (report.info.sample_rate, report.output.sample_rate, report.info.channels)
        to_file = resampled(restored(), *rates)
        if removed_writer is None:
            for block in to_file:
                writer.write(block)
                removed_blocks.clear()
        else:

            def removed() -> Iterator[Block]:
                for block in to_file:
                    writer.write(block)
                    yield from removed_blocks
                    removed_blocks.clear()
                yield from removed_blocks

            for block in resampled(removed(), *rates):
                removed_writer.write(block)
        report.lufs_after, report.peak_after_db = after.integrated(), to_db(after.peak)
        if report.n_clipped:
            report.warnings.append(
                f"W105 output would clip: {report.n_clipped} samples above full scale were cut; "
                "use --clip rescale, --clip limit or --bit-depth 32f"
            )

    def _finished(self, block: Block, after: LoudnessMeter, report: Report) -> Block:
        """A restored block with the clipping rule applied, measured."""
        if self.settings.clip == "limit":
            block = soft_limit(block)
        elif not report.output.is_float:
            report.n_clipped += int((np.abs(block) > 1.0).sum())
        after.add(block)
        return block

    def _write_in_two_passes(
        self,
        pairs: Iterator[tuple[Block, Block]],
        writer: AudioWriter,
        removed_writer: AudioWriter | None,
        report: Report,
    ) -> None:
        """Loudness and rescaling need the whole result before its first sample can be written."""
        info = report.info
        meter = LoudnessMeter(info.sample_rate, info.channels)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "restored.wav"
            facts = {"format": "wav", "sample_rate": info.sample_rate, "bit_depth": 32, "is_float": True}
            with AudioWriter(path, channels=2 * info.channels, **facts) as both:
                for restored, removed in pairs:
                    meter.add(restored)
                    both.write(np.concatenate([restored, removed]))
            gain = self._gain(meter, report)
            with AudioReader(path) as again:
                blocks = again.blocks(round(_BLOCK_SECONDS * info.sample_rate))
                halves = ((block[: info.channels], block[info.channels :]) for block in blocks)
                self._write(halves, writer, removed_writer, report, gain)

    def _gain(self, meter: LoudnessMeter, report: Report) -> float:
        """Gain for the wanted loudness, no higher than the peak allows when rescaling."""
        gain, wanted = 1.0, self.settings.loudness
        if wanted == "match":
            wanted = report.lufs_before
        measured = meter.integrated()
        if isinstance(wanted, float) and math.isfinite(wanted) and math.isfinite(measured):
            gain = 10 ** ((wanted - measured) / 20)
        if self.settings.clip == "rescale" and meter.peak * gain > 1.0:
            gain = _RESCALED_PEAK / meter.peak
            report.warnings.append(f"W105 output would clip: rescaled by {to_db(gain):.1f} dB")
        return gain

    def _writer(self, target: Target, report: Report, *, overwrite: bool) -> AudioWriter:
        info, output = report.info, report.output
        n_samples = None
        if info.n_samples is not None:
            n_samples = round(info.n_samples * output.sample_rate / info.sample_rate)
        return AudioWriter(
            target,
            format=output.name,
            sample_rate=output.sample_rate,
            channels=info.channels,
            bit_depth=output.bit_depth,
            is_float=output.is_float,
            bit_rate=output.bit_rate,
            tags=info.tags,
            cover=info.cover,
            channel_layout=info.channel_layout,
            n_samples=n_samples,
            overwrite=overwrite,
        )

    def _note(self, report: Report) -> None:
        """Warnings that are known before the first sample."""
        info = report.info
        if not info.is_lossless:
            report.warnings.append(f"W102 lossy source ({info.codec}): what the codec lost does not come back")
        if info.sample_rate != self.enhancer.sample_rate:
            report.warnings.append(
                f"W104 resampled for the model: {info.sample_rate} Hz to {self.enhancer.sample_rate} Hz, "
                "only for finding the residual"
            )
        if info.channels > 2:
            report.warnings.append(f"W108 {info.channels} channels: processed in pairs")


def _summarise(powers: list[tuple[float, float]], report: Report) -> None:
    """Mean and 95th percentile of the reduction over blocks that are not silent."""
    audible = np.array([pair for pair in powers if pair[0] > 0])
    if not len(audible):
        return
    reduction = 10 * np.log10(audible[:, 0] / np.maximum(audible[:, 1], 1e-12 * audible[:, 0]))
    report.reduction_db, report.reduction_p95_db = float(reduction.mean()), float(np.percentile(reduction, 95))
