"""Which device and precision there are, and how the C library is set up."""

import ctypes
import ctypes.util
import math
import sys
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
    """Precision of a name; "auto" takes bf16 where the processor computes it natively, else fp32."""
    if name in ("fp32", "bf16", "fp16"):
        return name  # type: ignore[return-value]
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if device.type == "cpu":
        flags = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        is_native = bool(flags.get("avx512_bf16") or flags.get("amx_bf16"))
        return "bf16" if is_native and not _is_bf16_emulated() else "fp32"
    return "fp32"


@cache
def _is_bf16_emulated() -> bool:
    """Whether convolutions in bf16 are slow, though the processor knows bf16: oneDNN may be held to older instructions.

    Emulated, they take 6 to 9 times as long as in fp32; computed by the processor, half as long or less. So the limit
    of twice as long holds on a busy machine, too.
    """
    layer = torch.nn.Conv2d(32, 32, 3, padding=1)
    image = torch.ones(1, 32, 64, 64)

    def seconds(dtype: torch.dtype) -> float:
        cast_layer, cast_image = layer.to(dtype), image.to(dtype)
        best = math.inf
        for _ in range(4):  # the first call prepares the others
            begin = time.perf_counter()
            cast_layer(cast_image)
            best = min(best, time.perf_counter() - begin)
        return best

    with torch.inference_mode():
        return seconds(torch.bfloat16) > 2 * seconds(torch.float32)


@cache
def tame_allocator() -> None:
    """Keeps glibc from mapping, and page-faulting, large activations anew: 1.2 to 3 times as fast. Once is enough."""
    if sys.platform != "linux" or not ctypes.util.find_library("c"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        m_trim_threshold, m_top_pad, m_mmap_max = -1, -2, -4
        libc.mallopt(m_mmap_max, 0)
        libc.mallopt(m_trim_threshold, 512 * 2**20)
        libc.mallopt(m_top_pad, 64 * 2**20)
