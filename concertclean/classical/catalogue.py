"""The methods without learned weights, by their names on the command line.

Each is imported when it is made: together they load a quarter of a second of scipy, which a network does not need.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from concertclean.classical.material import Material, Source
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


def _declick(_: Material | None) -> Stage:
    from concertclean.classical.declick import Declicker

    return Declicker()


def _decrackle(_: Material | None) -> Stage:
    from concertclean.classical.decrackle import decrackler

    return decrackler()


def _dethump(_: Material | None) -> Stage:
    from concertclean.classical.thumps import Dethumper

    return Dethumper()


def _dehum(_: Material | None) -> Stage:
    from concertclean.classical.dehum import Dehummer

    return Dehummer()


def _lsa(noise: Material | None) -> Stage:
    from concertclean.classical.given_noise import given_noise
    from concertclean.classical.lsa import lsa

    return lsa(None if noise is None else given_noise(noise))


def _logmmse(noise: Material | None) -> Stage:
    from concertclean.classical.given_noise import given_noise
    from concertclean.classical.lsa import logmmse

    method = logmmse()
    return method if noise is None else replace(method, noise=given_noise(noise))


def _steady(recording: Material | None) -> Stage:
    from concertclean.classical.steady import steady

    return steady(recording)


METHODS = {
    "declick": Method("Clicks of up to 4 ms, interpolated from the music around them.", _declick),
    "decrackle": Method("Crackle (hundreds of small ticks per second), and clicks.", _decrackle),
    "dethump": Method("Clicks, and the low thumps after large ones.", _dethump),
    "dehum": Method("Mains hum of 50 or 60 Hz and its harmonics, found and tracked.", _dehum),
    "lsa": Method("Steady noise such as hiss, tracked, or learned from a noise profile.", _lsa, "noise"),
    "logmmse": Method("LSA whose noise is the first 120 ms, updated in pauses.", _logmmse, "noise"),
    "steady": Method("Steady noise: floors and lines over the whole recording, in two passes.", _steady, "recording"),
}

COMBINATIONS = {"lsa-c": ("declick", "lsa")}
"""Names that stand for several methods in order."""
