"""The networks by name, and the one place that joins a network with its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import nn

from concertclean.errors import ModelError
from concertclean.networks.cae import CAE
from concertclean.networks.kanunet_eca import KANUNetECA
from concertclean.networks.noise_detector import NoiseDetector
from concertclean.networks.scene_classifier import SceneClassifier
from concertclean.networks.tunet import TUNet
from concertclean.networks.two_stage_unet import TwoStageUNet
from concertclean.weights.cards import ModelCard
from concertclean.weights.download import Progress
from concertclean.weights.file_format import WeightsHeader, load_state, read_header
from concertclean.weights.sources import check_out

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "cae": CAE,
    "kanunet_eca": KANUNetECA,
    "noise_detector": NoiseDetector,
    "two_stage_unet": TwoStageUNet,
}

MATRIX_ARCHITECTURES: dict[str, type[nn.Module]] = {"tunet": TUNet}
"""Networks that say how a band is mixed, waveforms in and matrices out."""

DETECT_ARCHITECTURES: dict[str, type[nn.Module]] = {"scene_classifier": SceneClassifier}
"""Networks that say what a recording is, waveforms in and probabilities out."""


@dataclass(frozen=True)
class LoadedModel:
    """A network with its weights.

    Attributes:
        model: the network in evaluation mode on the CPU; `(batch, channel, time)` to
            `(batch, stem, channel, time)`.
        card: its card; None for a weights file of the user's own.
        path: the weights file.
        sha256: of that file.
        header: what the file says about itself.
    """

    model: nn.Module
    card: ModelCard | None
    path: Path
    sha256: str
    header: WeightsHeader


def load_model(
    name_or_path: str | Path,
    *,
    offline: bool = False,
    progress: Progress | None = None,
    table: Mapping[str, type[nn.Module]] = ARCHITECTURES,
) -> LoadedModel:
    """Return a network with its weights, fetched and checked.

    Args:
        name_or_path: a model's name or alias, or the path of a weights file.
        offline: never use the network.
        progress: called with the bytes fetched so far and all bytes, or None where the server does not say.
        table: the networks it may be one of.

    Returns:
        The network, ready to run, and where it came from.

    Raises:
        ModelError: unknown name or architecture, wrong sha256, damaged or unfit weights.
        OfflineError: the weights are not here and the network is off or away.
    """
    located = check_out(name_or_path, offline=offline, progress=progress)
    header = read_header(located.path)
    model = build_model(header.architecture, header.config, located.path, table)
    if located.card is not None:
        _check_card(located.card, model, header, located.path)
    try:
        model.load_state_dict(load_state(located.path), strict=True)
    except RuntimeError as error:
        raise ModelError(
            f"{located.path}: its tensors do not fit the network its header describes ({error}); "
            "fetch the weights again, or update concertclean"
        ) from error
    return LoadedModel(model.eval(), located.card, located.path, located.sha256, header)


def load_matrix_model(name_or_path: str | Path) -> TUNet:
    """Return a network that says how a band is mixed, with its weights; see `load_model`."""
    return cast(TUNet, load_model(name_or_path, table=MATRIX_ARCHITECTURES).model)


def load_scene_classifier(name_or_path: str | Path = "scenes", *, offline: bool = False) -> SceneClassifier:
    """Return the classifier of scenes with its weights; see `load_model`."""
    return cast(SceneClassifier, load_model(name_or_path, offline=offline, table=DETECT_ARCHITECTURES).model)


def build_model(
    architecture: str,
    config: Mapping[str, Any],
    place: str | Path,
    table: Mapping[str, type[nn.Module]] = ARCHITECTURES,
) -> nn.Module:
    """Return a network with fresh parameters.

    Args:
        architecture: key of the table.
        config: keyword arguments of its constructor.
        place: where these come from, a weights file or a recipe, for messages.
        table: the networks to choose from.

    Returns:
        The network.

    Raises:
        ModelError: unknown architecture, or settings it does not take.
    """
    if architecture not in table and architecture in {**ARCHITECTURES, **MATRIX_ARCHITECTURES, **DETECT_ARCHITECTURES}:
        raise ModelError(
            f"{place}: a {architecture} has another job; wanted here: {', '.join(table)}; "
            "`concertclean models list` shows which model is for what"
        )
    if architecture not in table:
        raise ModelError(
            f"{place}: unknown architecture {architecture!r}; known: {', '.join(table)}; "
            "correct the name, or update concertclean"
        )
    try:
        return table[architecture](**config)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{place}: {architecture} does not take these settings ({error}); correct them, or update concertclean"
        ) from error


def _check_card(card: ModelCard, model: nn.Module, header: WeightsHeader, path: Path) -> None:
    """A card that promises another network would mislead everything that reads it."""
    promised = {"architecture": card.architecture, "sample_rate": card.sample_rate, "channels": card.channels}
    found = {
        "architecture": header.architecture,
        "sample_rate": model.sample_rate,
        "channels": model.channels,
    }
    wrong = [f"{key} {promised[key]}, found {found[key]}" for key in promised if promised[key] != found[key]]
    if wrong:
        raise ModelError(f"{path}: not what the card of {card.name} promises: {'; '.join(wrong)}; correct models.toml")
