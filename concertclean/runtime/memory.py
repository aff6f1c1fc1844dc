"""How much memory this process took, and how the C library hands it out."""

import ctypes
import ctypes.util
import sys
from functools import cache
from pathlib import Path


@cache
def tame_allocator() -> None:
    """Keeps glibc from page-faulting small activations anew, and from keeping more than is in use. Once is enough.

    All threads share one heap: a worker takes what another has freed. Large blocks are mapped and returned when they
    are freed; in the heap they would leave holes, which took more memory than what was in use.
    """
    if sys.platform != "linux" or not ctypes.util.find_library("c"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        m_trim_threshold, m_top_pad, m_mmap_threshold, m_arena_max = -1, -2, -3, -8
        libc.mallopt(m_arena_max, 1)
        libc.mallopt(m_mmap_threshold, 2**21)
        libc.mallopt(m_trim_threshold, 32 * 2**20)
        libc.mallopt(m_top_pad, 4 * 2**20)


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
