"""The network, against the standard's own table and on paper."""

import numpy as np
import pytest

from concertclean.metrics.peaq.network import MOV_NAMES, distortion_index, objective_difference_grade

# DI and ODG of the conformance items of the basic version, BS.1387-1.
_CONFORMANCE = [
    (1.304, -0.676),
    (1.949, -0.304),
    (0.048, -1.829),
    (1.731, -0.412),
    (0.677, -1.195),
    (1.419, -0.598),
    (-0.045, -1.927),
    (-0.715, -2.601),
    (1.781, -0.386),
    (-3.029, -3.786),
    (3.093, 0.038),
    (1.041, -0.876),
    (1.973, -0.293),
    (-0.436, -2.331),
    (3.135, 0.045),
    (1.689, -0.435),
]


@pytest.mark.parametrize(("index", "grade"), _CONFORMANCE)
def test_grades_are_those_of_the_standard(index, grade):
    """Both are rounded to 0.001 there, and the grade moves by up to 1.05 times the index."""
    assert objective_difference_grade(index) == pytest.approx(grade, abs=1.1e-3)


def test_grades_stay_between_their_limits():
    assert objective_difference_grade(-1e4) == pytest.approx(-3.98)
    assert objective_difference_grade(1e4) == pytest.approx(0.22)
    assert objective_difference_grade(5.797) == pytest.approx(0.207, abs=5e-4)


def test_index_at_the_smallest_values_is_that_of_the_biases():
    smallest = dict(
        zip(
            MOV_NAMES,
            [
                393.916656,
                361.965332,
                -24.045116,
                1.110661,
                -0.206623,
                0.074318,
                1.113683,
                0.950345,
                0.029985,
                0.000101,
                0,
            ],
            strict=True,
        )
    )
    weights, biases = np.array([-3.817048, 4.107138, 4.629582]), np.array([-2.518254, 0.654841, -2.207228])
    assert distortion_index(smallest) == pytest.approx(-0.307594 + (weights / (1 + np.exp(-biases))).sum(), rel=1e-12)


def test_index_of_a_perfect_estimate_depends_on_the_bandwidth_of_the_music():
    """All errors 0, the noise 140 dB under the mask: 5.8 is for music up to 16.6 kHz, 3.9 where there is no width."""
    perfect = dict.fromkeys(MOV_NAMES, 0.0) | {"TotalNMRB": -140.0}
    wide = perfect | {"BandwidthRefB": 708.0, "BandwidthTestB": 708.0}
    assert distortion_index(wide) == pytest.approx(5.85, abs=0.05)
    assert distortion_index(perfect) == pytest.approx(3.91, abs=0.05)


def test_variables_far_outside_of_training_do_not_overflow():
    extreme = dict.fromkeys(MOV_NAMES, 1e9)
    assert -5 < distortion_index(extreme) < 9
    assert -5 < distortion_index({name: -value for name, value in extreme.items()}) < 9
