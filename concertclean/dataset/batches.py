"""Items for the training loop: shuffled by seed, distributed to processes and devices by number.

Item n of a run depends on n alone. Step s takes items `s·B` to `s·B + B - 1`, whatever the number of devices and
worker processes, so a run can stop after any step and continue as if it had not stopped.
"""

import signal
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from concertclean.dataset.mixing import Item

Batch = tuple[Tensor, Tensor, list[str]]


class Mixes(Protocol):
    """A source of items by number."""

    def item(self, number: int, n_samples: int) -> Item:
        """Item `number`, of this length."""


class Items(Dataset[tuple[Tensor, Tensor, str]]):
    """Items of a mixer by number.

    Args:
        mixer: makes them.
        n_samples: length of each.
    """

    def __init__(self, mixer: Mixes, n_samples: int) -> None:
        self._mixer, self._n_samples = mixer, n_samples

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor, str]:
        item = self._mixer.item(number, self._n_samples)
        return torch.from_numpy(item.degraded), torch.from_numpy(item.clean), item.description


class Share(Sampler[list[int]]):
    """The items of each step on one device.

    Args:
        batch: items a step over all devices, a multiple of `world_size`.
        first_step: step to begin with.
        n_steps: step to end before.
        rank: of this device.
        world_size: devices.
        n_items: number of different items, which repeat; 0: always new ones.
    """

    def __init__(
        self, *, batch: int, first_step: int, n_steps: int, rank: int = 0, world_size: int = 1, n_items: int = 0
    ) -> None:
        if batch % world_size:
            raise ValueError(f"batch is {batch}, must be a multiple of {world_size}, the number of devices")
        self._batch, self._steps = batch, range(first_step, n_steps)
        self._share, self._rank = batch // world_size, rank
        self._n_items = n_items

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            first = step * self._batch + self._rank * self._share
            numbers = range(first, first + self._share)
            yield [number % self._n_items if self._n_items else number for number in numbers]

    def __len__(self) -> int:
        return len(self._steps)


def batches(items: Items, share: Share, workers: int, *, pin: bool = False) -> Iterator[Batch]:
    """Batches `(degraded, clean, descriptions)` in order, waveforms `(batch, channel, time)`.

    Args:
        items: the items.
        share: which of them.
        workers: processes that mix; 0: this one.
        pin: put them into memory that a GPU can read directly.
    """
    loader = DataLoader(
        items,
        batch_sampler=share,
        num_workers=workers,
        prefetch_factor=6 if workers else None,
        pin_memory=pin,
        collate_fn=_collate,
        worker_init_fn=_begin_worker,
    )
    yield from loader


def _collate(items: list[tuple[Tensor, Tensor, str]]) -> Batch:
    degraded, clean, descriptions = zip(*items, strict=True)
    return torch.stack(degraded), torch.stack(clean), list(descriptions)


def _begin_worker(_: int) -> None:
    """One thread; ignores signals sent to all processes: the loop decides when to end."""
    torch.set_num_threads(1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
