"""When the memory of a segment stays with onnxruntime and when it goes back."""

import threading
import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from concertclean.restore.onnx_engine import OnnxRuntime


class Record:
    grid_frames = 8


class Session:
    """Remembers how each run was asked to leave its memory; runs of 24 frames last until they are let go."""

    def __init__(self) -> None:
        self.returned: list[bool] = []
        self.begun, self.let_go = threading.Event(), threading.Event()

    def run(self, outputs: list[str], inputs: dict[str, Any], options: Any) -> list[np.ndarray]:
        (planes,) = inputs.values()
        self.returned.append(shrinks(options))
        if planes.shape[3] == 24:
            self.begun.set()
            assert self.let_go.wait(10)
        if planes.shape[3] == 32:
            raise MemoryError
        return [planes]


def shrinks(options: Any) -> bool:
    try:
        return options.get_run_config_entry("memory.enable_memory_arena_shrinkage") == "cpu:0"
    except RuntimeError:  # no such entry
        return False


def planes(n_frames: int) -> np.ndarray:
    return np.zeros((1, 2, n_frames), np.float32)


@pytest.fixture
def session() -> Session:
    return Session()


@pytest.fixture
def core(session: Session) -> OnnxRuntime:
    return OnnxRuntime(session, Record())  # type: ignore[arg-type]


def test_memory_stays_once_a_length_is_known(core: OnnxRuntime, session: Session) -> None:
    for n_frames in (16, 16, 16, 8, 16, 8):
        core(planes(n_frames))
    assert session.returned == [True, False, False, True, False, False]


def started(core: OnnxRuntime, n_frames: int) -> threading.Thread:
    thread = threading.Thread(target=core, args=(planes(n_frames),))
    thread.start()
    return thread


def test_the_very_first_run_is_alone(core: OnnxRuntime, session: Session) -> None:
    first = started(core, 24)
    assert session.begun.wait(10)
    second = started(core, 16)
    time.sleep(0.1)
    assert session.returned == [True], "the second has not begun"
    session.let_go.set()
    first.join(10)
    second.join(10)
    assert session.returned == [True, True]


def test_later_ones_do_not_wait(core: OnnxRuntime, session: Session) -> None:
    core(planes(16))
    other = started(core, 24)
    assert session.begun.wait(10)
    core(planes(16))
    core(planes(8))
    assert not session.let_go.is_set()
    session.let_go.set()
    other.join(10)


def test_a_run_that_fails_does_not_hold_up_others(core: OnnxRuntime, session: Session) -> None:
    for _ in range(2):
        with pytest.raises(MemoryError):
            core(planes(32))
    assert session.returned == [True, True], "how much that length takes is not known"
    core(planes(16))
    begin = time.monotonic()
    core(planes(16))
    assert time.monotonic() - begin < 1
