"""How much memory this process took, and how the C library hands it out."""

import ctypes
import ctypes.util
import sys
from functools import cache
from pathlib import Path
from typing import Literal


@cache
def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is that of GNU."""
    if sys.platform != "linux" or not ctypes.util.find_library("c"):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None


@cache
def tame_allocator(use: Literal["networks", "arrays", "training"] = "networks") -> None:
    """Keeps glibc from page-faulting small activations anew, and from keeping more than is in use. Once is enough.

    All threads share one heap: a worker takes what another has freed. Large blocks are mapped and returned when they
    are freed; in the heap they would leave holes, which took more memory than what was in use.

    Args:
        use: what the memory is for. "networks" of torch free activations of a megabyte and need them again at once.
            Where onnxruntime holds those, "arrays" are the rest: blocks of half a megabyte, such as a second of audio,
            are mapped as well, so that the heap has no holes to grow by, for a thirtieth of the time. "training" keeps
            everything: a step frees hundreds of megabytes and needs them again at once; to map them anew took more
            than a third of its time.
    """
    libc = _glibc()
    if libc is None:
        return
    trim_threshold, top_pad, mmap_threshold, mmap_max, arena_max = -1, -2, -3, -4, -8  # of malloc.h
    if use == "training":
        options = {mmap_max: 0, trim_threshold: 512 * 2**20, top_pad: 64 * 2**20}
    else:
        largest = 2**21 if use == "networks" else 2**19
        # What is larger is mapped only where the end of the heap has no room for it: that is kept smaller yet.
        options = {arena_max: 1, mmap_threshold: largest, trim_threshold: 32 * 2**20, top_pad: 2**18}
    for option, value in options.items():
        libc.mallopt(option, value)


def return_freed_memory() -> None:
    """Hands pages that nothing uses back to the system, also those between blocks in use.

    Without it, a heap that workers share grew for as long as a recording lasted, as ever other holes were left.
    """
    libc = _glibc()
    if libc is not None:
        libc.malloc_trim(0)


def peak_memory_mib() -> float | None:
    """Largest resident memory of this process so far; None on systems that do not report it."""
    try:
        # Not the one of the next system call, which begins with that of the process that started this one.
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    unit = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
