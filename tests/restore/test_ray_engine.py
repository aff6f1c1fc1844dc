"""A Ray cluster of two workers on this machine: what they do, what happens when they die, and what comes back."""

import importlib.util
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from concertclean.config.denoise import DenoiseSettings
from concertclean.errors import AudioFileError, ConfigError, ModelError, OutputExistsError, WorkerError
from concertclean.restore.batch import Job, Outcome
from concertclean.restore.denoise import build_denoiser, check
from concertclean.restore.execution import Serial, Work, run
from concertclean.restore.manifest import Manifest, summary
from concertclean.restore.ray_engine import Ray, connected
from tests.cli.test_kills import ENVIRONMENT

RATE = 44_100
SETTINGS = DenoiseSettings(model="declick", threads=1)


CLUSTER = """
import os, sys
from concertclean.restore.ray_engine import connected
with connected(None, cores=2) as ray:
    print(ray.get_runtime_context().gcs_address, os.environ["RAY_AUTH_TOKEN"], flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of a Ray cluster of two cores, started once for all tests, in a process of its own."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the extra ray is not installed")
    with (
        subprocess.Popen(
            [sys.executable, "-c", CLUSTER], env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as running,
        pytest.MonkeyPatch.context() as patch,
    ):
        assert running.stdout is not None
        address, token = running.stdout.readline().split()
        assert len(token) == 64, "other users of this machine stay out"
        for name, value in {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}.items():
            patch.setenv(name, value)
        with connected(address):
            yield address


@pytest.fixture
def engine(cluster: str) -> Ray:
    return Ray(cluster, most=2)


def record(path: Path, n_samples: int = 3000) -> None:
    soundfile.write(path, np.random.default_rng(0).uniform(-0.1, 0.1, n_samples), RATE)


def jobs_in(folder: Path, count: int) -> list[Job]:
    jobs = [Job(folder / f"in/{i:02}.wav", folder / f"out/{i:02}.wav") for i in range(count)]
    (folder / "in").mkdir()
    for job in jobs:
        record(job.source)
    return jobs


class Mortal:
    """Restores, and kills its own process for as many recordings as there are files that allow it.

    One dies before the result is there, the next when it is and nobody knows.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._inner = folder, build_denoiser(SETTINGS)

    def run(self, source: Path, target: Path, **options: Any) -> Any:
        with (self._folder / "attempts").open("a") as file:
            file.write(f"{source.name} {os.getpid()} {target.exists()}\n")
        self._die(source, "before", target)
        report = self._inner.run(source, target, **options)
        self._die(source, "after", target)
        return report

    def _die(self, source: Path, when: str, target: Path) -> None:
        orders = sorted(self._folder.glob(f"{when}-{source.stem}-*"))
        if orders:
            orders[0].unlink()
            if when == "before":  # what a killed worker leaves
                (target.parent / f".concertclean-{'0' * 15}{source.stem[-1]}.part").write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)


def restore(jobs: list[Job], work: Work, executor: Any, path: Path) -> list[Outcome]:
    with Manifest(path, SETTINGS) as manifest:
        left = manifest.left(jobs)
        return list(run(left, work, executor, begun=manifest.begin, arrived=manifest.add))


