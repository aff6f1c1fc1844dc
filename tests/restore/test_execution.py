"""Many recordings: several at once, reported in order, whatever happens to one of them."""

import gc
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from concertclean.errors import AudioFileError, NoInputError, OutputError, OutputExistsError
from concertclean.restore.batch import Job, Outcome
from concertclean.restore.execution import Executor, Serial, Threads, Work, run
from concertclean.restore.inference import Enhancer
from concertclean.restore.pipeline import Denoiser
from concertclean.restore.torch_engine import TorchEngine
from concertclean.weights.loading import load_model
from tests.restore.ready import denoiser_of

RATE = 44_100


@pytest.fixture
def denoiser(tiny_weights: dict[str, Path]) -> Denoiser:
    model = load_model(tiny_weights["stereo"]).model
    enhancer = Enhancer(TorchEngine(model, device="cpu", precision="fp32"), threads=1, segment_seconds=0.5)
    return denoiser_of(enhancer)


@pytest.fixture(params=[Serial(), Threads(3)], ids=["serial", "threads"])
def executor(request: pytest.FixtureRequest) -> Executor:
    return request.param


def outcomes(jobs: list[Job], denoiser: Any, executor: Executor = Serial(), **how: Any) -> Iterator[Outcome]:  # noqa: B008
    return run(jobs, Work(lambda: denoiser, **({"overwrite": False, "skip_existing": False} | how)), executor)


def test_a_bad_file_does_not_stop_the_rest(
    tmp_path: Path, denoiser: Denoiser, executor: Executor, noise: Callable[..., np.ndarray]
) -> None:
    for name in ("a.wav", "c.wav"):
        soundfile.write(tmp_path / name, noise(2000).T, RATE)
    (tmp_path / "b.wav").write_bytes(b"no music" * 99)
    (tmp_path / "d.wav").touch()
    jobs = [Job(tmp_path / f"{stem}.wav", tmp_path / f"out/deep/{stem}.wav") for stem in "abcd"]
    found = list(outcomes(jobs, denoiser, executor))
    assert [outcome.status for outcome in found] == ["done", "failed", "done", "failed"]
    assert [type(outcome.error) for outcome in found] == [type(None), AudioFileError, type(None), NoInputError]
    assert sorted(os.listdir(tmp_path / "out/deep")) == ["a.wav", "c.wav"]


def test_a_folder_that_cannot_be_made(tmp_path: Path, denoiser: Denoiser, noise: Callable[..., np.ndarray]) -> None:
    soundfile.write(tmp_path / "a.wav", noise(2000).T, RATE)
    (tmp_path / "file").touch()
    (outcome,) = outcomes([Job(tmp_path / "a.wav", tmp_path / "file/a.wav")], denoiser)
    assert type(outcome.error) is OutputError
    assert "cannot be written" in str(outcome.error)


def test_existing_results_are_skipped_refused_or_replaced(
    tmp_path: Path, denoiser: Denoiser, noise: Callable[..., np.ndarray]
) -> None:
    soundfile.write(tmp_path / "a.wav", noise(2000).T, RATE)
    job = Job(tmp_path / "a.wav", tmp_path / "b.wav")
    job.target.write_bytes(b"old")

    def outcome(**how: Any) -> Any:
        (one,) = outcomes([job], denoiser, **how)
        return one

    assert outcome(skip_existing=True).status == "skipped"
    assert type(outcome().error) is OutputExistsError
    assert job.target.read_bytes() == b"old"
    assert outcome(overwrite=True).status == "done"
    assert job.target.read_bytes() != b"old"


def test_progress_names_the_job(tmp_path: Path, denoiser: Denoiser, noise: Callable[..., np.ndarray]) -> None:
    jobs = []
    for stem in "ab":
        soundfile.write(tmp_path / f"{stem}.wav", noise(2000).T, RATE)
        jobs.append(Job(tmp_path / f"{stem}.wav", tmp_path / f"{stem}_clean.wav"))
    told: list[tuple[Job, float]] = []
    list(outcomes(jobs, denoiser, progress=lambda *news: told.append(news)))
    assert told == [(job, 2000 / RATE) for job in jobs]


