"""How the items of a run reach its steps, whatever they are items of."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import nn

from concertclean.config.training import DataSettings, Recipe
from concertclean.dataset.batches import Items, Share, batches
from concertclean.errors import ConfigError
from concertclean.train.distributed import Place


def batch_source(data: DataSettings, items: Items, place: Place, overfit: int) -> Callable[[int, int], Iterator[Any]]:
    """The batches of a run, from one step to another.

    Args:
        data: batch and workers.
        items: to be shared out.
        place: of this process among those that share each batch.
        overfit: only so many items, repeated; 0: always new ones.
    """

    def give(first: int, end: int) -> Iterator[Any]:
        share = Share(
            batch=data.batch,
            first_step=first,
            n_steps=end,
            rank=place.rank,
            world_size=place.world_size,
            n_items=overfit,
        )
        return batches(items, share, data.workers, pin=place.device.type == "cuda")

    return give


def item_length(settings: Recipe, network: nn.Module, sample_rate: int) -> int:
    """Samples of an item.

    Raises:
        ConfigError: the network finds nothing in so short an item.
    """
    n_samples = round(settings.data.seconds * sample_rate)
    shortest: Any = getattr(network, "shortest", 1)
    if n_samples < shortest:
        raise ConfigError(
            f"data.seconds={settings.data.seconds:g}: {settings.network.architecture} needs {shortest} samples, "
            f"{shortest / sample_rate:.3f} seconds; give more"
        )
    return n_samples
