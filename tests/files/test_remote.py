"""Other stores: fsspec's in memory, an object store made of it, and a web server on this machine."""

import io
import sys
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

pytest.importorskip("fsspec", reason="needs the extra cloud")
pytest.importorskip("aiohttp", reason="needs the extra cloud")

import fsspec
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem
from fsspec.registry import _registry

from concertclean.audio_io.source import open_source
from concertclean.errors import AudioFileError, ConfigError, NoInputError, OutputError
from concertclean.files import remote, storage
from concertclean.files.places import Url, place_of
from tests.files.web_server import WebServer, web_server

MANY = bytes(range(256)) * 48 * 1024  # 12 MiB


def url(name: str) -> Url:
    found = place_of(name)
    assert isinstance(found, Url)
    return found


def nothing() -> None:
    pass


class Buckets(MemoryFileSystem):  # type: ignore[misc]
    """An object store: what is written appears when it is committed."""

    protocol = "gs"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    discarded: ClassVar[list[str]] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.removeprefix("gs://")))

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode == "rb":
            return super()._open(path, mode, **options)
        return _Object(self, path)


class _Object(io.BytesIO):
    def __init__(self, store: Buckets, path: str) -> None:
        super().__init__()
        self._store, self._path, self.closed_once = store, path, False

    closed = False

    def close(self) -> None:
        self.closed_once = True

    def commit(self) -> None:
        assert self.closed_once
        self._store.store[self._path] = MemoryFile(self._store, self._path, self.getvalue())

    def discard(self) -> None:
        self._store.discarded.append(self._path)


@pytest.fixture
def memory() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> type[Buckets]:
    monkeypatch.setitem(_registry, "gs", Buckets)
    for kept in (Buckets.store, Buckets.discarded):
        kept.clear()
    remote._has_bucket.cache_clear()
    return Buckets


class Breaking(io.BytesIO):
    """A file that cannot be read to its end; notes what the store shows meanwhile."""

    def __init__(self, store: Any) -> None:
        super().__init__(MANY)
        self._store, self.seen = store, set[str]()

    def read(self, size: int | None = -1) -> bytes:
        self.seen |= set(self._store.store)
        if self.tell() > len(MANY) // 2:
            raise OSError("the disk is gone")
        return super().read(size)


# Reading


def test_of_a_file_on_the_web_only_blocks_are_read() -> None:
    with web_server() as server:
        server.files["/a.wav"] = MANY
        with remote.opened(url(f"{server.url}/a.wav")) as file:
            assert file.seekable()
            assert file.read(3) == MANY[:3]
            file.seek(-5, 2)
            assert file.read() == MANY[-5:]
            assert sum(server.sent) <= 2 * (2 << 20)
            file.seek(0)
            assert b"".join(iter(lambda: file.read(100_000), b"")) == MANY
        assert max(server.sent) <= 2 << 20


def test_a_hiccup_of_the_network_does_not_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    with web_server() as server:
        server.files["/a.wav"] = MANY

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 2:
                server.statuses.clear()

        monkeypatch.setattr("concertclean.files.remote.time.sleep", pause)
        with open_source(f"{server.url}/a.wav") as file:
            server.statuses["/a.wav"] = 503
            file.seek(5 << 20)
            assert file.read(10) == MANY[5 << 20 :][:10]
            server.statuses["/a.wav"] = 503
            file.seek(9 << 20)
            with pytest.raises(AudioFileError, match=r"/a\.wav: cannot be read on \(the server answers 503"):
                file.read(10)
    assert pauses == [1.0, 5.0] * 2


@pytest.mark.parametrize("ranges", ["ignored", "none"])
def test_what_a_server_only_sends_from_its_beginning_is_copied(ranges: str) -> None:
    with web_server(ranges) as server:
        server.files["/a.wav"] = MANY
        with open_source(f"{server.url}/a.wav") as file:
            file.seek(-5, 2)
            assert file.read() == MANY[-5:]
            file.seek(0)
            assert file.read() == MANY


@pytest.mark.parametrize(
    ("status", "kind", "fact"),
    [(404, NoInputError, "does not exist"), (403, AudioFileError, "403 Forbidden"), (503, AudioFileError, "503 ")],
)
def test_a_server_that_refuses_is_reported(status: int, kind: type[Exception], fact: str) -> None:
    with web_server() as server:
        server.statuses["/a.wav"] = status
        with pytest.raises(kind, match=fact) as caught:
            open_source(f"{server.url.replace('//', '//me:hush@')}/a.wav?key=hush")
        assert type(caught.value) is kind
        assert str(caught.value).startswith(f"{server.url}/a.wav?…: ")
        assert "hush" not in str(caught.value)


def test_a_host_that_is_away_is_reported() -> None:
    with WebServer("yes") as server:
        address = server.url
    with pytest.raises(AudioFileError, match=r"/a\.wav: cannot be read \(.*Connect.*check the address"):
        open_source(f"{address}/a.wav")


