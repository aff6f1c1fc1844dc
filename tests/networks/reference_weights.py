"""The numbers that scripts in tests/reference give layers as weights, and what they computed with them."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn


def wave(*shape: int, pace: float) -> Tensor:
    """Deterministic numbers of a shape, ±0.5."""
    return torch.from_numpy(0.5 * np.sin(pace * (1 + np.arange(math.prod(shape))))).reshape(shape).float()


def named_wave(*shape: int, name: str, amplitude: float = 0.5) -> Tensor:
    """Deterministic numbers of a shape, ± the amplitude, different for every name."""
    return 2 * amplitude * wave(*shape, pace=0.37 + 0.001 * sum(map(ord, name)))


def stored(file: str, name: str) -> Tensor:
    """A batch of one from a file of tests/reference."""
    entry = json.loads((Path(__file__).parents[1] / "reference" / f"{file}.json").read_text())[name]
    return torch.tensor(entry["values"]).reshape(1, *entry["shape"])


@torch.no_grad()
def fill(layer: nn.Module, pace: float, *, one: float = 0.0) -> None:
    """Weights of one pace, biases of the next; `one` is added to the weights."""
    layer.weight.copy_(one + wave(*layer.weight.shape, pace=pace))
    layer.bias.copy_(wave(*layer.bias.shape, pace=pace + 0.05))
