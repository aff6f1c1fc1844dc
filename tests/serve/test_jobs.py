"""The life of a job: waiting, running, done, failed, cancelled, and what a restart makes of it."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from concertclean.serve.jobs import Job
from concertclean.serve.server import ServeOptions
from concertclean.serve.worker import Monitor
from concertclean.serve.workplace import Workplace
from tests.serve.conftest import RATE, TOKEN, Client, Running, song_bytes

Start = Callable[..., Running]


class Gate:
    """Work that waits until it may go on, and reports half of it as done."""

    def __init__(self) -> None:
        self.begun, self.open, self.names = threading.Event(), threading.Event(), []

    def __call__(self, place: Workplace, job: Job, monitor: Monitor) -> dict[str, Any]:
        self.names.append(job.name)
        monitor.step("Restoring")
        monitor.advance(1.0, 2.0)
        self.begun.set()
        while not self.open.wait(0.01):
            monitor.check()
        return {"seconds": 3.0}


def test_a_recording_goes_from_the_queue_to_a_result(shared: Client, song: bytes) -> None:
    job = shared.until(shared.add(song, "my song.wav", model="tiny"), "done")
    assert job["name"] == "my song.wav"
    assert job["seconds"] == pytest.approx(1.0)
    assert job["diagnosis"]["path"] == "my song.wav"
    assert {"scene", "clicks_per_second", "hiss_db", "bandwidth_hz", "reason"} <= set(job["diagnosis"])
    result = job["result"]
    assert (result["model"], result["has_networks"], result["is_whole"]) == ("tiny", True, True)
    assert result["listening"]["sample_rate"] == RATE
    assert job["progress"] is None
    peaks = shared("GET", f"/api/jobs/{job['id']}/peaks").json
    assert (peaks["seconds"], len(peaks["peaks"])) == (pytest.approx(1.0), 20)
    assert 0.25 < max(peaks["peaks"]) < 0.31
    for picture in ("before", "after", "removed"):
        assert shared("GET", f"/api/jobs/{job['id']}/pictures/{picture}").body.startswith(b"\x89PNG")
    assert shared("GET", f"/api/jobs/{job['id']}/pictures/else").status == 404


def test_what_plays_is_the_recording_and_what_is_removed(
    shared: Client, done: tuple[str, Path], tmp_path: Path
) -> None:
    """24 bits, of which the gain may take one: 2e-7 of full scale."""
    job = shared("GET", f"/api/jobs/{done[0]}").json
    sounds = {}
    for name in ("before", "removed"):
        (tmp_path / "heard.flac").write_bytes(shared("GET", f"/api/jobs/{job['id']}/audio/{name}").body)
        sounds[name] = soundfile.read(tmp_path / "heard.flac")[0] / job["result"]["listening"]["gain"]
    residual = soundfile.read(shared.server.place.root / f"files/{job['id']}/residual.wav")[0]
    assert np.abs(sounds["before"] - soundfile.read(done[1])[0]).max() < 2e-7
    assert np.abs(sounds["removed"] - residual).max() < 2e-7
    assert np.abs(residual).max() > 0.01


def test_a_recording_beyond_full_scale_is_not_cut(shared: Client, tmp_path: Path) -> None:
    """A peak of 2.5 times full scale, in floating point: the sound is stored lower, and its gain says by how much."""
    wave = 2.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    soundfile.write(tmp_path / "loud.wav", wave, RATE, "FLOAT")
    job = shared.until(shared.add((tmp_path / "loud.wav").read_bytes(), model="tiny"), "done")
    (tmp_path / "heard.flac").write_bytes(shared("GET", f"/api/jobs/{job['id']}/audio/before").body)
    gain = job["result"]["listening"]["gain"]
    assert gain == pytest.approx(0.36, rel=1e-3)
    assert np.abs(soundfile.read(tmp_path / "heard.flac")[0] / gain - wave).max() < 1e-6


def test_sounds_come_in_ranges(shared: Client, done: tuple[str, Path]) -> None:
    path = f"/api/jobs/{done[0]}/audio/before"
    whole = shared("GET", path)
    assert whole.headers["accept-ranges"] == "bytes"
    headers = {"Authorization": f"Bearer {TOKEN}", "Range": "bytes=100-299"}
    part = shared("GET", path, headers=headers)
    assert (part.status, part.body) == (206, whole.body[100:300])
    assert part.headers["content-range"] == f"bytes 100-299/{len(whole.body)}"
    headers["Range"] = f"bytes={len(whole.body)}-"
    assert shared("GET", path, headers=headers).status == 416


def test_a_long_recording_is_previewed_where_it_changes_most(shared: Client, tmp_path: Path) -> None:
    """Clicks between 40 s and 50 s of a minute: the 30 s around them are chosen."""
    rng = np.random.default_rng(0)
    rate = 8_000
    n_samples = 60 * rate
    waveform = 0.1 * np.sin(2 * np.pi * 440 * np.arange(n_samples) / rate) + rng.normal(0, 1e-4, n_samples)
    waveform[rng.integers(40 * rate, 50 * rate, 300)] += 0.5
    soundfile.write(tmp_path / "long.wav", waveform, rate)
    job = shared.until(shared.add((tmp_path / "long.wav").read_bytes(), model="declick"), "done")
    result = job["result"]
    assert (result["seconds"], result["is_whole"]) == (30.0, False)
    assert 25 <= result["start_seconds"] <= 30
    assert result["listening"]["start_seconds"] == result["start_seconds"]
    whole = shared("POST", f"/api/jobs/{job['id']}/retry", {"model": "declick", "part": "whole"})
    assert whole.json["state"] in {"waiting", "running"}
    result = shared.until(job["id"], "done")["result"]
    assert (result["is_whole"], result["seconds"]) == (True, pytest.approx(60.0))


def test_a_region_is_done_as_it_was_marked(shared: Client, song: bytes) -> None:
    job = shared.add(song, model="declick", part="region", start_seconds=0.25, duration_seconds=0.6)
    result = shared.until(job, "done")["result"]
    assert (result["start_seconds"], result["seconds"]) == (0.25, 0.6)
    shared("POST", f"/api/jobs/{job}/retry", {"part": "region", "start_seconds": 9.0, "duration_seconds": 1.0})
    assert "cannot start at 9 s" in shared.until(job, "failed")["error"]


def test_a_failed_job_says_why_and_can_be_done_in_another_way(shared: Client, song: bytes) -> None:
    job = shared.add(song, "mine.wav", model="broken")
    failed = shared.until(job, "failed")
    assert "NaN" in failed["error"]
    assert str(shared.server.place.root) not in failed["error"]
    assert shared("POST", f"/api/jobs/{job}/save", {}).status == 409
    assert shared("POST", f"/api/jobs/{job}/retry", {"model": "tiny"}).status == 200
    assert shared.until(job, "done")["error"] is None


def test_jobs_are_done_in_order_and_can_be_cancelled(start: Start, song: bytes) -> None:
    gate = Gate()
    client = start(doing=gate).client
    first, second, third = (client.add(song, f"{n}.wav") for n in "123")
    assert gate.begun.wait(10)
    running = client("GET", f"/api/jobs/{first}").json
    assert running["state"] == "running"
    assert running["progress"]["share"] == 0.5
    assert running["progress"]["step"] == "Restoring"
    assert running["progress"]["seconds_left"] >= 0
    assert client("POST", f"/api/jobs/{second}/cancel").json["state"] == "cancelled"
    assert client("DELETE", f"/api/jobs/{first}").status == 409
    client("POST", f"/api/jobs/{first}/cancel")
    client.until(first, "cancelled")
    gate.open.set()
    client.until(third, "done")
    assert gate.names == ["1.wav", "3.wav"]
    assert client("POST", f"/api/jobs/{third}/cancel").status == 409
    client("POST", f"/api/jobs/{second}/retry")
    client.until(second, "done")
    assert [job["name"] for job in client("GET", "/api/jobs").json["jobs"]] == ["1.wav", "2.wav", "3.wav"]


def test_a_restart_loses_nothing_and_starts_over_what_was_at_work(start: Start, song: bytes, tmp_path: Path) -> None:
    gate = Gate()
    running = start(doing=gate)
    ids = [running.client.add(song, f"{n}.wav", model="declick") for n in "123"]
    assert gate.begun.wait(10)
    running.client("POST", f"/api/jobs/{ids[2]}/cancel")
    orphan = running.client.upload(song)
    running.stop()
    stored = json.loads((tmp_path / f"work/jobs/{ids[0]}.json").read_text())
    assert stored["state"] == "running"
    again = start().client
    assert again.until(ids[0], "done")["result"]["model"] == "declick"
    again.until(ids[1], "done")
    assert again("GET", f"/api/jobs/{ids[2]}").json["state"] == "cancelled"
    assert not (tmp_path / "work/files" / orphan).exists()


def test_a_damaged_job_stops_nobody(start: Start, tmp_path: Path) -> None:
    (tmp_path / "work/jobs").mkdir(parents=True)
    (tmp_path / "work/jobs/0123456789abcdef.json").write_text("{")
    running = start()
    assert running.server.place.damaged == ["0123456789abcdef.json"]
    assert running.client("GET", "/api/jobs").json == {"jobs": []}
    assert (tmp_path / "work/jobs/0123456789abcdef.json").read_text() == "{"


def test_a_deleted_job_is_gone_with_its_files_but_not_its_results(client: Client, song: bytes, tmp_path: Path) -> None:
    job = client.until(client.add(song, model="declick"), "done")["id"]
    name = client("POST", f"/api/jobs/{job}/save", {"format": "flac"}).json["name"]
    assert client("DELETE", f"/api/jobs/{job}").status == 204
    assert client("GET", f"/api/jobs/{job}").status == 404
    assert not (tmp_path / "work/files" / job).exists()
    assert client("GET", f"/api/results/{name}").body.startswith(b"fLaC")


def test_a_full_disk_fails_the_job_and_not_the_server(client: Client, tmp_path: Path, full_disk: list[str]) -> None:
    endings = full_disk.copy()
    full_disk.clear()
    upload = client.upload(song_bytes(tmp_path / "s.wav", 1.0))
    full_disk += endings
    assert client("POST", "/api/jobs", {"upload": upload}).status == 507
    full_disk.clear()
    job = client("POST", "/api/jobs", {"upload": upload, "model": "declick"}).json["id"]
    client.until(job, "done")


def test_the_requests_are_described(client: Client) -> None:
    described = client("GET", "/api/openapi.json").json
    assert described["openapi"] == "3.1.0"
    assert {"/api/jobs", "/api/jobs/{id}", "/api/jobs/{id}/save", "/api/uploads"} <= set(described["paths"])
    save = described["paths"]["/api/jobs/{id}/save"]["post"]
    assert save["requestBody"]["content"]["application/json"]["schema"]["$ref"].endswith("/SaveRequest")
    schemas = described["components"]["schemas"]
    assert {"strength", "max_reduction_db", "format"} <= set(schemas["SaveRequest"]["properties"])
    references = set(_references(described))
    assert references <= {f"#/components/schemas/{name}" for name in schemas}


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [found for inner in value.values() for found in _references(inner)]
    return [found for inner in value for found in _references(inner)] if isinstance(value, list) else []


def test_silence_is_left_alone(shared: Client, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros((RATE, 2)), RATE)
    job = shared.until(shared.add((tmp_path / "silence.wav").read_bytes()), "done")
    assert job["result"]["model"] == ""
    assert job["diagnosis"]["reason"] == "it is silent"
    assert job["result"]["listening"]["lufs"] == [None, None, None]


def test_the_folder_of_results_is_opened_where_it_can_be(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("typer.launch", lambda path: opened.append(path) or 0)
    assert client("POST", "/api/results").status == 204
    assert opened == [str(tmp_path / "work/results")]
    monkeypatch.setattr("typer.launch", lambda path: 1)
    answer = client("POST", "/api/results")
    assert answer.status == 501
    assert str(tmp_path / "work/results") in answer.json["error"]


def test_no_folder_is_opened_for_another_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typer.launch", lambda path: pytest.fail("it was opened"))
    running = Running(ServeOptions(tmp_path / "work", host="0.0.0.0", token=TOKEN))
    try:
        running.client.host = "127.0.0.1"
        assert running.client("POST", "/api/results").status == 403
    finally:
        running.stop()
