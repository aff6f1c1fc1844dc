"""Stages one after the other in one pass: each restores what the stage before has left.

A stage is a method without weights or a network; a recording streams through all of them, so that memory stays what
the stages hold together, and what the chain removes is the recording less what the last stage leaves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from concertclean.classical.catalogue import COMBINATIONS, METHODS, Remover
from concertclean.classical.heard_noise import HeardNoise
from concertclean.dsp.resample import Fifo
from concertclean.errors import ConfigError, ModelError
from concertclean.models.cards import load_cards

Waveform = NDArray[np.float64]
Blocks = Iterator[Waveform]

_BLOCK = 65_536


class Restorer(Protocol):
    """What restores a recording: a network ready to run, or a chain."""

    @property
    def sample_rate(self) -> int | None:
        """Hz at which it works; None: at any."""

    def removed(self, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
        """What it takes away from a recording.

        Args:
            blocks: `(channel, time)`, full scale ±1.
            channels: of the recording.
            sample_rate: of the recording, Hz.

        Yields:
            `(channel, time)` in order; their sum may miss the recording's length by a sample.
        """


@dataclass(frozen=True)
class Chain:
    """Stages in order.

    Attributes:
        stages: at least one.
        sample_rate: of the first network, Hz; None without one.
    """

    stages: tuple[Remover, ...]
    sample_rate: int | None = None

    def removed(self, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
        """What all stages together take away, exactly as long as the recording; see `Restorer.removed`."""
        if len(self.stages) == 1:
            yield from self.stages[0].removed(blocks, channels, sample_rate)
            return
        held = Fifo(channels)
        left = held.passing(blocks)
        for stage in self.stages:
            left = left_by(stage, left, channels, sample_rate)
        for estimate in left:
            yield held.pop(estimate.shape[1]) - estimate


def stages_of(names: str) -> tuple[str, ...]:
    """Stages of what is written after `--model`.

    A model alone brings the methods that its card wants before it; a chain is as it is written.

    Args:
        names: a model, a method, or several between commas; the path of a weights file may hold commas.

    Raises:
        ConfigError: there is nothing between two commas.
        ModelError: a name is neither a model nor a method, nor does it look like the path of a weights file.
    """
    if Path(names).is_file():
        return (names,)
    stages: list[str] = []
    for name in (part.strip() for part in names.split(",")):
        if not name:
            raise ConfigError(f"--model {names}: a stage has no name; write them as in declick,dehum,gramophone")
        stages += COMBINATIONS.get(name, (name,))
    if len(stages) == 1 and stages[0] not in METHODS:
        stages = [*_before(stages[0]), *stages]
    if any(name not in METHODS for name in stages):
        _require_known([name for name in stages if name not in METHODS])
    return tuple(stages)


def chain_of(
    stages: Sequence[str], networks: Mapping[str, Restorer], noise: tuple[Waveform, int] | None = None
) -> Chain:
    """The chain of some stages.

    Args:
        stages: from `stages_of`.
        networks: for each stage that is no method, the network ready to run.
        noise: `(channel, time)` of the recording's noise alone, and its sample rate in Hz. The stages before the one
            that is told the noise work on it too, as they do on the recording.

    Raises:
        ConfigError: noise is given and no stage wants to know it.
    """
    if noise is not None:
        require_noise_taker(stages)
    made: list[Remover] = []
    for name in stages:
        if name not in METHODS:
            made.append(networks[name])
            continue
        told = noise is not None and METHODS[name].takes_noise
        made.append(METHODS[name].make(_heard(noise, made) if noise is not None and told else None))
    rates = [networks[name].sample_rate for name in stages if name in networks]
    return Chain(tuple(made), rates[0] if rates else None)


def require_noise_taker(stages: Sequence[str]) -> None:
    """ConfigError if none of the stages can be told the noise."""
    if not any(name in METHODS and METHODS[name].takes_noise for name in stages):
        takers = " or ".join(name for name, method in METHODS.items() if method.takes_noise)
        raise ConfigError(f"{','.join(stages)}: takes no --noise-profile; leave it out, or add {takers} to --model")


def _heard(noise: tuple[Waveform, int], before: Sequence[Remover]) -> HeardNoise:
    """The noise as the stages before leave it."""
    waveform, sample_rate = noise
    return HeardNoise(restored(before, waveform, sample_rate), sample_rate)


def restored(stages: Sequence[Remover], waveform: Waveform, sample_rate: int) -> Waveform:
    """What stages leave of a waveform that fits into memory.

    Args:
        stages: in order.
        waveform: `(channel, time)`, full scale ±1.
        sample_rate: Hz.
    """
    left: Blocks = (waveform[:, start : start + _BLOCK] for start in range(0, waveform.shape[1], _BLOCK))
    for stage in stages:
        left = left_by(stage, left, len(waveform), sample_rate)
    return np.concatenate([waveform[:, :0], *left], axis=1)


def left_by(stage: Remover, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
    """What a stage leaves of blocks, exactly as long as they are."""
    held = Fifo(channels)
    for removed in stage.removed(held.passing(blocks), channels, sample_rate):
        found = removed[:, : len(held)]  # a resampler may round the length up by one
        yield held.pop(found.shape[1]) - found
    yield held.pop(len(held))  # or down


def _before(model: str) -> tuple[str, ...]:
    """What the card of a model wants before it; nothing for a weights file."""
    return next((card.before for card in load_cards().values() if model in (card.name, *card.aliases)), ())


def _require_known(names: Sequence[str]) -> None:
    """Every name is a model's, or looks like the path of a weights file, which is opened later."""
    cards = load_cards()
    known = {*cards, *(alias for card in cards.values() for alias in card.aliases)}
    for name in names:
        if name in known or "/" in name or "\\" in name or name.endswith(".safetensors"):
            continue
        raise ModelError(
            f"no model or method is called {name!r}; known models: {', '.join(cards)}; "
            f"methods without weights: {', '.join([*METHODS, *COMBINATIONS])}; or give the path of a weights file"
        )
