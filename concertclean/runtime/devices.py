"""Which device and precision there are."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

import torch

from concertclean.errors import ConfigError

Precision = Literal["fp32", "bf16", "fp16"]


def choose_device(name: str) -> torch.device:
    """Device of a name; "auto" takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: the name is unknown, or there is no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"unknown device {name!r}; choose from auto, cpu, cuda, cuda:N, mps") from error
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if (device.index or 0) >= count.get(device.type, 0):
        raise ConfigError(f"there is no device {name!r} here; choose auto, which takes what there is")
    return device


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Torch with so many CPU cores while the context lasts; 0: as it is."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_precision(name: str, device: torch.device) -> Precision:
    """Precision of a name; "auto" takes bf16 where it is faster than fp32."""
    if name in ("fp32", "bf16", "fp16"):
        return name  # type: ignore[return-value]
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if device.type == "cpu":
        return "bf16" if _is_bf16_fast() else "fp32"
    return "fp32"


@cache
def _is_bf16_fast() -> bool:
    """Whether convolutions in bf16 are faster here than in fp32, by a timing of 30 ms.

    What the processor says is not enough: oneDNN may be held to older instructions, and without those for matrices bf16
    takes longer than fp32. Measured: an eighth of the time with them, 1.5 to 9 times as long otherwise, so that a busy
    machine does not change the answer.
    """
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    best = dict.fromkeys((torch.float32, torch.bfloat16), math.inf)
    with cpu_threads(1), torch.inference_mode():
        for dtype in best:
            layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
            image = torch.ones(1, 64, 64, 64, dtype=dtype).to(memory_format=torch.channels_last)
            for _ in range(15):
                begin = time.perf_counter()
                layer(image)
                best[dtype] = min(best[dtype], time.perf_counter() - begin)
    return best[torch.bfloat16] < 0.8 * best[torch.float32]
