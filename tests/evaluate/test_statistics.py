"""What a cell says, against values known on paper."""

import math

import pytest

from concertclean.evaluate.statistics import summarise


def test_mean_median_and_interval_of_known_values():
    """Student's t for 3 degrees of freedom is 3.1824; the deviation of 1, 2, 3, 10 is 4.0825."""
    found = summarise([1.0, 2.0, 3.0, 10.0], list("abcd"), "higher")
    assert (found.n, found.mean, found.median) == (4, 4.0, 2.5)
    assert found.half_width == pytest.approx(3.1824 * 4.0825 / 2, rel=1e-4)


@pytest.mark.parametrize(("better", "worst"), [("higher", (-3.0, "a")), ("lower", (2.0, "c")), ("zero", (-3.0, "a"))])
def test_the_worst_depends_on_what_is_better(better, worst):
    assert summarise([-3.0, 0.5, 2.0], list("abc"), better).worst == worst


def test_perfect_and_undefined_values_are_counted_apart():
    found = summarise([math.inf, None, 4.0, -math.inf], list("abcd"), "higher")
    assert (found.n, found.mean, found.n_perfect, found.n_undefined) == (1, 4.0, 1, 2)
    assert found.half_width is None


def test_nothing_at_all():
    found = summarise([None, math.inf], list("ab"), "higher")
    assert (found.n, found.mean, found.median, found.worst) == (0, None, None, None)
