"""Crackle taken out: hundreds of small ticks a second that stand hardly higher than the noise.

The search of the declicker with its bars let down. So near to the noise height says little, and it is the proof that
decides: a tick is what the music on both sides does not account for, so that the error falls when it is filled. Ticks
are filled with as much of what was heard as their level allows; where crackle is as dense as its own length, nothing
on either side is certain any more and part of it stays.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from concertclean.classical.declick import Declicker

Floats = NDArray[np.float64]


class Decrackler:
    """Removes crackle, and clicks with it; every sample outside ticks stays as it is.

    Clean music loses more than to the declicker: this is for discs that crackle.

    Args:
        threshold: height of a tick over the usual peaks around it; most peaks of noise reach it.
        extent: level of both prediction errors, in their standard deviations, down to which a tick lasts.
        proof: factor by which the error's energy must fall when a tick is filled.
        order: of the searching models at 44.1 kHz.
        iterations: searches; each finds ticks that larger ones beside them have hidden.
    """

    def __init__(
        self,
        *,
        threshold: float = 0.8,
        extent: float = 2.0,
        proof: float = 1.3,
        order: int = 32,
        iterations: int = 4,
    ) -> None:
        self._ticks = Declicker(
            threshold=threshold,
            extent=extent,
            proof=proof,
            order=order,
            iterations=iterations,
            merge_seconds=0.0001,  # ticks are near to each other: what lies between them is known
        )

    def removed(self, blocks: Iterator[Floats], channels: int, sample_rate: int) -> Iterator[Floats]:
        """What the crackle adds to a waveform: input less estimate, zero outside ticks.

        Args:
            blocks: `(channel, time)` in order, cut anywhere, full scale ±1.
            channels: of the waveform; each is searched alone.
            sample_rate: Hz.

        Yields:
            `(channel, time)` pieces, together as long as the input.
        """
        yield from self._ticks.removed(blocks, channels, sample_rate)
