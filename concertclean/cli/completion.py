"""Values that the shell offers after an option; `concertclean --install-completion` sets that up."""

from collections.abc import Iterable
from typing import Final

OTHER_ARCHITECTURES: Final = frozenset(
    {
        "cae",
        "noise_detector",
        "open_unmix",
        "scene_classifier",
        "tunet",
        "wave_unet_separator",
        "wave_unet_sinc_separator",
    }
)
"""Architectures that restore nothing; their table would load torch, which a shell cannot wait for."""


def models(incomplete: str) -> list[str]:
    """Names of models and methods; after a comma, those of the next stage of a chain."""
    from concertclean.classical.catalogue import COMBINATIONS, METHODS
    from concertclean.config.denoise import AUTO
    from concertclean.weights.cards import load_cards

    before, comma, begun = incomplete.rpartition(",")
    restoring = [name for name, card in load_cards().items() if card.architecture not in OTHER_ARCHITECTURES]
    names = [*METHODS, *COMBINATIONS, *restoring] + ([] if comma else [AUTO])
    return [before + comma + name for name in _fitting(names, begun)]


def presets(incomplete: str) -> list[str]:
    """Names of presets."""
    from concertclean.config.denoise import PRESETS

    return _fitting(PRESETS, incomplete)


def formats(incomplete: str) -> list[str]:
    """Formats of outputs."""
    from concertclean.audio_io.formats import FORMATS

    return _fitting(["keep", *(name for name, entry in FORMATS.items() if entry.is_writable)], incomplete)


def devices(incomplete: str) -> list[str]:
    """Devices, whether this machine has them or not: to look would take seconds."""
    return _fitting(["auto", "cpu", "cuda", "mps"], incomplete)


def _fitting(names: Iterable[str], begun: str) -> list[str]:
    return sorted(name for name in names if name.startswith(begun))
