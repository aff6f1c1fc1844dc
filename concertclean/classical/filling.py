"""Replaces clicks in frames by the prediction of their models, and measures how much the error falls."""

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import uniform_filter1d

from concertclean.classical.autoregression import Excitations, least_squares, robust_scale
from concertclean.classical.gaps import Gaps, Mask, Runs
from concertclean.dsp.arrays import Array

FLOOR_DB = -90.0  # of the models, relative to each frame: anything lower is coding noise
ROUNDING = 2.0**-16  # half a step of 16 bits: smaller errors are not clicks
_LONGER = 3  # fill models are longer than search models: long gaps need resolved harmonics
_LONGEST = 128
_DENSE = 0.2  # share of unknown samples in a frame, more than its longest gap has; above it ...
_LONGEST_DENSE = 32  # ... fill models are shorter: they are no worse there, and their systems are much narrower


def parts(unknown: Mask, order: int, most: int) -> Iterator[tuple[Runs, int]]:
    """Frames `(frame, time)` that are filled together, at most `most`, and the order of their models.

    Args:
        unknown: true for samples to fill.
        order: of the search models.
        most: frames of a part.
    """
    dense = unknown.mean(axis=1) > _DENSE
    longest = min(_LONGER * order, _LONGEST)
    for chosen, longer in ((~dense, longest), (dense, min(longest, _LONGEST_DENSE))):
        numbers = np.flatnonzero(chosen)
        for first in range(0, len(numbers), most):
            yield numbers[first : first + most], longer


def filled_frames(given: Array, earlier: Array, flags: Mask, order: int, lead: int) -> tuple[Array, Array]:
    """Frames without their clicks, and summed energies of the error before and after.

    A click is treated as noise of known power: at first the power common to both errors, then what the first filling
    removed. So its tail is not replaced by a prediction that is worse.

    Args:
        given: `(frame, time)`, as recorded.
        earlier: `(frame, time)`, the estimate so far, whose models fill.
        flags: `(frame, time)`, true for samples that are not known.
        order: of the models.
        lead: samples at both ends of a frame that are used only for its model.

    Returns:
        The rest of the frames, `(frame, rest)`, solved but for `order` samples at both ends; and `(2, frame, rest)`.
    """
    coefficients, _ = least_squares(earlier, order, floor_db=FLOOR_DB)
    inner = np.s_[:, lead : given.shape[1] - lead]
    given, earlier, flags = given[inner], earlier[inner], flags[inner]
    unknown = flags.copy()
    unknown[:, :order] = unknown[:, -order:] = False
    models = Excitations(coefficients, given.shape[1])
    gaps = Gaps(unknown, models.correlation)
    at = gaps.frames, gaps.times
    scales = np.maximum(robust_scale(models.forward(earlier)[:, order:-order]), ROUNDING)
    forward, backward = models.both(given)
    powers = uniform_filter1d(np.minimum(np.abs(forward), np.abs(backward)) ** 2, 5, axis=1)[at]
    solved = np.where(flags, earlier, given)
    solved[at] = 0
    right, held, power = -models.matched(solved)[at], given[at], scales[gaps.frames] ** 2
    for _ in range(2):
        solved[at] = gaps.filled(right, held, power / np.maximum(powers, 1e-9 * power))
        powers = gaps.smooth((held - solved[at]) ** 2)
    return solved, np.stack([np.cumsum(np.square(e), axis=1) for e in (forward, models.forward(solved))])
