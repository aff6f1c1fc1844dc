"""Running means against their closed forms."""

import numpy as np
import pytest

from concertclean.metrics.peaq.recursion import accumulated, smoothed

_DECAY = np.array([0.0, 0.5, 0.9])


def test_a_constant_adds_up_to_a_geometric_series():
    frame = np.arange(1, 21)[:, None]
    expected = (1 - _DECAY**frame) / (1 - _DECAY)
    assert accumulated(np.ones((20, 3)), _DECAY) == pytest.approx(expected, rel=1e-12)
    assert smoothed(np.ones((20, 3)), _DECAY) == pytest.approx(1 - _DECAY**frame, rel=1e-12)


def test_the_argument_is_left_alone():
    values = np.ones((3, 3))
    accumulated(values, _DECAY)
    assert (values == 1).all()
