"""Results come in the order of the things, whoever is ready first, and what fails fails in its turn."""

import os
from functools import partial
from itertools import count, islice

import pytest

from concertclean.runtime.parallel import in_order, usable_cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system does not bind processes to cores")
def test_only_cores_that_the_process_may_use_are_counted():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)
    assert usable_cores() == len(before)


def inverse(number: int) -> float:
    return 1 / number


@pytest.mark.parametrize("workers", [1, 2])
def test_each_thing_comes_with_its_result_in_order(workers):
    assert list(in_order(partial(pow, 2), range(9), workers)) == [(n, 2**n) for n in range(9)]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_fails_is_raised_in_its_turn(workers):
    done = []
    with pytest.raises(ZeroDivisionError):
        done.extend(pair for pair in in_order(inverse, [4, 2, 0, 1], workers))
    results = in_order(inverse, [4, 2, 0, 1], workers)
    assert [next(results), next(results)] == [(4, 0.25), (2, 0.5)]


@pytest.mark.parametrize("workers", [1, 2])
def test_things_are_taken_as_they_are_needed(workers):
    """An endless supply is fine: no more than the work ahead of the wanted one is taken."""
    taken = []
    numbers = (taken.append(n) or n for n in count(1))
    assert [result for _, result in islice(in_order(inverse, numbers, workers), 3)] == [1, 1 / 2, 1 / 3]
    assert len(taken) <= 3 + 2 * workers
