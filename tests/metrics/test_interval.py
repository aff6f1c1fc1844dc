import numpy as np
import pytest

from concertclean.metrics.interval import half_width_95


def test_the_interval_of_the_tables_of_student():
    """Five values of standard deviation 1: t(4, 0.975) = 2.776, so 2.776 / sqrt(5)."""
    values = np.array([-1.0, -1.0, 0.0, 1.0, 1.0])
    assert half_width_95(values) == pytest.approx(2.776445 / 5**0.5, rel=1e-6)


def test_one_value_has_no_interval():
    assert half_width_95(np.array([3.0])) is None
    assert half_width_95(np.zeros(0)) is None
