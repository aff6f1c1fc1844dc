"""One recording from file to file.

A network runs at its own rate and only what it removes comes back to the recording's rate, where the strength times it
is subtracted from the untouched original. So nothing of the original is ever resampled: at strength 0 the output is the
input, the band above the network's range passes unchanged, and a smaller strength mixes without comb filtering. Methods
without weights and chains report what they remove in the same way.
"""

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from concertclean.audio_io.formats import AudioInfo
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.classical.material import Material, Source, material_of
from concertclean.config.denoise import DenoiseSettings
from concertclean.dsp.arrays import Array
from concertclean.dsp.band_levels import BandMeter
from concertclean.dsp.levels import LoudnessMeter, reduction_db, to_db
from concertclean.dsp.resample import Fifo
from concertclean.dsp.tonality import tonal_share
from concertclean.errors import ConfigError, OutputError
from concertclean.files.places import Place, Url
from concertclean.restore import films
from concertclean.restore.build import Restorer, noise_stretch_of
from concertclean.restore.finishing import Finisher
from concertclean.restore.left_alone import share_removed
from concertclean.restore.results import (
    NetworkUse,
    Report,
    harm_remarks,
    loud_reduction_db,
    open_writer,
    remarks,
)

Progress = Callable[[float], None]
Stream = Place | BinaryIO

_BLOCK_SECONDS = 1.0
_TONAL_NOISE = 0.2
_NOISE_OF_TONES = "W120 the noise profile has tones: music in it is removed as noise; choose a stretch without music"
_NO_NOISE_FOUND = "W115 no two seconds of noise alone; the noise floor is followed instead"


