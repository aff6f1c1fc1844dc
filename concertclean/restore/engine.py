"""What runs networks, as `inference` sees it: torch or onnxruntime behind one face, on arrays."""

from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Waveforms = NDArray[np.float32]
"""Several waveforms, `(item, channel, time)`, full scale ±1."""


class Network(Protocol):
    """A network for recordings of one channel, or of two.

    Attributes:
        channels: that go through it together.
        alignment: samples; segments start on multiples of it.
        context: samples on each side of a segment that its estimate depends on.
    """

    @property
    def channels(self) -> int: ...  # noqa: D102 - see the class

    @property
    def alignment(self) -> int: ...  # noqa: D102

    @property
    def context(self) -> int: ...  # noqa: D102

    def estimate(self, waveforms: Waveforms) -> Waveforms:
        """Estimates of waveforms, without the context on both sides."""


class Engine(Protocol):
    """A network on its device.

    Attributes:
        name: program and version.
        device: where it runs; "cpu" is the one where segments run side by side.
        precision: of the inner layers.
        sample_rate: Hz.
        n_cores: CPU cores it would use.
        mono: for recordings of one channel.
        stereo: for all others, in pairs.
    """

    name: str
    device: str
    precision: str
    sample_rate: int
    n_cores: int

    @property
    def mono(self) -> Network: ...  # noqa: D102

    @property
    def stereo(self) -> Network: ...  # noqa: D102

    def alone(self) -> AbstractContextManager[None]:
        """Entered while workers compute, each on one core."""

    def begin_worker(self) -> None:
        """Called once in each worker."""

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether an error means that less has to be computed at once."""

    def move_to_cpu(self) -> None:
        """Goes on there after the device had too little memory."""