@pytest.mark.slow
def test_two_killed_workers_lose_nothing_and_do_nothing_twice(tmp_path: Path, engine: Ray) -> None:
    jobs = jobs_in(tmp_path, 40)
    (tmp_path / "in/07.wav").write_bytes(b"no music" * 99)
    (tmp_path / "before-11-1").touch()
    (tmp_path / "after-23-1").touch()
    work = Work(partial(Mortal, tmp_path), overwrite=False, skip_existing=False, is_hashed=True)
    found = restore(jobs, work, engine, tmp_path / "run.jsonl")
    assert [outcome.job for outcome in found] == jobs
    assert [outcome.job.source.stem for outcome in found if outcome.status != "done"] == ["07"]
    assert type(found[7].error) is AudioFileError
    attempts = [line.split() for line in (tmp_path / "attempts").read_text().splitlines()]
    assert {name: n for name, n in Counter(name for name, *_ in attempts).items() if n > 1} == {
        "11.wav": 2, "23.wav": 2,
    }  # fmt: skip
    assert [there for name, _, there in attempts if name == "23.wav"] == ["False", "True"]
    n_workers = len({process for _, process, _ in attempts})
    assert n_workers in {3, 4}, "two workers, and others in the place of the dead; the last may come too late for work"
    assert sorted(os.listdir(tmp_path / "out")) == [f"{i:02}.wav" for i in range(40) if i != 7]
    assert summary(tmp_path / "run.jsonl").counts == {"done": 39, "failed": 1}
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    done = [line for line in lines if line["status"] == "done"]
    assert len(done) == len({line["input"] for line in done}) == 39

    serial = [Job(job.source, tmp_path / "serial" / job.target.name) for job in jobs]
    list(run(serial, Work(partial(build_denoiser, SETTINGS), overwrite=False, skip_existing=False), Serial()))
    for one, other in zip(jobs, serial, strict=True):
        assert one is jobs[7] or one.target.read_bytes() == other.target.read_bytes()

    record(jobs[7].source)
    again = restore(jobs, work, Ray("auto", most=1), tmp_path / "run.jsonl")
    assert [outcome.job.source for outcome in again] == [jobs[7].source], "a rerun does what failed, and nothing else"
    assert restore(jobs, work, Serial(), tmp_path / "run.jsonl") == []


@pytest.mark.long
def test_a_recording_that_kills_its_workers_fails_and_the_rest_go_on(tmp_path: Path, engine: Ray) -> None:
    jobs = jobs_in(tmp_path, 4)
    jobs[2].target.parent.mkdir()
    jobs[2].target.write_bytes(b"of others")
    for attempt in range(9):
        (tmp_path / f"before-01-{attempt}").touch()
    work = Work(partial(Mortal, tmp_path), overwrite=False, skip_existing=False)
    found = list(run(jobs, work, engine))
    assert [type(outcome.error) for outcome in found] == [type(None), WorkerError, OutputExistsError, type(None)]
    assert "01.wav: 3 worker processes died" in str(found[1].error)
    assert sorted(os.listdir(tmp_path / "out")) == ["00.wav", "02.wav", "03.wav"]
    assert jobs[2].target.read_bytes() == b"of others"
    assert len(list(tmp_path.glob("before-01-*"))) == 6


def test_what_cannot_be_made_ends_the_batch(tmp_path: Path, cluster: str) -> None:
    settings = SETTINGS.model_copy(update={"model": str(tmp_path / "none.safetensors")})
    work = Work(partial(build_denoiser, settings), overwrite=False, skip_existing=False)
    with pytest.raises(ModelError, match=r"none\.safetensors"):
        list(run(jobs_in(tmp_path, 5), work, Ray(cluster, most=1)))


class Slow:
    """Works for a minute, and says when it begins."""

    def run(self, source: Path, target: Path, *, progress: Callable[[float], None], **options: object) -> Any:
        from concertclean.files.atomic import written

        with written(target):
            source.with_suffix(".begun").touch()
            for _ in range(1200):
                time.sleep(0.05)
                progress(0.0)


def test_what_is_at_work_ends_without_a_trace_when_nobody_waits(tmp_path: Path, engine: Ray) -> None:
    jobs = jobs_in(tmp_path, 2)
    jobs[0].source.write_bytes(b"")
    asked: list[float] = []

    def interrupted() -> Iterator[Job]:
        yield from jobs
        while not jobs[1].source.with_suffix(".begun").exists():
            time.sleep(0.01)
        asked.append(time.monotonic())
        raise KeyboardInterrupt

    work = Work(Slow, overwrite=False, skip_existing=False, check=partial(check, settings=SETTINGS))
    with pytest.raises(KeyboardInterrupt):
        list(engine.outcomes(work, interrupted()))
    assert time.monotonic() - asked[0] < 10
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("options", "fact"), [({"must_have_gpus": True}, "has no GPU"), ({"cores": 5000}, "has no 5000 cores")]
)
def test_a_cluster_that_cannot_do_it_is_refused(
    tmp_path: Path, cluster: str, options: dict[str, Any], fact: str
) -> None:
    work = Work(Slow, overwrite=False, skip_existing=False)
    with pytest.raises(ConfigError, match=fact):
        list(Ray(None, most=2, **options).outcomes(work, jobs_in(tmp_path, 1)))


