"""Stages one after the other in one pass: each restores what the stage before has left.

A stage is a method without weights or a network; a recording streams through all of them, so that memory stays what
the stages hold together, and what the chain removes is the recording less what the last stage leaves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from concertclean.classical.catalogue import COMBINATIONS, METHODS, Remover
from concertclean.classical.material import Blocks, Material, Source, Waveform, material_of
from concertclean.dsp.resample import Fifo
from concertclean.errors import ConfigError, ModelError
from concertclean.weights.cards import cards_by_word, load_cards

_NAMES = (*METHODS, *COMBINATIONS)  # that need no weights
_NOTHING: Mapping[Source, Material] = MappingProxyType({})


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
    parts = [part.strip() for part in names.split(",")]
    if not all(parts):
        raise ConfigError(f"--model {names}: a stage has no name; write them as in declick,dehum,gramophone")
    if any(part not in _NAMES for part in parts):
        parts = _as_cards_want(parts)
    return tuple(stage for part in parts for stage in COMBINATIONS.get(part, (part,)))


def chain_of(
    stages: Sequence[str], networks: Mapping[str, Restorer], materials: Mapping[Source, Material] = _NOTHING
) -> Chain:
    """The chain of some stages.

    Args:
        stages: from `stages_of`.
        networks: for each stage that is no method, the network ready to run.
        materials: what methods learn from before they work. The stages before such a method work on the material
            too, as they do on the recording; a method that learns from the recording reads it here, once.

    Raises:
        ConfigError: noise is given and no stage learns from it.
    """
    if "noise" in materials:
        require_noise_taker(stages)
    made: list[Remover] = []
    for name in stages:
        if name not in METHODS:
            made.append(networks[name])
            continue
        source = METHODS[name].learns_from
        material = None if source is None else materials.get(source)
        made.append(METHODS[name].make(None if material is None else _left_of(material, tuple(made))))
    rates = [networks[name].sample_rate for name in stages if name in networks]
    return Chain(tuple(made), rates[0] if rates else None)


def learns_from(stages: Sequence[str], source: Source) -> bool:
    """Whether one of the stages learns from the noise, or from the recording."""
    return any(name in METHODS and METHODS[name].learns_from == source for name in stages)


def require_noise_taker(stages: Sequence[str]) -> None:
    """ConfigError if none of the stages learns from noise."""
    if not learns_from(stages, "noise"):
        takers = " or ".join(name for name, method in METHODS.items() if method.learns_from == "noise")
        raise ConfigError(f"{','.join(stages)}: takes no --noise-profile; leave it out, or add {takers} to --model")


def _left_of(material: Material, stages: Sequence[Remover]) -> Material:
    """The material as the stages leave it."""

    def read() -> Blocks:
        left = material.read()
        for stage in stages:
            left = left_by(stage, left, material.channels, material.sample_rate)
        return left

    return Material(read, material.channels, material.sample_rate)


def restored(stages: Sequence[Remover], waveform: Waveform, sample_rate: int) -> Waveform:
    """What stages leave of a waveform that fits into memory.

    Args:
        stages: in order.
        waveform: `(channel, time)`, full scale ±1.
        sample_rate: Hz.
    """
    return _left_of(material_of(waveform, sample_rate), stages).waveform()


def left_by(stage: Remover, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
    """What a stage leaves of blocks, exactly as long as they are."""
    held = Fifo(channels)
    for removed in stage.removed(held.passing(blocks), channels, sample_rate):
        found = removed[:, : len(held)]  # a resampler may round the length up by one
        yield held.pop(found.shape[1]) - found
    yield held.pop(len(held))  # or down


def _as_cards_want(names: Sequence[str]) -> list[str]:
    """Names that all are known, or look like the path of a weights file, which is opened later.

    A model alone gets what its card wants before it.
    """
    cards = load_cards()
    by_word = cards_by_word(cards)
    is_alone = len(names) == 1 and names[0] in by_word
    wanted = [*(by_word[names[0]].before if is_alone else ()), *names]
    for name in wanted:
        if name in _NAMES or name in by_word or "/" in name or "\\" in name or name.endswith(".safetensors"):
            continue
        raise ModelError(
            f"no model or method is called {name!r}; known models: {', '.join(cards)}; "
            f"methods without weights: {', '.join(_NAMES)}; or give the path of a weights file"
        )
    return wanted
