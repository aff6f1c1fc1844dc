"""Windows of several recordings in one call, which keeps a GPU busy with short recordings."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from concertclean.dsp.segments import Segment
from concertclean.restore.engine import Network

Timed = tuple[list[Segment], float]
"""Estimates of some windows, and the seconds they took."""


@dataclass(frozen=True, eq=False)
class _Waiting:
    window: Segment
    model: Network
    found: "Future[Timed]" = field(default_factory=Future)

    def goes_with(self, other: "_Waiting") -> bool:
        return self.model is other.model and self.window.audio.shape == other.window.audio.shape


class SharedBatches:
    """Collects windows while the device computes, and computes those together that fit together.

    Batches fill by themselves: the device takes whatever waits, of all recordings, and nobody waits for a full batch.

    Args:
        compute: returns the estimates of windows of one length, of one network.
        most: returns how many windows a batch may have by now.
    """

    def __init__(self, compute: Callable[[list[Segment], Network], list[Segment]], most: Callable[[], int]) -> None:
        self._compute, self._most = compute, most
        self._waiting: list[_Waiting] = []
        self._lock = Lock()
        self._device = ThreadPoolExecutor(1, "device")

    def submit(self, window: Segment, model: Network) -> "Future[Timed]":
        """Estimate of a window, with its share of the seconds that its batch took."""
        one = _Waiting(window, model)
        with self._lock:
            self._waiting.append(one)
        self._device.submit(self._compute_next)
        return one.found

    def _compute_next(self) -> None:
        batch = [one for one in self._taken() if one.found.set_running_or_notify_cancel()]
        if batch:
            self._settle(batch)

    def _taken(self) -> list[_Waiting]:
        """What has waited longest, and what goes with it; nothing if an earlier batch took all."""
        with self._lock:
            alike = [one for one in self._waiting if one.goes_with(self._waiting[0])][: self._most()]
            self._waiting = [one for one in self._waiting if one not in alike]
        return alike

    def _settle(self, batch: list[_Waiting]) -> None:
        begin = time.perf_counter()
        try:
            estimates = self._compute([one.window for one in batch], batch[0].model)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits for the window
            if len(batch) == 1:
                batch[0].found.set_exception(error)
                return
            for one in batch:  # one recording's fault is not that of the others
                self._settle([one])
            return
        seconds = (time.perf_counter() - begin) / len(batch)
        for one, estimate in zip(batch, estimates, strict=True):
            one.found.set_result(([estimate], seconds))
