"""What is refused, with the right status, and that nothing is left of it."""

import http.client
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from concertclean.errors import ConfigError, NoInputError, OutputError
from concertclean.serve.server import PageServer, ServeOptions
from concertclean.serve.workplace import plain
from tests.serve.conftest import TOKEN, Client, Running, song_bytes

Start = Callable[..., Running]


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file() and path.name != ".lock"}


@pytest.mark.parametrize("path", ["/", "/assets/page.css", "/api/jobs", "/api/openapi.json", "/api/nothing"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Cookie": "concertclean_1=wrong; x=é"}])
def test_nothing_is_shown_without_the_token(shared: Client, path: str, headers: dict[str, str]) -> None:
    answer = shared("GET", path, headers={k: v.encode().decode("latin-1") for k, v in headers.items()})
    assert answer.status == 401
    assert "address" in answer.json["error"]


def test_the_printed_address_becomes_a_cookie_and_an_address_without_token(shared: Client) -> None:
    answer = shared("GET", f"/?token={TOKEN}", headers={})
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert shared("GET", "/", headers={"Cookie": cookie.split(";")[0]}).status == 200
    assert shared("GET", "/?token=guess", headers={}).status == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "localhost@evil.example"])
def test_a_foreign_name_that_leads_here_is_refused(shared: Client, host: str) -> None:
    headers = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
    assert shared("GET", "/api/jobs", headers=headers).status == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1", "http://127.0.0.1:1"])
def test_a_foreign_origin_is_refused_and_leaves_nothing(
    client: Client, origin: str, song: bytes, tmp_path: Path
) -> None:
    headers = {"Origin": origin, "Authorization": f"Bearer {TOKEN}"}
    assert client("POST", "/api/uploads?name=a.wav", song, headers).status == 403
    assert not files_in(tmp_path / "work")
    headers["Origin"] = client.origin
    assert client("POST", "/api/uploads?name=a.wav", song, headers).status == 201


def test_every_response_forbids_what_the_page_does_not_need(shared: Client) -> None:
    for path in ("/", "/assets/serve.js", "/api/jobs", "/api/jobs/0123456789abcdef"):
        headers = shared("GET", path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
    assert shared("GET", "/api/jobs", headers={}).headers["x-content-type-options"] == "nosniff"


def test_text_with_the_name_of_audio_is_refused_in_the_words_of_the_reader(client: Client, tmp_path: Path) -> None:
    answer = client("POST", "/api/uploads?name=notes.wav", b"This is only text.\n" * 100)
    assert answer.status == 415
    assert answer.json["error"].startswith("notes.wav: ")
    assert str(tmp_path) not in answer.json["error"]
    assert not files_in(tmp_path / "work")
    assert not list((tmp_path / "work/files").iterdir())


def test_an_upload_that_does_not_fit_is_refused_before_the_disk_is_full(
    client: Client, song: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=len(song)))
    answer = client("POST", "/api/uploads?name=a.wav", song)
    assert answer.status == 507
    assert "free some space" in answer.json["error"]
    assert not files_in(tmp_path / "work")


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(
    client: Client, song: bytes, tmp_path: Path, full_disk: list[str]
) -> None:
    answer = client("POST", "/api/uploads?name=a.wav", song)
    assert answer.status == 507
    assert not list((tmp_path / "work/files").iterdir())


def test_an_upload_that_stops_half_way_leaves_nothing(
    client: Client, song: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=10**12))
    connection = http.client.HTTPConnection(client.host, client.port)
    connection.putrequest("POST", "/api/uploads?name=a.wav")
    connection.putheader("Authorization", f"Bearer {TOKEN}")
    connection.putheader("Content-Length", str(2_000_000_000))
    connection.endheaders()
    connection.send(song)
    files = tmp_path / "work/files"
    end = time.monotonic() + 10
    while not files_in(files) and time.monotonic() < end:
        time.sleep(0.01)
    assert files_in(files)  # it has begun
    assert connection.sock is not None
    connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
    while list(files.iterdir()) and time.monotonic() < end:
        time.sleep(0.01)
    assert not list(files.iterdir())
    assert client("GET", "/api/jobs").json == {"jobs": []}


