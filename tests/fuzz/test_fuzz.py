"""A small run of the fuzzer, and faults planted to show that it finds them."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.restore.pipeline import Denoiser
from tests.fuzz.cases import Case, make_case, whole_case
from tests.fuzz.jobs import run_case
from tests.fuzz.run import main
from tests.fuzz.seeds import Seed, make_seeds
from tests.fuzz.workers import run_cases

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no fork server")


@pytest.fixture(scope="module")
def seeds() -> list[Seed]:
    return make_seeds()


def unexpected_exception(case: Case, folder: Path) -> str:
    return with_change(case, folder, AudioReader, "read", lambda *_: {}["missing"])


def hang(case: Case, folder: Path) -> str:
    return with_change(case, folder, AudioReader, "read", lambda *_: time.sleep(100))


def signal(case: Case, folder: Path) -> str:
    return with_change(case, folder, AudioReader, "read", lambda *_: os.abort())


def leftover(case: Case, folder: Path) -> str:
    run = Denoiser.run

    def run_and_leave(self: Denoiser, source: Path, target: Path, **options: Any) -> Any:
        (target.parent / ".left.part").touch()
        return run(self, source, target, **options)

    return with_change(case, folder, Denoiser, "run", run_and_leave)


def temporary_leftover(case: Case, folder: Path) -> str:
    tempfile.mkstemp()
    return run_case(case, folder)


def wrong_length(case: Case, folder: Path) -> str:
    write = AudioWriter.write
    return with_change(case, folder, AudioWriter, "write", lambda self, block: write(self, block[:, :-1]))


def memory(case: Case, folder: Path) -> str:
    np.ones(140_000_000)
    return run_case(case, folder)


def no_memory(case: Case, folder: Path) -> str:
    return with_change(case, folder, AudioReader, "read", lambda *_: np.zeros(2**40))


def word_on_the_terminal(case: Case, folder: Path) -> str:
    os.write(2, b"libsomething: bad packet\n")
    return run_case(case, folder)


def write_outside(case: Case, folder: Path) -> str:
    (folder / "../../../stray").resolve().touch()
    return run_case(case, folder)


def with_change(case: Case, folder: Path, place: type, name: str, new: Callable[..., Any]) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, name, new)
        return run_case(case, folder)


@pytest.mark.parametrize(
    ("work", "word"),
    [
        (unexpected_exception, "KeyError: 'missing'"),
        (hang, "Timeout"),
        (signal, "ended with -6"),
        (leftover, ".left.part"),
        (temporary_leftover, "left over"),
        (wrong_length, "the recording has 2400"),
        (memory, "took 1.1 GB"),
        (no_memory, "MemoryError"),
        (word_on_the_terminal, "printed libsomething: bad packet"),
        (write_outside, "wrote outside of its folder: open"),
    ],
)
def test_a_planted_fault_is_found(
    tmp_path: Path, seeds: list[Seed], work: Callable[[Case, Path], str], word: str
) -> None:
    case = whole_case(seeds[0], 0)
    folder = tmp_path / "workers"
    (result,) = run_cases(iter([case]), work, folder=folder, n_workers=1, seconds=1 if work is hang else 20)
    assert result.status == "failed"
    assert word in result.reason


def test_after_a_fault_the_rest_go_on(tmp_path: Path, seeds: list[Seed]) -> None:
    cases = [whole_case(seeds[0], number) for number in range(4)]
    results = run_cases(iter(cases), signal, folder=tmp_path / "workers", n_workers=2)
    assert sorted(result.case.number for result in results) == [0, 1, 2, 3]


def test_intact_files_pass(tmp_path: Path, seeds: list[Seed]) -> None:
    cases = (whole_case(seed, number) for number, seed in enumerate(seeds))
    results = list(run_cases(cases, run_case, folder=tmp_path / "workers", n_workers=2))
    assert len(results) == len(seeds)
    # A state is always of another run than the one that the fuzzer resumes it with.
    assert [str(one.case) + one.reason for one in results if one.status != "done" and one.case.kind != "state"] == []


def test_damaged_files_pass(tmp_path: Path) -> None:
    assert main(["-n", "60", "--seed", "7", "--keep", str(tmp_path)]) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_number_makes_the_same_case_again(seeds: list[Seed]) -> None:
    assert [make_case(seeds, 1, number) for number in range(20)] == [
        make_case(seeds, 1, number) for number in range(20)
    ]
    assert make_case(seeds, 1, 3) != make_case(seeds, 2, 3)


def test_one_case_is_run_and_its_files_are_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--case", "5", "--seed", "3", "--keep", str(tmp_path)]) == 0
    (kept,) = tmp_path.iterdir()
    assert kept.name == "case-3-5"
    assert "1 cases in" in capsys.readouterr().err
