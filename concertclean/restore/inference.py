"""A waveform of any length through a network, in segments, whatever runs the network.

The recording is cut into segments on a fixed grid. Each is computed with a margin of context on both sides that is
thrown away, neighbours overlap a little and are joined by a triangular cross-fade whose weights are divided out.
Outside the recording lies its mirror image. Segments start on multiples of the network's pooling grid, so the result
does not depend on the segment length; a last segment shifted left, off the grid, would change it by -22 dB.

Memory: two segments a worker, whatever the length of the recording.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from math import ceil
from threading import Lock, local

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.resample import Fifo, resampled
from concertclean.dsp.segments import Segment, grouped, joined, segments, ungrouped
from concertclean.errors import DeviceMemoryError, ModelError
from concertclean.restore.engine import Engine, Network, Waveforms
from concertclean.restore.shared_batches import SharedBatches, Timed
from concertclean.runtime.memory import return_freed_memory

Notify = Callable[[str], None]


class Enhancer:
    """A network ready to run: segmenting, workers, and what to do when memory runs out.

    Args:
        engine: the network on its device.
        segment_seconds: seconds of result a network call, context apart.
        overlap_ratio: part of a segment that is cross-faded with the next, 0 to 0.5.
        batch_size: segments a call, of all recordings at work; on the CPU they run side by side in `threads` instead.
        threads: CPU workers, one core each; 0 takes every core.
        notify: receives one sentence, once, when less memory forces a smaller batch, segment or the CPU.

    Attributes:
        network_seconds: spent in the network so far for the recordings of the calling thread, added up over workers.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        segment_seconds: float = 6.0,
        overlap_ratio: float = 0.02,
        batch_size: int = 8,
        threads: int = 0,
        notify: Notify = lambda message: None,
    ) -> None:
        self.engine, self.sample_rate = engine, engine.sample_rate
        self.threads = threads or engine.n_cores
        self.batch_size = batch_size
        self.segment_seconds, self.overlap_ratio = segment_seconds, overlap_ratio
        self._notify, self._notified = notify, set[str]()
        self._spent = local()  # several recordings at once, each in a thread
        self._workers: ThreadPoolExecutor | None = None
        self._shared: SharedBatches | None = None
        self._lock = Lock()

    @property
    def device(self) -> str:
        """Where the network runs."""
        return self.engine.device

    @property
    def precision(self) -> str:
        """Of its inner layers."""
        return self.engine.precision

    @property
    def network_seconds(self) -> float:
        """See the class."""
        return float(getattr(self._spent, "seconds", 0.0))

    def stream(self, blocks: Iterator[NDArray[np.float64]], channels: int) -> Iterator[NDArray[np.float64]]:
        """Estimate of a recording that comes in blocks.

        Args:
            blocks: `(channel, time)` at the model's `sample_rate`, full scale ±1.
            channels: of the recording; more than two are taken in pairs.

        Yields:
            `(channel, time)` estimates in order, together as long as the input.

        Raises:
            DeviceMemoryError: not even the smallest segment fits.
            ModelError: the network produces NaN or infinity.
        """
        model = self.engine.mono if channels == 1 else self.engine.stereo
        segment = max(1, round(self.segment_seconds * self.sample_rate / model.alignment)) * model.alignment
        overlap = min(segment // 2, round(self.overlap_ratio * segment))
        overlap -= overlap % model.alignment  # keeps every start on the grid
        windows = segments(blocks, channels, segment, segment - overlap, model.context, outside="mirrored")
        for estimate in joined(self._run(windows, model), segment, overlap):
            # second by second: what is done with them needs several times their memory
            for begin in range(0, estimate.shape[1], self.sample_rate):
                yield estimate[:, begin : begin + self.sample_rate]

    def removed(
        self, blocks: Iterator[NDArray[np.float64]], channels: int, sample_rate: int
    ) -> Iterator[NDArray[np.float64]]:
        """What the network removes from a recording of any sample rate, at that rate.

        Args:
            blocks: `(channel, time)`, full scale ±1.
            channels: of the recording.
            sample_rate: of the recording, Hz.

        Yields:
            `(channel, time)` in order, together exactly as long as the recording.

        Raises:
            DeviceMemoryError, ModelError: as `stream`.
        """
        n_samples = n_done = 0

        def counted() -> Iterator[NDArray[np.float64]]:
            nonlocal n_samples
            for block in blocks:
                n_samples += block.shape[1]
                yield block

        seen = Fifo(channels)
        at_model_rate = resampled(counted(), sample_rate, self.sample_rate, channels)
        estimates = self.stream(seen.passing(at_model_rate), channels)
        differences = (seen.pop(estimate.shape[1]) - estimate for estimate in estimates)
        for removed in resampled(differences, self.sample_rate, sample_rate, channels):
            found = removed[:, : n_samples - n_done]  # the resampler may round the length up by a sample
            n_done += found.shape[1]
            yield found
        if n_done < n_samples:  # or down
            yield np.zeros((channels, n_samples - n_done))

    def _run(self, windows: Iterator[Segment], model: Network) -> Iterator[Segment]:
        """Estimates of the windows in order: side by side on the CPU, in batches that recordings share on a device."""
        pending: deque[Future[Timed]] = deque()
        on_cpu = self.engine.device == "cpu"
        submit = self._to_worker if on_cpu else self._to_device
        ahead = self.threads if on_cpu else 2 * self.batch_size - 1  # one batch waits while another is computed
        with self.engine.alone() if on_cpu else nullcontext():
            try:
                for window in windows:
                    pending.append(submit(window, model))
                    del window  # or it would live on while the next one is made
                    if len(pending) > ahead:
                        yield from self._counted(pending.popleft().result())
                while pending:
                    yield from self._counted(pending.popleft().result())
            finally:
                for future in pending:  # of a generator that nobody reads to its end
                    future.cancel()

    def _to_worker(self, window: Segment, model: Network) -> "Future[Timed]":
        """One window a worker, one core a worker: twice as fast as two cores on one window."""
        return self._pool().submit(self._timed, [_fitted(window, model)], model)

    def _to_device(self, window: Segment, model: Network) -> "Future[Timed]":
        with self._lock:
            self._shared = self._shared or SharedBatches(self._batch, lambda: self.batch_size)
        return self._shared.submit(window, model)

    def _pool(self) -> ThreadPoolExecutor:
        """The workers that all recordings share."""
        with self._lock:
            self._workers = self._workers or ThreadPoolExecutor(
                self.threads, "network", initializer=self.engine.begin_worker
            )
            return self._workers

    def _counted(self, timed: Timed) -> list[Segment]:
        """Estimates, their seconds counted for the recording of this thread."""
        estimates, seconds = timed
        self._spent.seconds = self.network_seconds + seconds
        return estimates

    def _timed(self, batch: list[Segment], model: Network) -> Timed:
        """Estimates of some windows on the CPU, and the seconds they took."""
        begin = time.perf_counter()
        estimates = self._batch(batch, model)
        return_freed_memory()
        return estimates, time.perf_counter() - begin

    def _batch(self, batch: list[Segment], model: Network) -> list[Segment]:
        """Estimates of some windows, context cut off; halves the work until it fits into memory."""
        try:
            return self._compute(batch, model)
        except (RuntimeError, MemoryError) as error:
            if not self.engine.is_out_of_memory(error):
                raise
        if len(batch) > 1:
            self.batch_size = max(1, len(batch) // 2)
            self._notify_once(f"out of memory: batches of {self.batch_size} segments from here on")
            half = len(batch) // 2
            return self._batch(batch[:half], model) + self._batch(batch[half:], model)
        segment = batch[0].audio.shape[1] - 2 * model.context
        if segment >= 2 * model.alignment:
            self._notify_once("out of memory: shorter segments from here on")
            return [self._halves(batch[0], segment, model)]
        if self.engine.device != "cpu":
            self._notify_once(f"out of memory on {self.engine.device}: the CPU takes over")
            self.engine.move_to_cpu()
            return self._batch(batch, model)
        msg = "out of memory even with the shortest segment; close other programs or use a smaller model"
        raise DeviceMemoryError(msg)

    def _halves(self, window: Segment, segment: int, model: Network) -> Segment:
        """A window as two shorter ones; the context makes the result the same."""
        self.segment_seconds = min(self.segment_seconds, segment / 2 / self.sample_rate)
        half = segment // 2 // model.alignment * model.alignment
        parts = [
            Segment(window.audio[:, : half + 2 * model.context], half),
            Segment(window.audio[:, half:], window.n_valid),
        ]
        left, right = (self._batch([part], model)[0].audio for part in parts)
        return Segment(np.concatenate([left, right], axis=1), window.n_valid)

    def _compute(self, batch: list[Segment], model: Network) -> list[Segment]:
        """One network call; `(channel, time)` windows become batch items of the model's channels."""
        if not any(window.audio.any() for window in batch):
            return [Segment(w.audio[:, model.context : -model.context or None], w.n_valid) for w in batch]
        channels = batch[0].audio.shape[0]
        groups = [grouped(w.audio.astype(np.float32, copy=False), model.channels) for w in batch]
        together = groups[0] if len(groups) == 1 else np.concatenate(groups)
        # Many channels are many pairs: a few at a time, so memory does not grow with them.
        size = 1 if self.engine.device == "cpu" else self.batch_size
        parts = [_estimate(together[k : k + size], model) for k in range(0, len(together), size)]
        found = parts[0] if len(parts) == 1 else np.concatenate(parts)
        result = found.reshape(len(batch), -1, found.shape[-1])
        if not np.isfinite(result).all():
            msg = "the network produced NaN or infinity; set the precision to fp32"
            raise ModelError(msg)
        return [
            Segment(ungrouped(part, channels, model.channels), window.n_valid)
            for part, window in zip(result, batch, strict=True)
        ]

    def _notify_once(self, message: str) -> None:
        if message not in self._notified:
            self._notified.add(message)
            self._notify(message)


def _fitted(window: Segment, model: Network) -> Segment:
    """A window as the network takes it; the last one without what lies beyond the recording and its context.

    An excerpt of seconds is mostly that. Not for a device, whose batches need windows of one length.
    """
    kept = ceil(window.n_valid / model.alignment) * model.alignment + 2 * model.context
    return Segment(window.audio[:, :kept].astype(np.float32), window.n_valid)


def _estimate(waveforms: Waveforms, model: Network) -> Waveforms:
    """Estimates of `(item, channel, time)`, context cut off."""
    estimate = model.estimate(waveforms)
    if model.channels == 1:
        return estimate
    # Equal channels in, equal channels out: a recording that is mono on two channels stays so.
    equal = (waveforms == waveforms[:, :1]).all((1, 2))
    return np.where(equal[:, None, None], estimate.mean(1, keepdims=True), estimate) if equal.any() else estimate
