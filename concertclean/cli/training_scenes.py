"""What `concertclean train` needs for the classifier of scenes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from concertclean.cli import console
from concertclean.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

    from concertclean.config.training import DetectTrainingSettings
    from concertclean.dataset.store import Store
    from concertclean.networks.scene_classifier import SceneClassifier
    from concertclean.train.distributed import Place
    from concertclean.train.loop import Environment

_ITEMS_A_RATIO = 12  # of validation: run.validation_items of each scene, times this


def scene_network(settings: "DetectTrainingSettings") -> "nn.Module":
    """The classifier with its first weights.

    Raises:
        ConfigError: the loss is not the one for it.
    """
    from concertclean.weights.building import build_model
    from concertclean.weights.loading import load_scene_classifier

    if settings.loss.name not in (None, "scene"):
        raise ConfigError(f"{settings.network.architecture} is trained with loss.name=scene, got {settings.loss.name}")
    network = build_model(settings.network.architecture, settings.network.config, "network")
    if settings.network.init is not None:
        network.load_state_dict(load_scene_classifier(settings.network.init).state_dict())
    return network


def scene_environment(
    settings: "DetectTrainingSettings", folder: Path, place: "Place", *, overfit: int
) -> "Environment":
    """Items, validation and facts for a run."""
    from concertclean.dataset.batches import Items
    from concertclean.dataset.check import stock
    from concertclean.dataset.scenes import Scenes
    from concertclean.dataset.store import Store
    from concertclean.train.items import batch_source
    from concertclean.train.loop import Environment

    store = Store(settings.data.dataset)
    scenes = Scenes(store, settings.mixing, "train", settings.run.seed)
    n_samples = round(settings.data.seconds * scenes.sample_rate)
    give = batch_source(settings.data, Items(scenes, n_samples), place, overfit)
    hours = {one.role: one.seconds / 3600 for one in stock(store) if one.split == "train"}
    facts = {"training_data": ", ".join(f"{value:.1f} h {role}" for role, value in hours.items())}
    judge = _judge(settings, store, n_samples, place)
    return Environment(folder, give, judge, rank=place.rank, world_size=place.world_size, facts=facts)


def _judge(
    settings: "DetectTrainingSettings", store: "Store", n_samples: int, place: "Place"
) -> "Callable[[nn.Module], dict[str, Any]] | None":
    """Accuracy on items of the validation side, the same every time; None if it lacks something."""
    from concertclean.dataset.scenes import Scenes
    from concertclean.train.validation import validate_scenes

    try:
        scenes = Scenes(store, settings.mixing, "validation", settings.run.seed)
    except ConfigError as error:
        if place.rank == 0:
            console.note(f"{error}: the last weights are taken, not the best")
        return None

    def judge(model: "nn.Module") -> dict[str, Any]:
        n_items = settings.run.validation_items * _ITEMS_A_RATIO
        items = (scenes.item(number, n_samples) for number in range(n_items))
        return validate_scenes(cast("SceneClassifier", model), items, place.device)

    return judge
