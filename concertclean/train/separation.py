"""Training of networks that separate songs into stems: first weights, items, validation, and all of it in one call."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from concertclean.config.mixing import SeparateLaw
from concertclean.config.training import SeparateTrainingSettings
from concertclean.dataset.batches import Items
from concertclean.dataset.bleed.separation import SeparationMixer
from concertclean.errors import ConfigError
from concertclean.runtime.devices import choose_device
from concertclean.train.checkpoint import STATE_NAME
from concertclean.train.distributed import Place
from concertclean.train.items import batch_source, item_length
from concertclean.train.loop import Environment, Run
from concertclean.train.validation import validate_separation
from concertclean.weights.building import architecture_of, build_model
from concertclean.weights.loading import load_model

Note = Callable[[str], None]

_LOSSES = ("waveform_mse", "waveform_l1", "spectrogram_mse")
_SURVEYED = 100  # excerpts from which a network learns the mean and spread of each frequency


def separation_network(settings: SeparateTrainingSettings) -> nn.Module:
    """The network with its first weights.

    Raises:
        ConfigError: the network or the loss is not for separation.
    """
    name = settings.network.architecture
    row = architecture_of(name, "network.architecture")
    if row.task != "separate":
        raise ConfigError(f"mixing.task=separate: {name} {row.purpose}; or choose a network that separates")
    if settings.loss.name not in (None, *_LOSSES):
        raise ConfigError(f"loss.name={settings.loss.name}: choose from {', '.join(_LOSSES)} for a network of stems")
    network = build_model(name, settings.network.config, "network")
    if not network.instruments:
        raise ConfigError("network.config.instruments: name the stems, such as bass, drums, other, vocals")
    if network.channels != 1:
        raise ConfigError(
            f"the network needs {network.channels} channels, the stems of a bleed dataset are mono; "
            "set network.config.channels to 1"
        )
    if settings.network.init is not None:
        network.load_state_dict(load_model(settings.network.init, task="separate").model.state_dict())
    return network


def separation_environment(
    settings: SeparateTrainingSettings, network: Any, folder: Path, place: Place, note: Note, *, overfit: int = 0
) -> Environment:
    """Items, validation and facts for a run.

    Args:
        settings: of the run.
        network: from `separation_network`; one that begins with the statistics of its input receives them.
        folder: of the run.
        place: of this process.
        note: receives a sentence where nothing can be validated.
        overfit: only so many items, repeated; 0: always new ones.

    Raises:
        ConfigError: the dataset does not fit the network.
    """
    dataset = settings.data.dataset
    mixer = SeparationMixer(dataset, settings.mixing, network.instruments, settings.run.seed)
    if network.sample_rate != mixer.sample_rate:
        raise ConfigError(
            f"{dataset}: has {mixer.sample_rate} Hz, the network needs {network.sample_rate}; build another"
        )
    n_samples = item_length(settings, network, mixer.sample_rate)
    if settings.network.init is None:
        _standardise(network, mixer, n_samples)
    give = batch_source(settings.data, Items(mixer, n_samples), place, overfit)
    facts = {"training_data": f"{mixer.n_songs} songs of {dataset.name}"}
    judge = _judge(settings, network.instruments, n_samples, place, note)
    return Environment(folder, give, judge, rank=place.rank, world_size=place.world_size, facts=facts)


def _standardise(network: Any, mixer: SeparationMixer, n_samples: int) -> None:
    """Gives a network that begins with the statistics of its input some of that."""
    if hasattr(network, "standardise"):
        mixtures = (mixer.item(number, n_samples).degraded for number in range(_SURVEYED))
        network.standardise(torch.from_numpy(mixture) for mixture in mixtures)


def _judge(
    settings: SeparateTrainingSettings, instruments: tuple[str, ...], n_samples: int, place: Place, note: Note
) -> Callable[[nn.Module], dict[str, float]] | None:
    """Validation on songs that no item comes from, at their own levels; the same every time, None if none."""
    try:
        law = SeparateLaw(task="separate")
        mixer = SeparationMixer(settings.data.dataset, law, instruments, settings.run.seed, "validation")
    except ConfigError as error:
        if place.rank == 0:
            note(f"{error}: the last weights are taken, not the best")
        return None

    def judge(model: nn.Module) -> dict[str, float]:
        items = (mixer.item(number, n_samples) for number in range(settings.run.validation_items))
        return validate_separation(model, items, instruments, place.device)

    return judge


def train_separator(settings: SeparateTrainingSettings, folder: Path, log: Callable[[int], None], note: Note) -> Path:
    """Train a separator in this process, from the beginning or from where a run in the folder was stopped.

    Args:
        settings: of the run.
        folder: of the run; created.
        log: receives the number of steps done, now and then.
        note: receives a sentence where nothing can be validated.

    Returns:
        The weights, best at validation.

    Raises:
        ConfigError: the settings, the dataset and the network do not fit each other, or the folder holds another run.
        TrainingError: the gradient was not finite twenty steps in a row.
    """
    if settings.run.threads:
        torch.set_num_threads(settings.run.threads)
    torch.manual_seed(settings.run.seed)
    place = Place(0, 1, choose_device(settings.run.device))
    network = separation_network(settings)
    around = separation_environment(settings, network, folder, place, note)
    around.log = lambda line: log(line["step"])
    folder.mkdir(parents=True, exist_ok=True)
    Run(settings, network, place.device, around, resume=os.path.exists(folder / STATE_NAME)).train()
    return folder / f"{settings.name}.safetensors"
