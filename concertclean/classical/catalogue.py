"""The methods without learned weights, by the names they have on the command line."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from concertclean.classical.declick import Declicker
from concertclean.classical.decrackle import decrackler
from concertclean.classical.dehum import Dehummer
from concertclean.classical.lsa import LSA, logmmse, lsa
from concertclean.classical.noise_floor import NoiseEstimator
from concertclean.classical.thumps import Dethumper

Blocks = Iterator[NDArray[np.float64]]


class Remover(Protocol):
    """What a method is once it is made; works at any sample rate and on any number of channels."""

    def removed(self, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
        """What is taken away from `(channel, time)` blocks, together exactly as long."""


@dataclass(frozen=True)
class Method:
    """A method of the catalogue.

    Attributes:
        description: one sentence.
        make: makes it; takes the noise, or None where it has to be found or plays no part.
        takes_noise: whether it can be told the noise.
    """

    description: str
    make: Callable[[NoiseEstimator | None], Remover]
    takes_noise: bool = False


def _lsa(noise: NoiseEstimator | None) -> LSA:
    return lsa(noise)


def _logmmse(noise: NoiseEstimator | None) -> LSA:
    method = logmmse()
    return method if noise is None else replace(method, noise=noise)


METHODS = {
    "declick": Method("Clicks of up to 4 ms, interpolated from what surrounds them.", lambda _: Declicker()),
    "decrackle": Method("Crackle, hundreds of small ticks a second, and clicks with it.", lambda _: decrackler()),
    "dethump": Method("Clicks, and the low thumps behind large ones.", lambda _: Dethumper()),
    "dehum": Method("Mains hum of 50 or 60 Hz and its harmonics, found and followed.", lambda _: Dehummer()),
    "lsa": Method("Steady noise such as hiss, tracked or told by --noise-profile.", _lsa, takes_noise=True),
    "logmmse": Method("LSA whose noise is the first 120 ms, learned on in pauses.", _logmmse, takes_noise=True),
}

COMBINATIONS = {"lsa-c": ("declick", "lsa")}
"""Names that stand for several methods in order."""