def test_the_cluster_listens_to_this_machine_alone_and_reports_nothing(cluster: str) -> None:
    import ray

    assert cluster.startswith("127.0.0.1:")
    assert {node["NodeManagerAddress"] for node in ray.nodes()} == {"127.0.0.1"}
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def batch(folder: Path, address: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "concertclean", "denoise", "in", "--model", "dehum,declick", "-o", "out"]
    words = ["--manifest", "run.jsonl", "--engine", "ray", "--address", address, "--json"]
    environment = ENVIRONMENT | {"CONCERTCLEAN_CONFIG_DIR": str(folder / "none")}
    environment |= {name: os.environ[name] for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN")}
    return subprocess.Popen(
        [*command, *words], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.slow
def test_a_killed_driver_goes_on(tmp_path: Path, cluster: str) -> None:
    (tmp_path / "in").mkdir()
    for i in range(12):
        record(tmp_path / f"in/{i:02}.wav", 3 * RATE)

    def done() -> list[str]:
        lines = (tmp_path / "run.jsonl").read_text().splitlines() if (tmp_path / "run.jsonl").exists() else []
        return [line["input"] for line in map(json.loads, lines) if line["status"] == "done"]

    running = batch(tmp_path, cluster)
    while len(done()) < 3 and running.poll() is None:
        time.sleep(0.01)
    running.kill()
    running.communicate()
    before = done()
    assert 3 <= len(before) < 12
    out, err = (running := batch(tmp_path, cluster)).communicate(timeout=100)
    assert running.returncode == 0, err.decode()
    assert sorted(done()) == [str(tmp_path / f"in/{i:02}.wav") for i in range(12)], "each once"
    assert len(json.loads(out)) == 12 - len(before)
    assert sorted(os.listdir(tmp_path / "out")) == [f"{i:02}_clean.wav" for i in range(12)]


@pytest.mark.parametrize("name", ["a.wav", "a.m4a", "a.flac", "bad.wav", "none.wav"])
def test_outcomes_and_errors_travel(tmp_path: Path, name: str) -> None:
    if name == "bad.wav":
        (tmp_path / name).write_bytes(b"no music" * 99)
    elif name != "none.wav":
        from concertclean.audio_io.formats import Storage
        from concertclean.audio_io.writer import AudioWriter

        format = name.partition(".")[2]
        bits = {"bit_rate": 192_000} if format == "m4a" else {"bit_depth": 16}
        with AudioWriter(tmp_path / name, Storage(format, RATE, channels=1, **bits), tags={"title": "é"}) as writer:
            writer.write(np.random.default_rng(0).uniform(-0.1, 0.1, (1, 9000)))
    work = Work(partial(build_denoiser, SETTINGS), overwrite=False, skip_existing=False, is_hashed=True)
    outcome = pickle.loads(pickle.dumps(work))(Job(tmp_path / name, tmp_path / "b.wav"))
    again = pickle.loads(pickle.dumps(outcome))
    assert (type(again.error), str(again.error)) == (type(outcome.error), str(outcome.error))
    assert (again.job, again.report, again.sha256) == (outcome.job, outcome.report, outcome.sha256)
    assert outcome.status == ("done" if name.startswith("a.") else "failed")


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    work = Work(Slow, overwrite=False, skip_existing=False)
    with pytest.raises(ConfigError, match=r"pip install 'concertclean\[ray\]'"):
        list(Ray(None, most=1).outcomes(work, []))