class Denoiser:
    """Restores recordings with one restorer and one set of settings.

    Args:
        restorer: ready to run.
        settings: format and the rest.
    """

    def __init__(self, restorer: Restorer, settings: DenoiseSettings) -> None:
        self.restorer, self.settings = restorer, settings

    # Squares of samples beyond sense are infinite, and so is the loudness; the writer cuts the samples.
    @np.errstate(over="ignore", invalid="ignore")
    def run(
        self,
        source: Stream,
        target: Stream | None,
        *,
        removed_target: Place | None = None,
        overwrite: bool = False,
        progress: Progress = lambda seconds: None,
        first_pass: Progress = lambda seconds: None,
    ) -> Report:
        """Restores one recording.

        Args:
            source: file or binary stream.
            target: file or binary stream; a file appears only when it is complete. None: only what was removed is
                written, as it is.
            removed_target: where what was removed goes, or None.
            overwrite: replace existing outputs, though never the recording itself.
            progress: receives, after each block, how many seconds of the recording are done.
            first_pass: the same for the pass before, if the restorer needs one.

        Returns:
            What was done.

        Raises:
            AudioFileError: the recording cannot be decoded.
            ConfigError: the part to restore begins after the recording's end, or there is no noise where it should be.
            OutputError: the output exists, is the recording itself, or cannot be written.
            ModelError: the network produces NaN or infinity.
            DeviceMemoryError: not even the smallest segment fits into memory.
        """
        begin, before = time.perf_counter(), [one.enhancer.network_seconds for one in self.restorer.networks]
        spare_the_recording(source, (target, removed_target))
        with ExitStack() as stack:
            reader = stack.enter_context(AudioReader(source, audio_stream=self.settings.audio_stream))
            report = self._report(reader, source, target)
            self._go_to_start(reader)
            targets = [each for each in (target, removed_target) if each is not None]
            writers = [stack.enter_context(self._writer(each, report, overwrite=overwrite)) for each in targets]
            report.warnings += writers[0].warnings
            restorer, warnings = self._restorer_for(source, reader, first_pass)
            report.warnings += warnings
            pairs = self._restored(restorer, self._original(reader), report, progress)
            alone = target is None
            write = partial(_write_removed, writers[0]) if alone else Finisher(self.settings, report, *writers).write
            write(pairs)
            report.warnings += reader.warnings + films.gap_remarks(reader, report.output)
        report.networks = self._networks(before)
        report.elapsed_seconds = time.perf_counter() - begin
        return report

    def _report(self, reader: AudioReader, source: Stream, target: Stream | None) -> Report:
        """What is known before the first sample."""
        info, output = reader.info, films.output_of(reader, source, target, self.settings)
        return Report(
            info,
            output,
            model=self.settings.model,
            stages=self.restorer.stages,
            output_path=target if isinstance(target, Place) else None,
            warnings=remarks(info, output, self.settings, self.restorer.sample_rate),
        )

    def _networks(self, before: list[float]) -> tuple[NetworkUse, ...]:
        """The networks that worked on a recording, from the seconds each had worked before it."""
        uses = []
        for one, seconds in zip(self.restorer.networks, before, strict=True):
            enhancer, engine = one.enhancer, one.enhancer.engine
            how = engine.name, engine.device, engine.precision, enhancer.segment_seconds, enhancer.threads
            uses.append(NetworkUse(one.weights.sha256, *how, enhancer.network_seconds - seconds))
        return tuple(uses)

    def _go_to_start(self, reader: AudioReader) -> None:
        """Skips what lies before the part to restore."""
        rate = reader.info.sample_rate
        start_sample = round(self.settings.start_seconds * rate)
        found = reader.skip(start_sample)
        if found < start_sample:
            start = f"{self.settings.start_seconds:g} s"
            raise ConfigError(f"{reader.info.path}: is {found / rate:.2f} s long, cannot start at {start}")

    def _original(self, reader: AudioReader) -> Iterator[Array]:
        """Blocks of the part to restore."""
        rate = reader.info.sample_rate
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

    def _restorer_for(self, source: Stream, reader: AudioReader, first_pass: Progress) -> tuple[Restorer, list[str]]:
        """The restorer, made for this recording if it learns from it, and what the user should know of that."""
        materials: dict[Source, Material] = {}
        warnings: list[str] = []
        if self.settings.noise_profile is not None and self.restorer.noise is None:
            noise = self._noise_of(source, reader.info)
            materials |= {} if noise is None else {"noise": noise}
            warnings += [_NO_NOISE_FOUND] if noise is None else []
        own = materials.get("noise")
        if self._is_noise_file_tonal if own is None else _is_tonal(own):
            warnings.append(_NOISE_OF_TONES)
        if self.restorer.reads_twice:
            read = partial(self._first_pass, reader, first_pass)
            materials["recording"] = Material(read, reader.info.channels, reader.info.sample_rate)
        restorer = self.restorer.learning(materials)
        if "recording" in materials:
            reader.rewind()
            self._go_to_start(reader)
        return restorer, warnings

    @cached_property
    def _is_noise_file_tonal(self) -> bool:
        """Whether the noise that all recordings share has tones."""
        return self.restorer.noise is not None and _is_tonal(self.restorer.noise)

    def _first_pass(self, reader: AudioReader, progress: Progress) -> Iterator[Array]:
        """Blocks of the part to restore, from its beginning."""
        reader.rewind()
        self._go_to_start(reader)
        n_done = 0
        for block in self._original(reader):
            yield block
            n_done += block.shape[1]
            progress(n_done / reader.info.sample_rate)

    def _noise_of(self, source: Stream, info: AudioInfo) -> Material | None:
        """The noise that is alone somewhere in the recording, or None."""
        if not isinstance(source, Place):
            raise ConfigError("noise_profile: a stream cannot be searched for noise; use a file of noise")
        stretch = noise_stretch_of(
            self.settings, Material(partial(_whole, source, info.audio_stream), info.channels, info.sample_rate)
        )
        if stretch is None:
            return None
        with AudioReader(source, audio_stream=self.settings.audio_stream) as reader:
            rate = reader.info.sample_rate
            first, last = (round(seconds * rate) for seconds in stretch)
            found = reader.skip(first)
            noise = reader.read(last - first)
        if noise.shape[1] < last - first:
            seconds = (found + noise.shape[1]) / rate
            raise ConfigError(f"{source}: is {seconds:.2f} s long; choose a noise_profile inside it")
        if not noise.any():
            raise ConfigError(f"{source}: has digital silence there; choose a noise_profile with noise in it")
        return material_of(noise, rate)

    def _restored(
        self, restorer: Restorer, blocks: Iterator[Array], report: Report, progress: Progress
    ) -> Iterator[tuple[Array, Array]]:
        """Pairs of restored and removed blocks, together as long as the recording; fills the report."""
        info = report.info
        before = LoudnessMeter(info.sample_rate, info.channels)
        held = Fifo(info.channels)
        n_done = 0
        bands = BandMeter(info.sample_rate), BandMeter(info.sample_rate)

        def measured() -> Iterator[Array]:
            for block in blocks:
                before.add(block)
                held.push(block)
                yield block

        start, leave = round(self.settings.start_seconds * info.sample_rate), self.settings.leave
        for found in restorer.removed(measured(), info.channels, info.sample_rate):
            original = held.pop(found.shape[1])
            removed = found
            if leave:
                removed = found * share_removed(leave, start + n_done, found.shape[1], info.sample_rate)
            restored = original - removed
            for meter, block in zip(bands, (original, restored), strict=True):
                meter.add(block)
            n_done += removed.shape[1]
            progress(n_done / info.sample_rate)
            yield restored, removed
        report.seconds = n_done / info.sample_rate
        report.lufs_before, report.peak_before_db = before.integrated(), to_db(before.peak)
        energies = [meter.values() for meter in bands]
        report.reduction_db, report.reduction_p95_db = reduction_db(*(each[:, -1] for each in energies))
        loud = loud_reduction_db(*energies)
        report.loud_reduction_db = float(loud[-1])
        report.warnings += harm_remarks(loud, self.settings.model)

    def _writer(self, target: Stream, report: Report, *, overwrite: bool) -> AudioWriter:
        is_result = report.output_path in (target, None)
        output = report.output if is_result else films.sound_alone(report.info, report.output, self.settings)
        n_samples = self._expected_samples(report)
        start = self.settings.start_seconds
        return open_writer(target, report.info, output, n_samples=n_samples, overwrite=overwrite, start_seconds=start)

    def _expected_samples(self, report: Report) -> int | None:
        """Length of the output, as far as the recording declares its own."""
        declared = report.info.duration_seconds
        seconds = None if declared is None else self.settings.processed_seconds(declared)
        return None if seconds is None else math.ceil(seconds * report.output.sample_rate)


def _whole(path: Place, audio_stream: int) -> Iterator[Array]:
    """Blocks of a whole file."""
    with AudioReader(path, audio_stream=audio_stream) as reader:
        yield from reader.blocks(round(_BLOCK_SECONDS * reader.info.sample_rate))


def _write_removed(writer: AudioWriter, pairs: Iterator[tuple[Array, Array]]) -> None:
    for _, removed in pairs:
        writer.write(removed)


def _is_tonal(noise: Material) -> bool:
    return tonal_share(noise.waveform(), noise.sample_rate) > _TONAL_NOISE


def spare_the_recording(source: Stream, targets: tuple[Stream | None, ...]) -> None:
    """A recording is never written over: not through a link, another spelling, or redirected input."""
    if isinstance(source, Url):
        if source in targets:
            raise OutputError(f"{source}: the output is the recording itself; choose another name")
        return
    try:
        own = os.stat(source if isinstance(source, Path) else source.fileno())
    except (OSError, ValueError, AttributeError):  # missing, which the reader reports; or a stream in memory
        return
    for target in targets:
        if isinstance(target, Path) and os.path.exists(target) and os.path.samestat(own, target.stat()):
            raise OutputError(f"{target}: the output is the recording itself; choose another name")
