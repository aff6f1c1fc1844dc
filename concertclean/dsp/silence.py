"""Digital silence: runs of zeros, which contain neither music nor noise."""

import numpy as np
from numpy.typing import NDArray


def silent_runs(waveform: NDArray[np.float64], shortest: int) -> NDArray[np.bool_]:
    """Marks digital silence.

    Args:
        waveform: `(channel, time)`.
        shortest: samples, ≥ 1; shorter runs of zeros are zero crossings or coarse quantisation.

    Returns:
        `(time,)`, True for each sample in a run of at least `shortest` zeros in all channels.
    """
    sounding = np.pad(np.cumsum(waveform.any(axis=0)), (1, 0))
    begins = sounding[shortest:] == sounding[:-shortest]
    runs = np.pad(np.cumsum(np.pad(begins, (shortest - 1, shortest - 1))), (1, 0))
    return np.asarray(runs[shortest:] > runs[:-shortest])