@pytest.fixture
def folder(tmp_path: Path, song: bytes) -> Path:
    """A folder of recordings with a link out of it, beside a recording that is nobody's business."""
    folder = tmp_path / "tapes"
    (folder / "side").mkdir(parents=True)
    for path in (folder / "one.wav", folder / "side/two.wav", tmp_path / "secret.wav"):
        path.write_bytes(song)
    (folder / "leak.wav").symlink_to(tmp_path / "secret.wav")
    (folder / "away").symlink_to(tmp_path)
    (folder / ".hidden.wav").write_bytes(song)
    (folder / "notes.txt").write_bytes(song)
    with suppress(OSError):  # a file system whose names are UTF-8
        Path(os.fsdecode(os.fsencode(folder) + b"/\xe9.wav")).write_bytes(song)
    return folder


def test_recordings_of_the_folder_can_be_picked(start: Start, folder: Path) -> None:
    client = start(folder=folder).client
    assert client("GET", "/api/folder").json == {"files": ["one.wav", "side/two.wav"]}
    answer = client("POST", "/api/jobs", {"file": "side/two.wav", "model": "declick"})
    assert (answer.status, answer.json["name"]) == (201, "two.wav")
    assert client.until(answer.json["id"], "done")["result"]["is_whole"]


@pytest.mark.parametrize(
    "name",
    ["../secret.wav", "side/../../secret.wav", "/etc/passwd", "leak.wav", "away/secret.wav", "", "..\\secret.wav"],
)
def test_nothing_outside_the_folder_is_read(start: Start, folder: Path, tmp_path: Path, name: str) -> None:
    client = start(folder=folder).client
    assert client("POST", "/api/jobs", {"file": name}).status == 422
    assert not files_in(tmp_path / "work")


@pytest.mark.parametrize("name", [".hidden.wav", "notes.txt", "side", "none.wav"])
def test_only_what_is_listed_can_be_picked(start: Start, folder: Path, name: str) -> None:
    assert start(folder=folder).client("POST", "/api/jobs", {"file": name}).status == 404


def test_a_recording_that_became_a_link_is_not_read(start: Start, folder: Path, tmp_path: Path) -> None:
    running = start(folder=folder)
    client = running.client
    job = client("POST", "/api/jobs", {"file": "one.wav", "model": "declick"}).json["id"]
    client.until(job, "done")
    (folder / "one.wav").unlink()
    (folder / "one.wav").symlink_to(tmp_path / "secret.wav")
    assert client("POST", f"/api/jobs/{job}/save", {}).status == 422
    client("POST", f"/api/jobs/{job}/retry")
    assert "symbolic link" in client.until(job, "failed", "done")["error"]


def test_a_folder_that_is_not_served_any_more_fails_its_jobs_in_words(start: Start, folder: Path) -> None:
    first = start(folder=folder)
    job = first.client("POST", "/api/jobs", {"file": "one.wav", "model": "declick"}).json["id"]
    first.client.until(job, "done")
    first.stop()
    client = start().client
    client("POST", f"/api/jobs/{job}/retry")
    assert client.until(job, "failed")["error"] == "one.wav: lies in a folder that is not served now; serve it again"
    assert client("POST", f"/api/jobs/{job}/save", {}).status == 409


def test_a_recording_that_has_changed_is_not_saved_with_the_old_residual(
    start: Start, folder: Path, tmp_path: Path
) -> None:
    client = start(folder=folder).client
    job = client("POST", "/api/jobs", {"file": "one.wav", "model": "declick"}).json["id"]
    client.until(job, "done")
    (folder / "one.wav").write_bytes((folder / "one.wav").read_bytes()[:-400])
    answer = client("POST", f"/api/jobs/{job}/save", {})
    assert answer.status == 409
    assert "restore it again" in answer.json["error"]
    assert not list((tmp_path / "work/results").iterdir())


