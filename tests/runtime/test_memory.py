"""The peak is that of this process, not of the one that started it."""

import platform
import subprocess
import sys

import numpy as np
import pytest

from concertclean.runtime.memory import peak_memory_mib

ASK = [sys.executable, "-c", "from concertclean.runtime.memory import peak_memory_mib as f; print(f())"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems report memory in other ways")
def test_the_peak_is_that_of_the_process_alone() -> None:
    before = peak_memory_mib()
    large = np.ones(300 * 2**17)  # 300 MiB
    after = peak_memory_mib()
    assert before is not None
    assert after is not None
    assert after > 300
    del large
    assert peak_memory_mib() == pytest.approx(after, abs=5)  # a peak stays
    ended = subprocess.run(ASK, check=True, capture_output=True, text=True)
    assert 5 < float(ended.stdout) < 100


HOLES = """
import numpy as np
from pathlib import Path
from concertclean.runtime.memory import return_freed_memory, tame_allocator

def held():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line)

tame_allocator()
blocks = [np.ones(2**17) for _ in range(300)]  # of a MiB, which lie in the heap
del blocks[::2]  # holes, which stay pages of this process
with_holes = held()
return_freed_memory()
print(with_holes / 1024, held() / 1024)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library does it by itself, or not at all")
def test_pages_between_blocks_in_use_are_returned() -> None:
    words = subprocess.run([sys.executable, "-c", HOLES], check=True, capture_output=True, text=True).stdout.split()
    with_holes, without = map(float, words)
    assert without < with_holes - 140


STEPS = """
import resource, torch
from concertclean.runtime.memory import tame_allocator

tame_allocator("training")
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        activations = [torch.ones(2**20) for _ in range(20)]  # of 4 MiB
        del activations
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only its allocator is set up")
def test_a_training_step_finds_the_memory_of_the_last_one() -> None:
    words = subprocess.run([sys.executable, "-c", STEPS], check=True, capture_output=True, text=True).stdout
    assert int(words) < 2_000  # pages; 200,000 where every activation is mapped anew
