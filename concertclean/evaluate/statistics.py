"""Summary statistics of one score for tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from concertclean.metrics.catalogue import Better
from concertclean.metrics.interval import half_width_95


@dataclass(frozen=True)
class Summary:
    """One cell of a table.

    Attributes:
        n: number of values summarised.
        mean, median: None if there are no values.
        half_width: of the 95 % interval of the mean (Student's t); None for fewer than two values.
        worst: the worst value, and its name.
        n_perfect: values left out because they are infinitely good.
        n_undefined: values left out because the metric is not defined for them.
    """

    n: int
    mean: float | None
    median: float | None
    half_width: float | None
    worst: tuple[float, str] | None
    n_perfect: int
    n_undefined: int


def summarise(values: Sequence[float | None], names: Sequence[str], better: Better) -> Summary:
    """Summary of the values of one score.

    Args:
        values: inf if the estimate is identical, None if the metric is not defined. Infinitely bad ones (a silent
            estimate has an SI-SDR of minus infinity) count as not defined too.
        names: of the recordings, one per value.
        better: whether higher or lower is better.
    """
    best = np.inf if better == "higher" else -np.inf
    finite = [
        (value, name) for value, name in zip(values, names, strict=True) if value is not None and np.isfinite(value)
    ]
    n_perfect = sum(value == best for value in values)
    n_undefined = len(values) - len(finite) - n_perfect
    if not finite:
        return Summary(0, None, None, None, None, n_perfect, n_undefined)
    numbers = np.array([value for value, _ in finite])
    return Summary(
        len(numbers),
        float(numbers.mean()),
        float(np.median(numbers)),
        half_width_95(numbers),
        worst_of(finite, better),
        n_perfect,
        n_undefined,
    )


def worst_of(named: Sequence[tuple[float, str]], better: Better) -> tuple[float, str]:
    """The worst value with its name; the first of equals."""
    badness = {"higher": lambda value: -value, "lower": lambda value: value, "zero": abs}[better]
    return max(named, key=lambda each: badness(each[0]))
