"""Recordings and results by URL: in fsspec's memory, and from a web server on this machine."""

import io
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

pytest.importorskip("fsspec", reason="needs the extra cloud")
pytest.importorskip("aiohttp", reason="needs the extra cloud")

import fsspec

from concertclean.files.places import place_of
from concertclean.restore.batch import Job
from tests.audio_io.film_maker import Sound, clicks, make_film, packets
from tests.cli.conftest import Ended
from tests.files.web_server import WebServer, web_server

Program = Callable[..., Ended]
RATE = 44_100
DECLICK = ("--model", "declick")


def wav(seed: int, seconds: float = 0.3) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(seed).uniform(-0.1, 0.1, (round(seconds * RATE), 1))
    soundfile.write(file, noise, RATE, format="WAV")
    return file.getvalue()


TREE = {"a.wav": wav(0), "b/c.wav": wav(1), "b/deep/d.wav": wav(2)}


@pytest.fixture
def memory() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    for name, data in TREE.items():
        store.pipe(f"/in/{name}", data)
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def results(store: Any, folder: str = "/out") -> dict[str, bytes]:
    return {name.removeprefix(f"{folder}/"): store.cat(name) for name in store.store if name.startswith(f"{folder}/")}


def test_a_tree_goes_from_store_to_store_as_from_folder_to_folder(
    program: Program, memory: Any, tmp_path: Path
) -> None:
    for name, data in TREE.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    assert program("denoise", "in", "-r", *DECLICK, "-o", "out").code == 0
    ended = program("denoise", "memory://in/", "-r", *DECLICK, "-o", "memory://out/")
    assert ended.code == 0, ended.err
    assert "memory://in/b/c.wav -> memory://out/b/c_clean.wav" in ended.err
    local = {str(path.relative_to(tmp_path / "out")): path.read_bytes() for path in (tmp_path / "out").rglob("*.wav")}
    assert results(memory) == local
    assert program("denoise", "in", "-r", *DECLICK, "-o", "memory://sent").code == 0
    assert program("denoise", "memory://in", "-r", *DECLICK, "-o", "fetched").code == 0
    fetched = {
        str(path.relative_to(tmp_path / "fetched")): path.read_bytes() for path in (tmp_path / "fetched").rglob("*.wav")
    }
    assert results(memory, "/sent") == fetched == local


def test_what_exists_is_refused_skipped_or_replaced(program: Program, memory: Any) -> None:
    memory.pipe("/out/a_clean.wav", b"old")
    words = ("denoise", "memory://in", "-r", *DECLICK, "-o", "memory://out")
    ended = program("denoise", "memory://in/a.wav", *DECLICK, "-o", "memory://out/")
    assert ended.code == 9
    assert "memory://out/a_clean.wav: already exists" in ended.err
    assert "2 restored, 1 skipped" in program(*words, "--skip-existing").err
    assert memory.cat("/out/a_clean.wav") == b"old"
    assert "3 restored" in program(*words, "--overwrite").err
    assert memory.cat("/out/a_clean.wav")[:4] == b"RIFF"
    ended = program("denoise", "memory://in/a.wav", *DECLICK, "-o", "memory://in/a.wav", "--overwrite")
    assert (ended.code, memory.cat("/in/a.wav")) == (9, TREE["a.wav"])


def test_a_manifest_goes_on_with_urls(program: Program, memory: Any, tmp_path: Path) -> None:
    words = ("denoise", "memory://in", "-r", *DECLICK, "-o", "memory://out", "--manifest", "run.jsonl")
    assert program(*words).code == 0
    made = {name: memory.modified(name) for name in memory.store}
    assert "0 restored, 3 skipped" in program(*words).err
    assert "0 restored, 3 skipped" in program(*words, "--verify").err
    assert {name: memory.modified(name) for name in memory.store} == made
    memory.pipe("/in/a.wav", wav(9))
    memory.rm("/out/b/c_clean.wav")
    assert "2 restored, 1 skipped" in program(*words).err
    old = memory.cat("/out/a_clean.wav")
    memory.pipe("/out/a_clean.wav", old[:-1] + bytes([old[-1] ^ 1]))
    assert "0 restored, 3 skipped" in program(*words).err
    assert "1 restored, 2 skipped" in program(*words, "--verify").err
    assert memory.cat("/out/a_clean.wav") == old
    ended = program("batch", "status", "run.jsonl")
    assert ended.out.startswith(b"3 restored, 0 failed")
    line = json.loads((tmp_path / "run.jsonl").read_text().splitlines()[0])
    assert line == {"input": "memory://in/a.wav", "output": "memory://out/a_clean.wav", "status": "started"}


def test_shards_are_those_of_folders(program: Program, memory: Any, tmp_path: Path) -> None:
    for place in ("memory://out", "out"):
        for shard in ("1/2", "2/2"):
            program("denoise", "memory://in", "-r", *DECLICK, "-o", f"{place}/{shard[0]}", "--shard", shard)
    here = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.wav")}
    assert set(results(memory)) == here
    assert len(here) == 3


def test_a_dry_run_opens_each_and_writes_nothing(program: Program, memory: Any) -> None:
    before = set(memory.store)
    ended = program("denoise", "memory://in", "-r", *DECLICK, "-o", "memory://out", "--dry-run", "--json")
    assert ended.code == 0
    records = json.loads(ended.out)
    assert [(one["input"], one["output"], one["output_exists"]) for one in records][1] == (
        "memory://in/b/c.wav", "memory://out/b/c_clean.wav", False,
    )  # fmt: skip
    assert {round(one["duration_seconds"], 3) for one in records} == {0.3}
    assert set(memory.store) == before


