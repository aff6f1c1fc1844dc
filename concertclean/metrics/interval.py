"""How far a mean of few values can be trusted."""

import numpy as np
from scipy.special import stdtrit

from concertclean.dsp.arrays import Array


def half_width_95(values: Array) -> float | None:
    """Half the width of the 95 % interval of the mean, by Student's t.

    Args:
        values: `(n,)`.

    Returns:
        In the unit of the values; None for fewer than two.

    References:
        Student, The probable error of a mean, Biometrika 1908.
    """
    n = len(values)
    return float(stdtrit(n - 1, 0.975)) * float(np.std(values, ddof=1)) / n**0.5 if n > 1 else None
