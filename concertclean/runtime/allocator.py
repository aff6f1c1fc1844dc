"""How the C library hands out memory."""

import ctypes
import ctypes.util
import sys
from functools import cache


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
        libc.mallopt(m_trim_threshold, 64 * 2**20)
        libc.mallopt(m_top_pad, 16 * 2**20)
