"""Several devices or machines, as `torchrun` starts them: one process a device."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist

from concertclean.runtime.devices import choose_device


@dataclass(frozen=True)
class Place:
    """Where this process stands.

    Attributes:
        rank: its number.
        world_size: how many there are.
        device: its own.
    """

    rank: int
    world_size: int
    device: torch.device

    def any(self, is_true: bool) -> bool:
        """Whether it is true in any of the processes: a signal may reach them at different steps."""
        if self.world_size == 1:
            return is_true
        flag = torch.tensor(float(is_true), device=self.device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)


@contextmanager
def joined(device: str) -> Iterator[Place]:
    """Join the other processes that `torchrun` started, or stand alone.

    Args:
        device: name as for `choose_device`; with "auto" or "cuda" each process takes the GPU of its local rank.

    Raises:
        ValueError: the device does not exist here.
    """
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    if world_size == 1:
        yield Place(0, 1, choose_device(device))
        return
    chosen = choose_device(device)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(chosen)
    dist.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Place(dist.get_rank(), world_size, chosen)
    finally:
        gc.collect()  # what still holds the group keeps its threads, and they abort an interpreter that ends
        dist.destroy_process_group()
