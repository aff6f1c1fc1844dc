"""The methods without learned weights, by their names on the command line."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from concertclean.classical.declick import Declicker
from concertclean.classical.decrackle import decrackler
from concertclean.classical.dehum import Dehummer
from concertclean.classical.given_noise import given_noise
from concertclean.classical.lsa import LSA, logmmse, lsa
from concertclean.classical.material import Material, Source
from concertclean.classical.steady import steady
from concertclean.classical.thumps import Dethumper
from concertclean.dsp.arrays import Blocks


class Stage(Protocol):
    """A step of a restoration, ready to run; works at any sample rate and on any number of channels."""

    def removed(self, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
        """What is removed from `(channel, time)` blocks, full scale ±1: blocks in order, together exactly as long."""


@dataclass(frozen=True)
class Method:
    """A method of the catalogue.

    Attributes:
        description: one sentence.
        make: makes it from the material it learns from, or from None if there is no material.
        learns_from: what that material is; None: the method learns nothing beforehand. A method that learns from the
            recording requires it. If noise is not given, it is estimated while the recording is processed.
    """

    description: str
    make: Callable[[Material | None], Stage]
    learns_from: Source | None = None


def _lsa(noise: Material | None) -> LSA:
    return lsa(None if noise is None else given_noise(noise))


def _logmmse(noise: Material | None) -> LSA:
    method = logmmse()
    return method if noise is None else replace(method, noise=given_noise(noise))


METHODS = {
    "declick": Method("Clicks of up to 4 ms, interpolated from the music around them.", lambda _: Declicker()),
    "decrackle": Method("Crackle (hundreds of small ticks per second), and clicks.", lambda _: decrackler()),
    "dethump": Method("Clicks, and the low thumps after large ones.", lambda _: Dethumper()),
    "dehum": Method("Mains hum of 50 or 60 Hz and its harmonics, found and tracked.", lambda _: Dehummer()),
    "lsa": Method("Steady noise such as hiss, tracked, or learned from a noise profile.", _lsa, "noise"),
    "logmmse": Method("LSA whose noise is the first 120 ms, updated in pauses.", _logmmse, "noise"),
    "steady": Method("Steady noise: floors and lines over the whole recording, in two passes.", steady, "recording"),
}

COMBINATIONS = {"lsa-c": ("declick", "lsa")}
"""Names that stand for several methods in order."""
