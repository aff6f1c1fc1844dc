"""Sample-rate conversion of a stream of blocks, aligned and exact in length.

soxr at its very high quality: images and aliases below -190 dB, linear phase. The default resamplers of scipy and
swresample leave aliases at -11 and -20 dB and are not used for audio here.
"""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
import soxr
from numpy.typing import NDArray

from concertclean.dsp.arrays import Blocks


def resampled(blocks: Blocks, rate_in: int, rate_out: int, channels: int) -> Blocks:
    """The same waveform at another rate.

    Args:
        blocks: `(channel, time)` pieces of the waveform in order.
        rate_in: Hz of `blocks`.
        rate_out: Hz of the result.
        channels: number of channels.

    Yields:
        `(channel, time)` pieces; sample 0 stays at time 0. Equal rates pass the blocks through untouched.
    """
    if rate_in == rate_out:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate_in, rate_out, channels, dtype="float64", quality="VHQ")
    for block in blocks:
        yield _time_last(stream.resample_chunk(_time_first(block), last=False), channels)
    yield _time_last(stream.resample_chunk(np.zeros((0, channels)), last=True), channels)


def resample(waveform: NDArray[np.floating], rate_in: int, rate_out: int) -> NDArray[np.float64]:
    """A whole waveform `(channel, time)` at another rate, `round(time · rate_out / rate_in)` samples, ±1."""
    whole = iter([waveform.astype(np.float64)])
    return np.concatenate(list(resampled(whole, rate_in, rate_out, len(waveform))), axis=1)


def _time_first(block: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ascontiguousarray(block.T)


def _time_last(block: NDArray[np.float64], channels: int) -> NDArray[np.float64]:
    # soxr drops the channel axis of mono
    return np.ascontiguousarray(block.reshape(-1, channels).T)


class Fifo:
    """A queue of samples; holds what has not been taken yet.

    It holds the blocks themselves, not copies: queues that hold the same blocks need no more memory than one.

    Args:
        channels: number of channels.
    """

    def __init__(self, channels: int) -> None:
        self._held: deque[NDArray[np.float64]] = deque()
        self._nothing = np.zeros((channels, 0))
        self._n_samples = 0

    def __len__(self) -> int:
        return self._n_samples

    def push(self, block: NDArray[np.float64]) -> None:
        """Appends `(channel, time)`, which must not be changed afterwards."""
        if block.shape[1]:
            self._held.append(block)
            self._n_samples += block.shape[1]

    def passing(self, blocks: Blocks) -> Blocks:
        """Passes blocks on and holds each, for comparison with the processed blocks."""
        for block in blocks:
            self.push(block)
            yield block

    def peek(self, n_samples: int) -> NDArray[np.float64]:
        """The first `n_samples`, or as many as there are, `(channel, time)`; they stay."""
        parts: list[NDArray[np.float64]] = []
        missing = n_samples
        for block in self._held:
            if missing <= 0:
                break
            parts.append(block[:, :missing])
            missing -= parts[-1].shape[1]
        return self._together(parts)

    def pop(self, n_samples: int) -> NDArray[np.float64]:
        """Removes and returns the first `n_samples`, or as many as there are, `(channel, time)`."""
        found = self.peek(n_samples)
        self.drop(n_samples)
        return found

    def drop(self, n_samples: int) -> None:
        """Removes the first `n_samples`, or as many as there are."""
        missing = min(n_samples, self._n_samples)
        self._n_samples -= missing
        while missing > 0:
            block = self._held.popleft()
            if block.shape[1] > missing:
                self._held.appendleft(block[:, missing:])
            missing -= min(missing, block.shape[1])

    def _together(self, parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        return parts[0] if len(parts) == 1 else np.concatenate([self._nothing, *parts], axis=1)


def in_step(streams: Sequence[Blocks]) -> Iterator[list[NDArray[np.float64]]]:
    """Streams with different cuts, cut at the same places.

    Args:
        streams: of `(channel, time)` pieces, each as long as the others.

    Yields:
        A piece of each, all of one length.
    """
    held: list[Fifo | None] = [None] * len(streams)
    while True:
        for number, stream in enumerate(streams):
            fifo = held[number]
            while fifo is None or not len(fifo):
                block = next(stream, None)
                if block is None:
                    return
                if fifo is None:
                    fifo = held[number] = Fifo(len(block))
                fifo.push(block)
        ready = [fifo for fifo in held if fifo is not None]
        n_samples = min(map(len, ready))
        yield [fifo.pop(n_samples) for fifo in ready]
