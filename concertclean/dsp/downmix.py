"""One channel out of several that loses no sound where channels are of opposite polarity.

The mean of a channel and its inverse is silence: vertical-cut discs and miswired cartridges give such recordings.
Channels are therefore added with the sign that keeps them: that of their correlation where it is strongly negative,
else plus. So the result for ordinary recordings, whose channels are equal, alike or unrelated, is exactly the mean.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", bound=np.floating)

OPPOSITE = -0.6
"""Correlation below which two channels are of opposite polarity: equally loud, they lose 7 dB in their mean."""


def polarities(waveform: NDArray[Real]) -> NDArray[Real]:
    """Sign with which each channel enters a sum, so that none cancels another.

    Args:
        waveform: `(channel, time)`; correlation is that of all of it.

    Returns:
        `(channel,)` of 1 and -1 in the type of the waveform; the first is 1.
    """
    signs = np.ones(len(waveform), dtype=waveform.dtype)
    total = waveform[:1].sum(axis=0)
    for number, channel in enumerate(waveform[1:], start=1):
        energies = np.vdot(total, total) * np.vdot(channel, channel)
        if np.vdot(total, channel) < OPPOSITE * np.sqrt(energies):
            signs[number] = -1
        total += signs[number] * channel
    return signs


def downmix(waveform: NDArray[Real]) -> NDArray[Real]:
    """Mean of the channels, those of opposite polarity inverted.

    Args:
        waveform: `(channel, time)`.

    Returns:
        `(1, time)`, in the type of the waveform.
    """
    return np.asarray((polarities(waveform)[:, None] * waveform).mean(axis=0, keepdims=True))