def resident_mib() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow_over_a_batch(
    tmp_path: Path, denoiser: Denoiser, noise: Callable[..., np.ndarray]
) -> None:
    source = tmp_path / "a.wav"
    soundfile.write(source, noise(15_000).T, RATE)
    jobs = [Job(source, tmp_path / f"{number}.flac") for number in range(25)]
    sizes = []
    for outcome in outcomes(jobs, denoiser):
        assert outcome.error is None
        sizes.append(resident_mib())
    assert sizes[-1] - sizes[4] < 20  # twenty recordings, after everything has been loaded once


class Slow:
    """Takes longer for the first recordings; counts how many are at work at once."""

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs, self.n_now, self.n_most, self.stopped = n_jobs, 0, 0, 0
        self._lock = threading.Lock()

    def run(self, source: Path, target: Path, *, progress: Callable[[float], None], **options: object) -> Any:
        with self._lock:
            self.n_now += 1
            self.n_most = max(self.n_most, self.n_now)
        try:
            for _ in range(3 * (self.n_jobs - int(source.stem))):
                time.sleep(0.005)
                progress(0.0)
        except BaseException:
            self.stopped += 1
            raise
        finally:
            self.n_now -= 1


def numbered(tmp_path: Path, count: int) -> list[Job]:
    return [Job(tmp_path / f"{i}.wav", tmp_path / f"{i}_clean.wav") for i in range(count)]


def test_several_are_at_work_and_come_back_in_order(tmp_path: Path) -> None:
    slow, jobs = Slow(8), numbered(tmp_path, 8)
    arrived: list[Outcome] = []
    work = Work(lambda: slow, overwrite=False, skip_existing=False)  # type: ignore[arg-type, return-value]
    found = list(run(jobs, work, Threads(3), arrived=arrived.append))
    assert [outcome.job for outcome in found] == jobs
    assert slow.n_most == 3
    assert {outcome.job for outcome in arrived} == set(jobs)
    assert [outcome.job for outcome in arrived] != jobs, "the later ones are done earlier, and known earlier"


def test_it_is_made_once_for_all_threads(tmp_path: Path) -> None:
    made: list[int] = []

    def make() -> Any:
        time.sleep(0.05)
        made.append(1)
        return Slow(1)

    list(run(numbered(tmp_path, 1) * 9, Work(make, overwrite=True, skip_existing=False), Threads(3)))
    assert made == [1]


def test_what_cannot_be_made_ends_the_batch(tmp_path: Path, executor: Executor) -> None:
    def make() -> Any:
        raise OutputError("no")

    with pytest.raises(OutputError):
        list(run(numbered(tmp_path, 5), Work(make, overwrite=False, skip_existing=False), executor))


def test_what_is_at_work_ends_when_nobody_waits_for_it(tmp_path: Path) -> None:
    slow = Slow(100)
    found = outcomes(numbered(tmp_path, 50)[::-1], slow, Threads(3))
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert slow.n_now == 0
    assert slow.stopped >= 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("recording")]


def test_results_and_network_seconds_are_those_of_one_after_the_other(
    tmp_path: Path, denoiser: Denoiser, noise: Callable[..., np.ndarray]
) -> None:
    jobs = []
    for number, seconds in enumerate((0.1, 2.0, 0.1, 0.1, 1.0)):
        soundfile.write(tmp_path / f"{number}.wav", noise(round(seconds * RATE)).T, RATE)
        jobs.append(Job(tmp_path / f"{number}.wav", tmp_path / f"{number}_clean.wav"))
    list(outcomes(jobs, denoiser))
    expected = [job.target.read_bytes() for job in jobs]
    found = list(outcomes(jobs, denoiser, Threads(3), overwrite=True))
    assert [job.target.read_bytes() for job in jobs] == expected
    seconds = [outcome.report.networks[0].seconds for outcome in found if outcome.report is not None]
    assert len(seconds) == 5
    assert min(seconds) > 0
    assert seconds[0] < seconds[1], "a short recording is not charged with a long one's time"


def test_work_travels_as_what_it_is_made_of(tmp_path: Path) -> None:
    work = Work(list, overwrite=True, skip_existing=True, check=os.stat, progress=print, first_pass=print)  # type: ignore[arg-type]
    again = pickle.loads(pickle.dumps(work))
    (tmp_path / "a").touch()
    assert again(Job(tmp_path / "b", tmp_path / "a")).status == "skipped"
