"""The manifest of a batch: what is still to be done, and that nothing of it is lost."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from concertclean.config.denoise import DenoiseSettings
from concertclean.errors import AudioFileError, ConfigError, NoInputError, OutputError
from concertclean.restore.batch import Job, Outcome
from concertclean.restore.build import build_restorer
from concertclean.restore.execution import Serial, Work, run
from concertclean.restore.manifest import Manifest, fingerprint, merge, shard_of, summary
from concertclean.restore.pipeline import Denoiser

SETTINGS = DenoiseSettings(model="declick")


def jobs_in(folder: Path, *stems: str) -> list[Job]:
    for stem in stems:
        if not (folder / f"{stem}.wav").exists():
            soundfile.write(folder / f"{stem}.wav", np.random.default_rng(0).uniform(-0.1, 0.1, 3000), 44_100)
    return [Job(folder / f"{stem}.wav", folder / f"{stem}_clean.wav") for stem in stems]


def restore(jobs: list[Job], path: Path, settings: DenoiseSettings = SETTINGS, *, verify: bool = False) -> list[str]:
    """Names of the recordings that were restored."""
    with Manifest(path, settings) as manifest:
        left = manifest.left(jobs, verify=verify)
        work = Work(
            lambda: Denoiser(build_restorer(("declick",), settings), settings),
            overwrite=False,
            skip_existing=False,
            is_hashed=True,
        )
        found = list(run(left, work, Serial(), begun=manifest.begin, arrived=manifest.add))
    return [outcome.job.source.stem for outcome in found if outcome.status == "done"]


def test_a_second_run_does_nothing_and_a_new_file_is_done(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    assert restore(jobs_in(tmp_path, "a", "b"), path) == ["a", "b"]
    lines = path.read_text()
    assert restore(jobs_in(tmp_path, "a", "b"), path) == []
    assert path.read_text() == lines
    assert restore(jobs_in(tmp_path, "a", "b", "c"), path) == ["c"]


def test_a_line_says_what_was_done(tmp_path: Path) -> None:
    restore(jobs_in(tmp_path, "a"), tmp_path / "run.jsonl")
    begun, done = map(json.loads, (tmp_path / "run.jsonl").read_text().splitlines())
    assert begun == {
        "input": str(tmp_path / "a.wav"), "output": str(tmp_path / "a_clean.wav"), "status": "started",
    }  # fmt: skip
    assert done["bytes"] == (tmp_path / "a.wav").stat().st_size
    assert done["output_bytes"] == (tmp_path / "a_clean.wav").stat().st_size
    assert len(done["sha256"]) == len(done["output_sha256"]) == 64
    assert done["sha256"] != done["output_sha256"]
    assert done["seconds"] == pytest.approx(3000 / 44_100, abs=1e-3)
    assert done["settings"] == fingerprint(SETTINGS)


@pytest.mark.parametrize("change", ["lost", "cut off", "other recording", "removed is lost"])
def test_what_does_not_fit_any_more_is_done_again(tmp_path: Path, change: str) -> None:
    jobs = jobs_in(tmp_path, "a", "b")
    restore(jobs, tmp_path / "run.jsonl")
    target = jobs[0].target
    if change == "lost":
        target.unlink()
    elif change == "cut off":
        target.write_bytes(target.read_bytes()[:-10])
    elif change == "other recording":
        soundfile.write(jobs[0].source, np.zeros(3000), 44_100)
        os.utime(jobs[0].source, ns=(0, 10**18))
    else:
        jobs = [Job(job.source, job.target, job.target.with_name(f"{job.source.stem}_removed.wav")) for job in jobs]
        assert restore(jobs, tmp_path / "run.jsonl") == ["a", "b"]
        jobs[0].removed.unlink()  # type: ignore[union-attr]
    assert restore(jobs, tmp_path / "run.jsonl") == ["a"]
    assert restore(jobs, tmp_path / "run.jsonl") == []


def test_the_hash_finds_what_the_size_does_not(tmp_path: Path) -> None:
    jobs = jobs_in(tmp_path, "a")
    restore(jobs, tmp_path / "run.jsonl")
    good = jobs[0].target.read_bytes()
    jobs[0].target.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    assert restore(jobs, tmp_path / "run.jsonl") == []
    assert restore(jobs, tmp_path / "run.jsonl", verify=True) == ["a"]
    assert jobs[0].target.read_bytes() == good


def test_other_settings_do_it_again_and_other_cores_do_not(tmp_path: Path) -> None:
    jobs, path = jobs_in(tmp_path, "a"), tmp_path / "run.jsonl"
    restore(jobs, path)
    assert restore(jobs, path, SETTINGS.model_copy(update={"threads": 7, "device": "cpu"})) == []
    assert restore(jobs, path, SETTINGS.model_copy(update={"strength": 0.5})) == ["a"]


def test_what_failed_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no music" * 99)
    jobs, path = jobs_in(tmp_path, "a", "b"), tmp_path / "run.jsonl"
    assert restore(jobs, path) == ["b"]
    assert summary(path).failed[0][0] == str(tmp_path / "a.wav")
    assert "not an audio file" in summary(path).failed[0][1]
    (tmp_path / "a.wav").unlink()
    assert restore(jobs_in(tmp_path, "a", "b"), path) == ["a"]
    assert summary(path).counts == {"done": 2}


def test_what_was_interrupted_is_done_again_over_its_own_result(tmp_path: Path) -> None:
    jobs, path = jobs_in(tmp_path, "a"), tmp_path / "run.jsonl"
    with Manifest(path, SETTINGS) as manifest:
        manifest.begin(jobs[0])
    jobs[0].target.write_bytes(b"renamed, and killed before the line was written")
    assert restore(jobs, path) == ["a"]
    assert soundfile.info(jobs[0].target).frames == 3000


def test_a_result_of_others_is_not_replaced(tmp_path: Path) -> None:
    jobs, path = jobs_in(tmp_path, "a"), tmp_path / "run.jsonl"
    jobs[0].target.write_bytes(b"of others")
    assert restore(jobs, path) == []
    assert jobs[0].target.read_bytes() == b"of others"
    assert "already exists" in summary(path).failed[0][1]


def test_half_a_line_at_the_end_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    restore(jobs_in(tmp_path, "a"), path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"input": "/b.wav", "sta')
    assert summary(path).counts == {"done": 1}
    assert restore(jobs_in(tmp_path, "a"), path) == []
    assert path.read_bytes() == whole


@pytest.mark.parametrize("text", ["[]\n", "music\n", '{"input": 3, "status": "done"}\n', '{"input": "a"}\n'])
def test_what_is_no_manifest_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match="line 1"):
        Manifest(path, SETTINGS)
    assert path.read_text() == text
    with pytest.raises(NoInputError):
        summary(tmp_path / "none.jsonl")


def test_two_runs_never_share_a_manifest(tmp_path: Path) -> None:
    with Manifest(tmp_path / "run.jsonl", SETTINGS), pytest.raises(OutputError, match="another run"):
        Manifest(tmp_path / "run.jsonl", SETTINGS)
    with Manifest(tmp_path / "run.jsonl", SETTINGS):
        pass


def test_manifests_of_shards_are_joined(tmp_path: Path) -> None:
    restore(jobs_in(tmp_path, "a", "b"), tmp_path / "1.jsonl")
    with Manifest(tmp_path / "2.jsonl", SETTINGS) as other:
        other.add(Outcome(jobs_in(tmp_path, "b")[0], "failed", error=AudioFileError("b.wav: was away")))
        other.add(Outcome(jobs_in(tmp_path, "c")[0], "failed", error=AudioFileError("c.wav: is damaged")))
    assert merge([tmp_path / "1.jsonl", tmp_path / "2.jsonl"], tmp_path / "all.jsonl") == 3
    found = summary(tmp_path / "all.jsonl")
    assert found.counts == {"done": 2, "failed": 1}
    assert found.failed == [(str(tmp_path / "c.wav"), "c.wav: is damaged")]
    assert restore(jobs_in(tmp_path, "a", "b"), tmp_path / "all.jsonl") == []


def test_shards_are_even_and_stay_as_they_are() -> None:
    names = [f"folder {i % 7}/side {i}.wav" for i in range(16_000)]
    found = shard_of(names, 16)
    assert set(found) == set(range(1, 17))
    assert max(map(found.count, range(1, 17))) < 1150
    assert shard_of(["a.wav", "b/c.flac", "\udcff.wav"], 16) == [
        shard_of([name], 16)[0] for name in ("a.wav", "b/c.flac", "\udcff.wav")
    ]
    assert shard_of(["a.wav", "b/c.flac"], 16) == [5, 12]  # on every machine, in every version


@pytest.mark.parametrize("fields", [{"bytes": None}, {"something": "of a later version"}])
def test_fields_may_be_missing_or_more(tmp_path: Path, fields: dict[str, Any]) -> None:
    line = {"input": str(tmp_path / "a.wav"), "output": "b", "status": "done", **fields}
    (tmp_path / "run.jsonl").write_text(json.dumps(line) + "\n")
    assert restore(jobs_in(tmp_path, "a"), tmp_path / "run.jsonl") == ["a"]
