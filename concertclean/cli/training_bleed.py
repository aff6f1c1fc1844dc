"""What `concertclean train` needs for networks that reduce bleed."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from concertclean.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from concertclean.config.training import BleedTrainingSettings
    from concertclean.dataset.bleed.mixer import BleedMixer
    from concertclean.train.distributed import Place
    from concertclean.train.loop import Environment


def bleed_network(settings: "BleedTrainingSettings") -> "nn.Module":
    """The network with its first weights.

    Raises:
        ConfigError: the loss is not the one for this network.
    """
    from concertclean.weights.building import build_model, task_of
    from concertclean.weights.loading import load_matrix_model, load_model

    finds_matrices = task_of(settings.network.architecture, "network.architecture") == "unmix"
    fitting = ("matrix",) if finds_matrices else ("magnitude", "windows")
    if settings.loss.name not in (None, *fitting) or finds_matrices != (settings.mixing.stem is None):
        stem = "no mixing.stem" if finds_matrices else "a mixing.stem"
        raise ConfigError(
            f"{settings.network.architecture} is trained with loss.name={' or '.join(fitting)} and {stem}"
        )
    network = build_model(settings.network.architecture, settings.network.config, "network")
    if settings.network.init is not None:
        path = settings.network.init
        first = load_matrix_model(Path(path)) if finds_matrices else load_model(path, task="debleed").model
        network.load_state_dict(first.state_dict())
    return network


def bleed_environment(
    settings: "BleedTrainingSettings", network: "nn.Module", folder: Path, place: "Place", *, overfit: int
) -> "Environment":
    """Items and facts for a run.

    Raises:
        ConfigError: the dataset does not fit the network.
    """
    from concertclean.dataset.batches import Items
    from concertclean.dataset.bleed.mixer import BleedMixer
    from concertclean.train.items import batch_source
    from concertclean.train.loop import Environment

    dataset = settings.data.dataset
    n_microphones: Any = network.channels
    n_tracks: Any = getattr(network, "n_stems", n_microphones)
    n_more, instruments = n_microphones - n_tracks, getattr(network, "instruments", ())
    draws = partial(
        BleedMixer, dataset, n_tracks=n_tracks, seed=settings.run.seed, instruments=instruments, n_more=n_more
    )
    mixer = draws(law=settings.mixing)
    if network.sample_rate != mixer.sample_rate:
        raise ConfigError(
            f"{dataset}: has {mixer.sample_rate} Hz, the network needs {network.sample_rate}; build another"
        )
    n_samples: Any = getattr(network, "segment", round(settings.data.seconds * mixer.sample_rate))
    items = Items(mixer, n_samples)

    give = batch_source(settings.data, items, place, overfit)
    facts = {"training_data": f"{mixer.n_songs} songs of {dataset.name}"}
    judge = _judge(settings, draws, n_samples, place)
    return Environment(folder, give, judge, rank=place.rank, world_size=place.world_size, facts=facts)


def _judge(
    settings: "BleedTrainingSettings", draws: "Callable[..., BleedMixer]", n_samples: int, place: "Place"
) -> "Callable[[nn.Module], dict[str, float]] | None":
    """Validation on bands of songs that no item comes from, as they are played; the same every time, None if none."""
    from concertclean.cli import console
    from concertclean.train.validation import validate_bleed

    try:
        mixer = draws(law=settings.mixing.model_copy(update={"speeds": (1.0, 1.0)}), side="validation")
    except ConfigError as error:
        if place.rank == 0:
            console.note(f"{error}: the last weights are taken, not the best")
        return None

    def judge(model: "nn.Module") -> dict[str, float]:
        bands = (mixer.item(number, n_samples) for number in range(settings.run.validation_items))
        return validate_bleed(_dry_by(model, settings), bands, place.device)

    return judge


def _dry_by(model: "nn.Module", settings: "BleedTrainingSettings") -> "Callable[[Tensor], Tensor]":
    """Maps `(1, microphone, time)` to stems `(1, stem, time)`."""
    from concertclean.train.objective import unmixed

    if settings.mixing.stem is None:
        return lambda microphones: unmixed(model(microphones).float(), microphones)
    return lambda microphones: model(microphones)[:, 0]
