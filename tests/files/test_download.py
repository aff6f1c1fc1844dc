import hashlib
import time

import pytest

from concertclean.errors import ConfigError, ModelError, OfflineError
from concertclean.files.download import connect_seconds, fetch_from_url, file_sha256, probe
from tests.weights.hub_server import closed_url, serving

DATA = bytes(range(256)) * 12_000  # three blocks of the download, the last not full
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.delenv("CONCERTCLEAN_CONNECT_SECONDS", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server():
    with serving() as running:
        running.files["/song.ogg"] = DATA
        yield running


@pytest.fixture
def target(tmp_path):
    """A file to download to, with something older in it."""
    path = tmp_path / "song.ogg"
    path.write_text("old")
    return path


def assert_old(target):
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


# Hashes


def test_sha256_of_a_file(tmp_path):
    """FIPS 180-4, examples: the message "abc"."""
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert file_sha256(tmp_path / "abc") == expected


def test_sha256_of_a_missing_file(tmp_path):
    with pytest.raises(ModelError, match="missing: cannot be read"):
        file_sha256(tmp_path / "missing")


# Downloads


def test_file_is_stored_in_a_folder_that_is_made(server, tmp_path):
    steps = []
    target = tmp_path / "new" / "folder" / "song.ogg"
    fetch_from_url(f"{server.url}/song.ogg", target, SHA256, progress=lambda *step: steps.append(step))
    assert target.read_bytes() == DATA
    assert list(target.parent.iterdir()) == [target]
    assert steps == [(1 << 20, len(DATA)), (2 << 20, len(DATA)), (len(DATA), len(DATA))]


def test_file_replaces_an_older_one(server, target):
    server.declares_length = False
    steps = []
    fetch_from_url(f"{server.url}/song.ogg", target, SHA256, progress=lambda *step: steps.append(step))
    assert target.read_bytes() == DATA
    assert steps[-1] == (len(DATA), None)


def test_another_file_than_expected_is_not_kept(server, target):
    with pytest.raises(ModelError, match=f"expected {'0' * 64}, found {SHA256}"):
        fetch_from_url(f"{server.url}/song.ogg", target, "0" * 64)
    assert_old(target)


def test_transfer_that_breaks_off(server, target):
    server.breaks_off = True
    with pytest.raises(ModelError, match=f"broke off after {len(DATA) // 2} bytes"):
        fetch_from_url(f"{server.url}/song.ogg", target, SHA256)
    assert_old(target)


@pytest.mark.parametrize("status", [404, 503])
def test_server_that_refuses(server, target, status):
    server.status = status
    with pytest.raises(ModelError, match=f"the server answers {status}") as caught:
        fetch_from_url(f"{server.url}/song.ogg", target, SHA256)
    assert not isinstance(caught.value, OfflineError)
    assert_old(target)


def test_interruption_leaves_the_old_file(server, target):
    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_from_url(f"{server.url}/song.ogg", target, SHA256, progress=interrupt)
    assert_old(target)


@pytest.mark.parametrize("n_bytes", [100, 3_000_000])
def test_full_disk_does_not_name_the_model_folder_for_other_files(server, target, full_disk, n_bytes):
    """The file of a dataset was said to need another CONCERTCLEAN_MODEL_DIR."""
    server.files["/song.ogg"] = data = b"x" * n_bytes
    with pytest.raises(ModelError, match=r"No space left on device\); free some space or choose another folder$"):
        fetch_from_url(f"{server.url}/song.ogg", target, hashlib.sha256(data).hexdigest())
    assert_old(target)


def test_folder_that_cannot_be_written(server, target):
    with pytest.raises(ModelError, match=r"cannot be written \(.+\); free some space or set X$"):
        fetch_from_url(f"{server.url}/song.ogg", target / "song.ogg", SHA256, other_folder="set X")
    assert_old(target)


# Finding out whether anybody answers


def test_nobody_answers(target):
    start = time.monotonic()
    with pytest.raises(OfflineError, match="cannot be reached"):
        fetch_from_url(f"{closed_url()}/song.ogg", target, SHA256)
    assert time.monotonic() - start < 1.0  # "no network" is said within a second
    assert_old(target)


def test_proxy_is_asked_instead_of_the_host(monkeypatch, server):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.delenv("no_proxy", raising=False)
    probe("http://weights.invalid/mine")


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "inf"])
def test_connect_seconds_must_be_a_number(monkeypatch, text):
    monkeypatch.setenv("CONCERTCLEAN_CONNECT_SECONDS", text)
    with pytest.raises(ConfigError, match="CONCERTCLEAN_CONNECT_SECONDS"):
        connect_seconds()


# Sizes


@pytest.mark.parametrize("declares_length", [True, False])
def test_download_stops_at_the_expected_size(server, target, declares_length):
    server.declares_length = declares_length
    steps = []
    with pytest.raises(ModelError, match=r"song\.ogg: serves more than the 2000000 bytes expected; nothing is kept"):
        fetch_from_url(
            f"{server.url}/song.ogg", target, SHA256, size_bytes=2_000_000, progress=lambda *step: steps.append(step)
        )
    assert all(done <= 2_000_000 for done, _ in steps)
    assert not (declares_length and steps)  # refused before the first byte
    assert_old(target)


def test_download_of_exactly_the_expected_size_is_kept(server, target):
    server.declares_length = False
    fetch_from_url(f"{server.url}/song.ogg", target, SHA256, size_bytes=len(DATA))
    assert target.read_bytes() == DATA


def test_download_of_unknown_size_has_a_limit_too(server, target, monkeypatch):
    monkeypatch.setattr("concertclean.files.download._MOST_BYTES", 1000)
    server.declares_length = False
    with pytest.raises(ModelError, match="more than the 1000 bytes"):
        fetch_from_url(f"{server.url}/song.ogg", target, SHA256)
    assert_old(target)