def test_what_was_removed_and_videos_go_to_a_store_too(program: Program, memory: Any, tmp_path: Path) -> None:
    make_film(tmp_path / "clip.mp4", [Sound(clicks(1.0))], muxer="mp4", seconds=1.0)
    memory.pipe("/films/clip.mp4", (tmp_path / "clip.mp4").read_bytes())
    ended = program("denoise", "memory://films/clip.mp4", *DECLICK, "--removed")
    assert ended.code == 0, ended.err
    assert set(results(memory, "/films")) == {"clip.mp4", "clip_clean.mp4", "clip_clean_removed.wav"}
    memory.get_file("/films/clip_clean.mp4", str(tmp_path / "made.mp4"))
    assert packets(tmp_path / "made.mp4", "video") == packets(tmp_path / "clip.mp4", "video")
    with av.open(str(tmp_path / "made.mp4")) as container:
        assert container.streams.audio


@pytest.mark.parametrize("ranges", ["yes", "ignored"])
def test_the_result_of_a_web_address_is_written_here(program: Program, tmp_path: Path, ranges: str) -> None:
    with web_server(ranges) as server:
        server.files["/band/My%20Song.wav"] = wav(0)
        address = f"{server.url.replace('//', '//me:hush@')}/band/My%20Song.wav?signature=hush"
        ended = program("denoise", address, *DECLICK, "--manifest", "run.jsonl", "--jsonl-log", "log.jsonl", "-v")
        assert ended.code == 0, ended.err
        again = program("denoise", address, *DECLICK, "--manifest", "run.jsonl")
        assert again.code == 0, again.err
    assert (tmp_path / "My Song_clean.wav").exists()
    written = [(tmp_path / name).read_text() for name in ("run.jsonl", "log.jsonl")]
    assert "hush" not in "".join((ended.err, again.err, *written))


def test_of_a_long_recording_only_blocks_are_held(program: Program, memory: Any) -> None:
    with web_server() as server:
        server.files["/long.wav"] = wav(0, 150.0)
        ended = program("denoise", f"{server.url}/long.wav", "--model", "declick", "--dry-run", "--duration", 1)
        assert ended.code == 0, ended.err
        assert sum(server.sent) < len(server.files["/long.wav"])
        assert max(server.sent) <= 2 << 20


def test_web_addresses_that_bring_nothing_have_the_usual_exit_codes(program: Program, tmp_path: Path) -> None:
    with web_server() as server:
        server.statuses["/no.wav"] = 403
        missing = program("denoise", f"{server.url}/a.wav", *DECLICK)
        forbidden = program("denoise", f"{server.url}/no.wav", *DECLICK)
        folder = program("denoise", f"{server.url}/band/", *DECLICK)
        written = program("denoise", f"{server.url}/a.wav", *DECLICK, "-o", f"{server.url}/b.wav")
    with WebServer("yes") as server:
        away = server.url
    gone = program("denoise", f"{away}/a.wav", *DECLICK)
    assert (missing.code, forbidden.code, folder.code, written.code, gone.code) == (4, 5, 4, 2, 5)
    assert "a.wav: does not exist" in missing.err
    assert "the server answers 403 Forbidden" in forbidden.err
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_breaks_leaves_nothing_and_the_rest_go_on(
    program: Program, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = memory.mv

    def move(old: str, new: str, **options: Any) -> None:
        if "c_clean" in new:
            raise PermissionError("write access is denied")
        moved(old, new, **options)

    monkeypatch.setattr(type(memory), "mv", lambda self, *words, **options: move(*words, **options))
    ended = program("denoise", "memory://in", "-r", *DECLICK, "-o", "memory://out")
    assert ended.code == 3
    assert "memory://out/b/c_clean.wav: cannot be written (write access is denied)" in ended.err
    assert set(results(memory)) == {"a_clean.wav", "b/deep/d_clean.wav"}


def test_a_missing_package_is_named_with_its_cure(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    for words in (("s3://bucket/a.wav",), ("a.wav", "-o", "sftp://host/out/")):
        ended = program("denoise", *words, *DECLICK)
        assert ended.code == 2
        assert "pip install 'concertclean[cloud]'" in ended.err


def test_reports_and_manifests_need_files_here(program: Program, memory: Any) -> None:
    reported = program("denoise", "memory://in/a.wav", *DECLICK, "--report")
    assert "memory://in/a.wav: files on this machine are needed" in reported.err
    noted = program("denoise", "memory://in/a.wav", *DECLICK, "--manifest", "memory://run.jsonl")
    assert "memory://run.jsonl: files on this machine are needed" in noted.err
    assert (reported.code, noted.code) == (2, 2)
    assert set(memory.store) == {f"/in/{name}" for name in TREE}


def test_what_a_worker_receives_has_its_credentials() -> None:
    url = place_of("sftp://me:hush@host/in/a.wav")
    job = pickle.loads(pickle.dumps(Job(url, Path("out/a_clean.wav"))))
    assert (job.source, job.source.address, job.target) == (
        url,
        "sftp://me:hush@host/in/a.wav",
        Path("out/a_clean.wav"),
    )
