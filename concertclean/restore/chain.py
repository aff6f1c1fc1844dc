"""Stages one after the other in one pass: each restores what the stage before has left.

A stage is a method without weights or a network; a recording streams through all of them, so that memory stays what
the stages hold together, and what the chain removes is the recording less what the last stage leaves.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from concertclean.classical.catalogue import COMBINATIONS, METHODS, Stage
from concertclean.classical.material import Material, Source
from concertclean.config.denoise import AUTO
from concertclean.dsp.arrays import Blocks
from concertclean.dsp.resample import Fifo
from concertclean.errors import ConfigError, ModelError
from concertclean.weights.cards import FILE_SUFFIXES, cards_by_word, did_you_mean, load_cards

_NOTHING: Mapping[Source, Material] = MappingProxyType({})


@dataclass(frozen=True)
class Chain:
    """Stages in order.

    Attributes:
        stages: none leave a recording as it is.
    """

    stages: tuple[Stage, ...]

    def removed(self, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
        """What all stages together remove; see `Stage.removed`."""
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
    """Stages of a model, as settings name it.

    A model alone brings the methods that its card names as coming before it; a chain is as it is written.

    Args:
        names: a model, a method, or several between commas; the path of a weights file may hold commas.

    Raises:
        ConfigError: there is nothing between two commas.
        ModelError: a name is neither a model nor a method, nor does it look like the path of a weights file.
    """
    if os.path.isfile(names):
        return (names,)
    parts = [part.strip() for part in names.split(",")]
    if not all(parts):
        raise ConfigError(f"model {names}: a stage has no name; write them as in declick,dehum,gramophone")
    if any(part not in _methods() for part in parts):
        parts = _with_methods_before(parts)
    return tuple(stage for part in parts for stage in COMBINATIONS.get(part, (part,)))


def chain_of(
    stages: Sequence[str], networks: Mapping[str, Stage], materials: Mapping[Source, Material] = _NOTHING
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
    made: list[Stage] = []
    for name in stages:
        if name not in METHODS:
            made.append(networks[name])
            continue
        source = METHODS[name].learns_from
        material = None if source is None else materials.get(source)
        made.append(METHODS[name].make(None if material is None else _left_of(material, tuple(made))))
    return Chain(tuple(made))


def needs_network(names: str) -> bool:
    """Whether a model, as settings name it, is a network, or may turn out to be one.

    Raises:
        ConfigError, ModelError: see `stages_of`.
    """
    return names == AUTO or any(stage not in METHODS for stage in stages_of(names))


def learns_from(stages: Sequence[str], source: Source) -> bool:
    """Whether one of the stages learns from the noise, or from the recording."""
    return any(name in METHODS and METHODS[name].learns_from == source for name in stages)


def require_noise_taker(stages: Sequence[str]) -> None:
    """ConfigError if none of the stages learns from noise."""
    if not learns_from(stages, "noise"):
        takers = " or ".join(name for name, method in METHODS.items() if method.learns_from == "noise")
        raise ConfigError(f"{','.join(stages)}: takes no noise profile; leave it out, or add {takers} to the model")


def _left_of(material: Material, stages: Sequence[Stage]) -> Material:
    """The material as the stages leave it."""

    def read() -> Blocks:
        left = material.read()
        for stage in stages:
            left = left_by(stage, left, material.channels, material.sample_rate)
        return left

    return Material(read, material.channels, material.sample_rate)


def left_by(stage: Stage, blocks: Blocks, channels: int, sample_rate: int) -> Blocks:
    """What a stage leaves of blocks, exactly as long as they are."""
    held = Fifo(channels)
    for removed in stage.removed(held.passing(blocks), channels, sample_rate):
        yield held.pop(removed.shape[1]) - removed


def _with_methods_before(names: Sequence[str]) -> list[str]:
    """Names that all are known, or look like the path of a weights file, which is opened later.

    A model alone is preceded by the methods that its card names.
    """
    cards = load_cards()
    by_word = cards_by_word(cards)
    is_alone = len(names) == 1 and names[0] in by_word
    stages = [*(by_word[names[0]].before if is_alone else ()), *names]
    for name in stages:
        if name in _methods() or name in by_word or "/" in name or "\\" in name or name.endswith(FILE_SUFFIXES):
            continue
        near = did_you_mean(name, (*by_word, *_methods()))
        raise ModelError(
            f"unknown model {name!r}; {near}choose from {', '.join(cards)}; "
            f"methods without weights: {', '.join(_methods())}; or give a weights file"
        )
    return stages


def _methods() -> tuple[str, ...]:
    """Names that need no weights."""
    return (*METHODS, *COMBINATIONS)
