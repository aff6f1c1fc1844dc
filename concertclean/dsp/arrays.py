"""Types of audio in memory, outside networks."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
"""Waveforms are `(channel, time)`, full scale ±1."""

Blocks = Iterator[Array]
"""Pieces of a recording, `(channel, time)` in order, of any length."""
