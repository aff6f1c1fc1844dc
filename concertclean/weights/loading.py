"""The one place that joins a network with its weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from torch import nn

from concertclean.errors import ModelError
from concertclean.files.download import Progress
from concertclean.networks.architectures import Task
from concertclean.networks.layers.waveform_model import WaveformModel
from concertclean.networks.noise_detector import NoiseDetector
from concertclean.networks.scene_classifier import SceneClassifier
from concertclean.networks.tunet import TUNet
from concertclean.weights.building import architecture_of, build_fitting
from concertclean.weights.cards import ModelCard
from concertclean.weights.file_format import WeightsHeader, load_state, read_header
from concertclean.weights.locating import known_card, locate_weights

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class LoadedModel(Generic[Network]):
    """A network with its weights.

    Attributes:
        model: the network in evaluation mode on the CPU.
        card: its card; None for a weights file of the user's own.
        path: the weights file.
        sha256: of that file.
        header: what the file says about itself.
    """

    model: Network
    card: ModelCard | None
    path: Path
    sha256: str
    header: WeightsHeader


def load_model(
    name_or_path: str | Path, *, task: Task = "restore", offline: bool = False, progress: Progress | None = None
) -> LoadedModel[WaveformModel]:
    """Return a network from waveforms to waveforms with its weights, fetched and checked.

    Args:
        name_or_path: a model's name or alias, or the path of a weights file.
        task: what it has to be for: "restore" or "debleed".
        offline: never use the network.
        progress: called with the bytes fetched so far and all bytes, or None where the server does not say.

    Returns:
        The network, ready to run, and where it came from.

    Raises:
        ModelError: unknown name or architecture, a model for another task, wrong sha256, damaged or unfit weights.
        OfflineError: the weights are not here and the network is off or away.
    """
    return _load(name_or_path, task, WaveformModel, offline=offline, progress=progress)


def load_matrix_model(name_or_path: str | Path) -> TUNet:
    """Return a network that finds how a band is mixed, with its weights; see `load_model`."""
    loaded: LoadedModel[TUNet] = _load(name_or_path, "unmix", TUNet)
    return loaded.model


def load_scene_classifier(name_or_path: str | Path = "scenes", *, offline: bool = False) -> SceneClassifier:
    """Return the classifier of scenes with its weights; see `load_model`."""
    loaded: LoadedModel[SceneClassifier] = _load(name_or_path, "detect", SceneClassifier, offline=offline)
    return loaded.model


def load_noise_detector(name_or_path: str | Path = "noise-detector", *, offline: bool = False) -> NoiseDetector:
    """Return the detector of noise without music, with its weights; see `load_model`."""
    loaded: LoadedModel[NoiseDetector] = _load(name_or_path, "detect", NoiseDetector, offline=offline)
    return loaded.model


def _load(
    name_or_path: str | Path,
    task: Task,
    kind: type[Any],
    *,
    offline: bool = False,
    progress: Progress | None = None,
) -> LoadedModel[Any]:
    """A network of one task and kind; a card of another is refused before its weights are fetched."""
    card = known_card(name_or_path)
    if card is not None:
        _require(card.architecture, task, kind, str(name_or_path))
    located = locate_weights(name_or_path, offline=offline, progress=progress)
    header = read_header(located.path)
    _require(header.architecture, task, kind, str(name_or_path))
    model = build_fitting(header, located.path)
    if located.card is not None:
        _check_card(located.card, model, header, located.path)
    try:
        model.load_state_dict(load_state(located.path), strict=True)
    except (RuntimeError, TypeError) as error:
        raise ModelError(
            f"{located.path}: its tensors do not fit the network its header describes ({error}); "
            "fetch the weights again, or update concertclean"
        ) from error
    return LoadedModel(model.eval(), located.card, located.path, located.sha256, header)


def _require(architecture: str, task: Task, kind: type[Any], place: str) -> None:
    """ModelError for a model that is for something else; the message says what, and what to use instead."""
    row = architecture_of(architecture, place)
    is_kind = not isinstance(row.build, type) or issubclass(row.build, kind)
    if row.task != task or not is_kind:
        raise ModelError(f"{place}: {row.purpose}")


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
