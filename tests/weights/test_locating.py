import hashlib
import logging
import runpy
import socket
import threading
import time
import types
from pathlib import Path

import pytest
import torch

from concertclean.errors import ModelError, OfflineError
from concertclean.weights import locating as sources
from concertclean.weights.cards import find_card
from concertclean.weights.file_format import read_header, save_weights
from concertclean.weights.locating import locate_weights, model_folder
from tests.weights.hub_server import REVISION, closed_url, serving

tf = runpy.run_path(str(Path(__file__).parents[1] / "reference/write_tf_bundle.py"))
HUB_PATH = f"/someone/models/resolve/{REVISION}/mine.safetensors"
TOLD_IN_TIME = 1.0  # seconds in which "no network" must be told


def assert_told_in_time(error, match):
    start = time.monotonic()
    with pytest.raises(error, match=match):
        locate_weights("mine")
    assert time.monotonic() - start < TOLD_IN_TIME


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """All folders below tmp_path, and no proxy or switch from outside."""
    monkeypatch.setenv("CONCERTCLEAN_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("CONCERTCLEAN_MODEL_DIR", str(tmp_path / "models"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("CONCERTCLEAN_OFFLINE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "CONCERTCLEAN_CONNECT_SECONDS"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def server(monkeypatch):
    with serving() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


@pytest.fixture
def weights(tmp_path):
    """Bytes of a weights file larger than one block of the download."""
    path = tmp_path / "original.safetensors"
    save_weights(path, {"w": torch.zeros(400_000)}, architecture="kanunet_eca", config={}, provenance={})
    return path.read_bytes()


def write_card(home, data, source, name="mine", sha_line=None):
    sha_line = sha_line or f'sha256 = "{hashlib.sha256(data).hexdigest()}"'
    card = (
        f'[{name}]\ndescription = "d"\narchitecture = "kanunet_eca"\nfilename = "{name}.safetensors"\n'
        f'sample_rate = 44100\nchannels = 2\nlicense = "MIT"\n{sha_line}\n{source}\n'
    )
    (home / "models.toml").write_text(card)


@pytest.fixture
def hub_card(home, weights):
    write_card(home, weights, f'repo_id = "someone/models"\nrevision = "{REVISION}"')


@pytest.fixture
def url_card(home, weights, server):
    write_card(home, weights, f'url = "{server.url}/files/mine.safetensors"')


def stored_files(home):
    """Names of everything in the model folder and the hub cache that could be weights or their remainder."""
    kept = [path for folder in ("models", "hub") for path in (home / folder).rglob("*") if path.is_file()]
    return [path.name for path in kept if path.suffix != ".lock" and path.name != "CACHEDIR.TAG"]


# Paths of the user's own


def test_own_file_needs_no_card(home, weights):
    located = locate_weights(str(home / "original.safetensors"))
    assert located.path == home / "original.safetensors"
    assert located.card is None
    assert located.sha256 == hashlib.sha256(weights).hexdigest()


def test_missing_own_file(home):
    with pytest.raises(ModelError, match="no such weights file"):
        locate_weights(home / "absent.safetensors")


def test_bare_word_is_a_model_and_never_a_file(home, monkeypatch):
    monkeypatch.chdir(home)
    (home / "unheard").write_bytes(b"x")
    with pytest.raises(ModelError, match="unknown model 'unheard'"):
        locate_weights("unheard")


def test_card_with_path_is_checked_and_never_removed(home, weights):
    own = home / "original.safetensors"
    write_card(home, weights, f'path = "{own.as_posix()}"')
    assert locate_weights("mine").path == own
    own.write_bytes(weights[:-1] + b"\1")
    with pytest.raises(ModelError, match="wrong sha256"):
        locate_weights("mine")
    assert own.exists()


def test_stored_file_of_a_known_model_is_checked_when_given_as_path(home, weights, url_card, server):
    stored = model_folder() / "mine.safetensors"
    stored.parent.mkdir()
    stored.write_bytes(weights)
    assert locate_weights(stored).card == find_card("mine")
    stored.write_bytes(weights[:-1] + b"\1")
    with pytest.raises(ModelError, match="wrong sha256"):
        locate_weights(stored)
    assert stored.exists()


# Shipped weights


def test_shipped_weights_come_first(home, weights, monkeypatch):
    write_card(home, weights, "shipped = true")
    monkeypatch.setattr(sources, "_SHIPPED", home / "weights")
    with pytest.raises(ModelError, match="reinstall concertclean"):
        locate_weights("mine")
    shipped = home / "weights/mine.safetensors"
    shipped.parent.mkdir()
    shipped.write_bytes(weights)
    assert locate_weights("mine").path == shipped
    shipped.write_bytes(b"other")
    found = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(ModelError, match=f"found {found}; reinstall concertclean"):
        locate_weights("mine")
    assert shipped.exists()


def test_deprecated_model_is_logged(home, weights, caplog):
    own = home / "original.safetensors"
    write_card(home, weights, f'path = "{own.as_posix()}"\ndeprecated_by = "concert"')
    with caplog.at_level(logging.WARNING):
        locate_weights("mine")
    assert "mine is superseded by concert" in caplog.text


# The hub


def test_hub_download_then_cache(home, weights, server, hub_card):
    server.files[HUB_PATH] = weights
    steps = []
    path = locate_weights("mine", progress=lambda done, total: steps.append((done, total))).path
    assert path.read_bytes() == weights
    assert path.is_relative_to(home / "hub")
    assert steps[-1] == (len(weights), len(weights))
    assert {command for command, _ in server.requests} == {"HEAD", "GET"}
    server.requests.clear()
    assert locate_weights("mine").path == path
    assert server.requests == []


def test_cached_file_needs_no_network(server, weights, hub_card, monkeypatch):
    server.files[HUB_PATH] = weights
    path = locate_weights("mine").path
    monkeypatch.setenv("HF_ENDPOINT", closed_url())
    assert locate_weights("mine").path == path
    assert locate_weights("mine", offline=True).path == path


def test_hub_download_that_breaks_off(home, weights, server, hub_card, monkeypatch):
    # The client waits a second before each of its five attempts to resume.
    monkeypatch.setattr("huggingface_hub.file_download.time", types.SimpleNamespace(sleep=lambda _: None))
    server.files[HUB_PATH] = weights
    server.breaks_off = True
    with pytest.raises(ModelError, match=r"mine\.safetensors could not be fetched") as caught:
        locate_weights("mine")
    assert not isinstance(caught.value, OfflineError)
    assert stored_files(home) == []
    server.breaks_off = False
    assert locate_weights("mine").path.read_bytes() == weights


def test_wrong_hash_from_the_hub(home, weights, server, hub_card):
    server.files[HUB_PATH] = wrong = weights[:-1] + b"\1"
    with pytest.raises(ModelError) as caught:
        locate_weights("mine")
    for part in (
        "mine.safetensors",
        *(hashlib.sha256(data).hexdigest() for data in (weights, wrong)),
        "download mine",
    ):
        assert part in str(caught.value)
    assert stored_files(home) == []


def test_damaged_cache_is_noticed_and_removed(home, weights, server, hub_card):
    server.files[HUB_PATH] = weights
    path = locate_weights("mine").path
    path.resolve().write_bytes(b"x" + weights[1:])
    with pytest.raises(ModelError, match="it is removed"):
        locate_weights("mine")
    assert stored_files(home) == []
    assert locate_weights("mine").path.read_bytes() == weights


def test_hub_without_the_file(server, hub_card):
    with pytest.raises(ModelError, match="could not be fetched") as caught:
        locate_weights("mine")
    assert not isinstance(caught.value, OfflineError)


def test_no_hub_is_told_within_a_second(hub_card, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", closed_url())
    assert_told_in_time(OfflineError, "concertclean models download mine")


def test_file_that_a_user_linked_is_never_removed(home, weights, url_card):
    own = home / "precious.safetensors"
    own.write_bytes(weights[:-1] + b"\1")
    model_folder().mkdir()
    (model_folder() / "mine.safetensors").symlink_to(own)
    with pytest.raises(ModelError, match="it is removed"):
        locate_weights("mine")
    assert own.exists()
    assert not (model_folder() / "mine.safetensors").exists()


@pytest.mark.parametrize("switch", ["CONCERTCLEAN_OFFLINE", "HF_HUB_OFFLINE", None])
def test_offline_makes_no_request(server, weights, hub_card, monkeypatch, switch):
    server.files[HUB_PATH] = weights
    if switch:
        monkeypatch.setenv(switch, "1")
    with pytest.raises(OfflineError, match="network is off"):
        locate_weights("mine", offline=switch is None)
    assert server.requests == []


# Plain addresses


def test_url_download_then_stored(weights, server, url_card):
    server.files["/files/mine.safetensors"] = weights
    steps = []
    path = locate_weights("mine", progress=lambda done, total: steps.append((done, total))).path
    assert path == model_folder() / "mine.safetensors"
    assert path.read_bytes() == weights
    assert steps[-1] == (len(weights), len(weights))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    server.requests.clear()
    assert locate_weights("mine").path == path
    assert server.requests == []


@pytest.mark.parametrize("declares_length", [True, False])
@pytest.mark.parametrize("place", ["url", "hub"])
def test_download_ends_at_the_size_of_its_card(home, weights, server, place, declares_length):
    server.declares_length = declares_length
    server.files |= {HUB_PATH: weights, "/files/mine.safetensors": weights}
    source = {
        "url": f'url = "{server.url}/files/mine.safetensors"',
        "hub": f'repo_id = "someone/models"\nrevision = "{REVISION}"',
    }
    write_card(home, weights, f"{source[place]}\nsize_bytes = 1000000")
    with pytest.raises(ModelError, match=r"mine\.safetensors: serves more than the 1000000 bytes expected"):
        locate_weights("mine")
    assert [name for name in stored_files(home) if not name.endswith(".incomplete")] == []
    assert all(path.stat().st_size <= 1_000_000 for path in home.rglob("*.incomplete"))


def test_url_without_length(weights, server, url_card):
    server.files["/files/mine.safetensors"] = weights
    server.declares_length = False
    steps = []
    assert locate_weights("mine", progress=lambda *step: steps.append(step)).path.read_bytes() == weights
    assert steps[-1] == (len(weights), None)


def test_url_download_that_breaks_off(home, weights, server, url_card):
    server.files["/files/mine.safetensors"] = weights
    server.breaks_off = True
    with pytest.raises(ModelError, match=f"broke off after {len(weights) // 2} bytes"):
        locate_weights("mine")
    assert stored_files(home) == []


def test_wrong_hash_from_url(home, weights, server, url_card):
    server.files["/files/mine.safetensors"] = wrong = b"x" + weights[1:]
    with pytest.raises(ModelError, match=f"found {hashlib.sha256(wrong).hexdigest()}"):
        locate_weights("mine")
    assert stored_files(home) == []


@pytest.mark.parametrize("status", [404, 503])
def test_url_that_refuses(home, weights, server, url_card, status):
    server.files["/files/mine.safetensors"] = weights
    server.status = status
    with pytest.raises(ModelError, match=f"the server answers {status}") as caught:
        locate_weights("mine")
    assert not isinstance(caught.value, OfflineError)
    assert stored_files(home) == []


def test_interrupted_download_leaves_nothing(home, weights, server, url_card):
    server.files["/files/mine.safetensors"] = weights

    def interrupt(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        locate_weights("mine", progress=interrupt)
    assert stored_files(home) == []


def test_model_folder_that_cannot_be_written(home, weights, server, url_card, monkeypatch):
    server.files["/files/mine.safetensors"] = weights
    (home / "occupied").write_text("a file")
    monkeypatch.setenv("CONCERTCLEAN_MODEL_DIR", str(home / "occupied"))
    with pytest.raises(ModelError, match=r"cannot be written .* set CONCERTCLEAN_MODEL_DIR to another folder"):
        locate_weights("mine")


def test_no_url_is_told_within_a_second(home, weights):
    write_card(home, weights, f'url = "{closed_url()}/mine.safetensors"')
    assert_told_in_time(OfflineError, "cannot be reached")


def test_url_stands_in_for_a_missing_hub(home, weights, server, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", closed_url())
    server.files["/mine"] = weights
    write_card(home, weights, f'repo_id = "a/b"\nrevision = "{REVISION}"\nurl = "{server.url}/mine"')
    assert locate_weights("mine").path.read_bytes() == weights


def test_two_silent_places_share_the_second(home, weights, monkeypatch):
    """Neither hub nor address answers: a name look-up that hangs, the slowest way of having no network."""
    hang = threading.Event()

    def connect(*_, **__):
        hang.wait(5)
        raise OSError("too late")

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
    write_card(home, weights, f'repo_id = "a/b"\nrevision = "{REVISION}"\nurl = "http://mirror.invalid/mine"')
    assert_told_in_time(OfflineError, "CONCERTCLEAN_CONNECT_SECONDS")
    hang.set()


# Checkpoints that are converted


@pytest.fixture
def archive(home):
    folder = tf["write_checkpoint"](home / "upstream", tf["two_stage_variables"]([2, 3, 3]))
    return tf["zip_checkpoint"](folder, home / "checkpoint.zip")


@pytest.fixture
def converted_card(home, archive, server):
    data = archive.read_bytes()
    server.files["/checkpoint.zip"] = data
    sha_line = f'convert = "tf_two_stage_zip"\nsource_sha256 = "{hashlib.sha256(data).hexdigest()}"'
    write_card(home, data, f'url = "{server.url}/checkpoint.zip"', sha_line=sha_line)
    return find_card("mine")


def test_checkpoint_is_converted_once(home, server, converted_card):
    path = locate_weights("mine").path
    header = read_header(path)
    assert header.config == {"depth": 2, "widths": [2, 3, 3]}
    assert header.provenance == {"license": "MIT", "source_sha256": converted_card.source_sha256}
    assert sorted(stored_files(home)) == ["mine.safetensors", "mine.safetensors.sha256"]
    server.requests.clear()
    assert locate_weights("mine").sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert server.requests == []


@pytest.mark.parametrize("spoil", ["flip", "header", "other source", "no note"])
def test_converted_file_is_checked_on_every_load(home, server, converted_card, spoil):
    path = locate_weights("mine").path
    note = path.with_name(f"{path.name}.sha256")
    if spoil == "flip":
        path.write_bytes(path.read_bytes()[:-1] + b"\x55")
    elif spoil == "header":
        path.write_bytes(b"no safetensors at all")
    elif spoil == "other source":
        save_weights(path, {"w": torch.zeros(1)}, architecture="a", config={}, provenance={"source_sha256": "0"})
        note.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    else:
        note.unlink()
    with pytest.raises(ModelError, match="it is removed"):
        locate_weights("mine")
    assert stored_files(home) == []


def test_conversion_into_a_folder_that_cannot_be_written(home, archive, converted_card, monkeypatch):
    (home / "occupied").write_text("a file")
    monkeypatch.setenv("CONCERTCLEAN_MODEL_DIR", str(home / "occupied"))
    with pytest.raises(ModelError, match=r"cannot be written .* set CONCERTCLEAN_MODEL_DIR to another folder"):
        sources.import_checkpoint(converted_card, archive)


def test_full_disk_leaves_no_half_conversion(home, archive, converted_card, full_disk):
    with pytest.raises(ModelError, match=r"No space left on device\); .* set CONCERTCLEAN_MODEL_DIR to another folder"):
        sources.import_checkpoint(converted_card, archive)
    assert stored_files(home) == []


def test_wrong_archive_is_not_converted(home, server, converted_card):
    server.files["/checkpoint.zip"] += b"x"
    with pytest.raises(ModelError, match=f"expected {converted_card.source_sha256}"):
        locate_weights("mine")
    assert stored_files(home) == []


def test_checkpoint_from_the_hub_is_converted(home, archive, server):
    data = archive.read_bytes()
    sha_line = f'convert = "tf_two_stage_zip"\nsource_sha256 = "{hashlib.sha256(data).hexdigest()}"'
    place = f'repo_id = "someone/models"\nrevision = "{REVISION}"\nrepo_filename = "old/checkpoint.zip"'
    write_card(home, data, place, sha_line=sha_line)
    server.files[f"/someone/models/resolve/{REVISION}/old/checkpoint.zip"] = data
    assert read_header(locate_weights("mine").path).config["depth"] == 2
    server.requests.clear()
    locate_weights("mine")
    assert server.requests == []
