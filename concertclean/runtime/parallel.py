"""Work spread over processes with its results in order, a few items ahead of the one that is needed."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

_AHEAD = 2  # items a worker computed ahead, which bounds the memory

Thing = TypeVar("Thing")
Result = TypeVar("Result")


def usable_cores() -> int:
    """Cores this process may use: fewer than the machine has where a scheduler or a container shares them out."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(work: Callable[[Thing], Result], things: Iterable[Thing], workers: int) -> Iterator[tuple[Thing, Result]]:
    """Each thing with its result, in order.

    Args:
        work: what is done to a thing; with several workers it and the things have to be picklable.
        things: taken as they are needed, never all of them at once.
        workers: processes; 1 works in this one.

    Raises:
        Exception: what `work` raised, when the turn of its thing comes.
    """
    if workers <= 1:
        yield from ((thing, work(thing)) for thing in things)
        return
    waiting = iter(things)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pending: deque[tuple[Thing, Future[Result]]] = deque(
            (thing, pool.submit(work, thing)) for thing in islice(waiting, _AHEAD * workers)
        )
        try:
            while pending:
                thing, future = pending.popleft()
                result = future.result()
                pending.extend((further, pool.submit(work, further)) for further in islice(waiting, 1))
                yield thing, result
        finally:
            for _, future in pending:
                future.cancel()