def test_an_empty_object_is_refused(memory: Any) -> None:
    memory.pipe("/in/a.wav", b"")
    with pytest.raises(NoInputError, match=r"memory://in/a.wav: is empty"):
        open_source("memory://in/a.wav")


def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ConfigError, match=r"s3://bucket/a.wav: .*pip install 'concertclean\[cloud\]'"):
        open_source("s3://bucket/a.wav")


def test_an_unknown_kind_of_store_is_refused() -> None:
    with pytest.raises(ConfigError, match="gopher:// is not known"):
        open_source("gopher://host/a.wav")


# Finding


def test_recordings_are_found_in_order_without_hidden_ones(memory: Any) -> None:
    for name in ("b.wav", "a/2.flac", "a/1.wav", "a b.wav", ".x/c.wav", ".d.wav", "e.txt"):
        memory.pipe(f"/in/{name}", b"x")
    faults: list[AudioFileError] = []
    place = url("memory://in/")
    found = remote.find_remote(place, {".wav", ".flac"}, recursive=True, unreadable=faults.append)
    assert [str(one) for one in found] == [
        f"memory://in/{name}" for name in ("a/1.wav", "a/2.flac", "a b.wav", "b.wav")
    ]
    flat = remote.find_remote(place, {".wav"}, recursive=False, unreadable=faults.append)
    assert [one.name for one in flat] == ["a b.wav", "b.wav"]
    fitting = remote.matching(url("memory://in/a*/*.wav"), {".wav"}, faults.append)
    assert [str(one) for one in fitting] == ["memory://in/a/1.wav"]
    assert not faults


def test_names_that_would_lead_elsewhere_on_a_disk_are_left_out(memory: Any) -> None:
    for name in ("a.wav", "../b.wav", "c\\..\\d.wav"):
        memory.store[f"/in/{name}"] = memory.open("/x", "wb")
    faults: list[AudioFileError] = []
    found = remote.find_remote(url("memory://in"), {".wav"}, recursive=True, unreadable=faults.append)
    assert [str(one) for one in found] == ["memory://in/a.wav"]
    assert [str(fault) for fault in faults if "contains a backslash" in str(fault)]


# Writing


def test_what_is_sent_appears_complete_and_can_be_hashed(memory: Any) -> None:
    target = url("memory://out/deep/a.wav")
    storage.make_folder_of(target)
    seen: list[list[str]] = []
    remote.send(io.BytesIO(MANY), len(MANY), target, lambda: seen.append(list(memory.store)))
    assert list(memory.store) == ["/out/deep/a.wav"]
    assert memory.cat("/out/deep/a.wav") == MANY
    assert "/out/deep/a.wav" not in seen[0]
    found = storage.facts(target)
    assert found is not None
    assert (found.size, storage.exists(target)) == (len(MANY), True)
    assert found.modified_ns > 1.7e18
    assert len(storage.sha256_of(target)) == 64


@pytest.mark.parametrize("overwrite", [False, True])
def test_nothing_is_left_of_what_could_not_be_sent(memory: Any, overwrite: bool) -> None:
    target = url("memory://out/a.wav")
    if overwrite:
        memory.pipe("/out/a.wav", b"old")
    file = Breaking(memory)
    with pytest.raises(OutputError, match=r"memory://out/a.wav: cannot be written \(the disk is gone\)"):
        remote.send(file, len(MANY), target, nothing)
    assert any(name.endswith(".part") for name in file.seen)
    assert memory.store.keys() == ({"/out/a.wav"} if overwrite else set())
    assert not overwrite or memory.cat("/out/a.wav") == b"old"


def test_nothing_is_left_after_an_interruption(memory: Any) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        remote.send(io.BytesIO(MANY), len(MANY), url("memory://out/a.wav"), interrupt)
    assert not memory.store


def test_an_object_store_completes_an_object_or_drops_its_parts(buckets: type[Buckets]) -> None:
    buckets.store.clear()
    target = url("gs://bucket/out/a.wav")
    with pytest.raises(OutputError, match=r"gs://bucket/out/a\.wav: cannot be written"):
        remote.send(Breaking(buckets), len(MANY), target, nothing)
    assert (list(buckets.store), buckets.discarded) == ([], ["/bucket/out/a.wav"])
    remote.send(io.BytesIO(MANY), len(MANY), target, nothing)
    assert list(buckets.store) == ["/bucket/out/a.wav"]


def test_a_bucket_that_is_not_there_is_reported_before_the_work(buckets: type[Buckets]) -> None:
    with pytest.raises(OutputError, match="gs://bocket/out: there is no bucket bocket"):
        storage.make_folder_of(url("gs://bocket/out/a.wav"))


def test_the_web_cannot_be_written() -> None:
    with pytest.raises(ConfigError, match="a web server can only be read"):
        storage.require_writable(url("https://host/out/"))