def test_faults_are_reported_as_all_errors_are(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    client = start().client

    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(client.server.place, "picks", fail)
    answer = client("GET", "/api/folder")
    assert answer.status == 500
    assert "fault of concertclean" in answer.json["error"]
    assert client("PUT", "/api/jobs").json["error"].startswith("PUT /api/jobs: ")
    assert client("GET", "/api/nothing").status == 404


def test_a_model_cannot_be_a_path(shared: Client, song: bytes, tiny_weights: dict[str, Path]) -> None:
    upload = shared.upload(song)
    answer = shared("POST", "/api/jobs", {"upload": upload, "model": str(tiny_weights["stereo"])})
    assert answer.status == 422
    assert "unknown model" in answer.json["error"]


@pytest.mark.parametrize("path", ["..%2F..%2Fjobs%2Fx.json", "%2e%2e", "..", "a%00b", "no.wav"])
def test_results_lie_in_their_folder_only(shared: Client, path: str) -> None:
    assert shared("GET", f"/api/results/{path}").status == 404


def test_links_among_the_results_are_not_followed(client: Client, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "work/results/a.wav").symlink_to(tmp_path / "secret")
    assert client("GET", "/api/results/a.wav").status == 404


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\music\\a.wav", "a.wav"),
        (".hidden.wav", "hidden.wav"),
        ("a\x00b\n.wav", "a_b_.wav"),
        ("", "recording"),
        ("..", "recording"),
        ("Ärger: Teil 2?.m4a", "Ärger_ Teil 2_.m4a"),
        ("x" * 300 + ".flac", "x" * 115 + ".flac"),
    ],
)
def test_names_become_plain(name: str, kept: str) -> None:
    assert plain(name) == kept


def test_two_servers_never_share_a_working_folder(start: Start, tmp_path: Path) -> None:
    first = start()
    with pytest.raises(OutputError, match="another program"):
        PageServer(ServeOptions(tmp_path / "work"))
    first.stop()
    start().stop()


def test_a_folder_that_is_missing_is_reported(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match="check the spelling"):
        PageServer(ServeOptions(tmp_path / "work", tmp_path / "none"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2"])
def test_other_machines_need_a_token_that_somebody_chose(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="nothing is encrypted"):
        PageServer(ServeOptions(tmp_path / "work", host=host))
    assert not os.path.exists(tmp_path / "work")


def test_a_short_token_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="12 characters"):
        PageServer(ServeOptions(tmp_path / "work", token="short"))


def test_an_open_host_takes_addresses_and_no_foreign_names(tmp_path: Path) -> None:
    running = Running(ServeOptions(tmp_path / "work", host="0.0.0.0", token=TOKEN))
    try:
        for host, status in (("192.168.1.2:8734", 200), ("localhost", 200), ("evil.example", 421)):
            headers = {"Host": host, "Authorization": f"Bearer {TOKEN}"}
            assert running.client("GET", "/api/jobs", headers=headers).status == status
    finally:
        running.stop()


def test_a_port_in_use_is_reported(start: Start, tmp_path: Path) -> None:
    port = start().client.port
    with pytest.raises(ConfigError, match="choose another port"):
        PageServer(ServeOptions(tmp_path / "other", port=port))


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
        (b'{"upload": "x", "file": "y"}', "application/json", 422),
        (b'{"upload": "x", "strange": 1}', "application/json", 422),
        (b'{"upload": "x"}', "text/plain", 415),
        (b'{"upload": "x"}', "application/json", 404),
        (b" " * 100_000, "application/json", 413),
    ],
)
def test_bodies_that_make_no_sense(shared: Client, body: bytes, kind: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
    answer = shared("POST", "/api/jobs", body, headers)
    assert answer.status == status, answer.body
    assert answer.json["error"]


def test_no_thread_is_left(start: Start) -> None:
    before = threading.active_count()
    start().stop()
    assert threading.active_count() <= before + 1  # of the pool that handles requests


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(folder)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_really_full_refuses_and_keeps_what_was_there(
    small_disk: Path, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = start(small_disk / "work").client
    answer = client("POST", "/api/uploads?name=a.wav", song_bytes(tmp_path / "a.wav", 1.0))
    assert answer.status == 507
    assert "free some space" in answer.json["error"]
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=10**12))  # it fills up after the look
    long = client("POST", "/api/uploads?name=b.wav", song_bytes(tmp_path / "b.wav", 20.0))
    assert long.status == 507, long.body
    assert not files_in(small_disk)
    job = client.add(song_bytes(tmp_path / "c.wav", 2.0), "c.wav", model="declick")  # its residual does not fit
    found = client.until(job, "failed")
    assert found["error"].startswith("c.wav: ")
    assert "No space left" in found["error"]
    assert not list(small_disk.glob("work/files/*/*.part*"))
    assert client("GET", "/api/jobs").status == 200
