"""The peak is that of this process, not of the one that started it."""

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
