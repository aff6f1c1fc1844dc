"""The learning rate at steps where it is known on paper."""

import pytest

from concertclean.config.training import OptimizerSettings
from concertclean.train.schedule import learning_rate


def rate(step, n_steps=1000, **settings):
    return learning_rate(OptimizerSettings(learning_rate=1.0, **settings), step, n_steps)


def test_warm_up_rises_in_a_line():
    assert [rate(step, schedule="constant", warmup=4) for step in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_no_warm_up_begins_at_the_peak():
    assert rate(0, schedule="constant", warmup=0) == 1.0


def test_stairs_fall_by_ten_every_so_many_steps():
    """Moliner and Välimäki: a tenth every 100,000 steps."""
    steps = {"schedule": "step", "warmup": 0, "step_every": 100_000}
    assert [rate(s, 300_000, **steps) for s in (99_999, 100_000, 200_000)] == pytest.approx([1.0, 0.1, 0.01])


def test_half_a_cosine_ends_at_a_thousandth():
    assert rate(0, warmup=0) == pytest.approx(1.0)
    assert rate(500, warmup=0) == pytest.approx(0.5005)
    assert rate(1000, warmup=0) == pytest.approx(0.001)


def test_cycles_fall_to_their_floor_and_begin_again():
    """The public Wave-U-Net in PyTorch: from 1e-3 to 5e-5 and back at once, twice an epoch."""
    cycles = {"schedule": "cycles", "warmup": 0, "cycle_steps": 100, "cycle_floor": 0.05}
    assert [rate(step, **cycles) for step in (0, 50, 100, 250)] == pytest.approx([1.0, 0.525, 1.0, 0.525])
    assert rate(99, **cycles) == pytest.approx(0.05, abs=1e-3)
