"""A server in a thread, as the command starts it, and recordings for it."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import pytest
import soundfile

from concertclean.files.download import file_sha256
from concertclean.serve.server import PageServer, ServeOptions
from concertclean.serve.tasks import work
from concertclean.serve.worker import Work

RATE = 44_100
TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Requests to a server, with the token unless other headers are given."""

    def __init__(self, server: PageServer) -> None:
        self.server = server
        parts = urlsplit(server.address)
        self.host, self.port = str(parts.hostname), int(parts.port or 0)
        self.origin = f"http://{self.host}:{self.port}"

    def __call__(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Answer:
        sent = {"Authorization": f"Bearer {TOKEN}"} if headers is None else dict(headers)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None and not isinstance(body, bytes):
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request(method, path, data, sent)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def upload(self, data: bytes, name: str = "song.wav") -> str:
        answer = self("POST", f"/api/uploads?name={quote(name)}", data)
        assert answer.status == 201, answer.body
        return str(answer.json["upload"])

    def add(self, data: bytes, name: str = "song.wav", **wish: object) -> str:
        answer = self("POST", "/api/jobs", {"upload": self.upload(data, name), **wish})
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    def until(self, job: str, *states: str, seconds: float = 60.0) -> Any:
        """The job, once it is in one of these states."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self("GET", f"/api/jobs/{job}").json
            if found["state"] in states:
                return found
            assert found["state"] != "failed", found["error"]
            time.sleep(0.02)
        raise AssertionError(f"not {states} within {seconds} s: {found}")


class Running:
    """A server in a thread of this process."""

    def __init__(self, options: ServeOptions, doing: Work = work) -> None:
        self.server = PageServer(options, doing)
        ready = threading.Event()
        self.thread = threading.Thread(target=self.server.run, args=(ready.set,))
        self.thread.start()
        assert ready.wait(10)
        self.client = Client(self.server)

    def stop(self) -> None:
        self.server.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Running]]:
    """Starts servers, by default on the working folder `work`; whatever still runs is stopped at the end."""
    monkeypatch.setenv("CONCERTCLEAN_CONFIG_DIR", str(tmp_path / ".config"))
    started: list[Running] = []

    def make(place: Path | None = None, folder: Path | None = None, doing: Work = work) -> Running:
        started.append(Running(ServeOptions(place or tmp_path / "work", folder, token=TOKEN), doing))
        return started[-1]

    yield make
    for one in started:
        if one.thread.is_alive():
            one.stop()


@pytest.fixture
def client(start: Callable[..., Running]) -> Client:
    return start().client


def write_cards(folder: Path, weights: dict[str, Path]) -> None:
    """The small networks as the user's own models "tiny" and "broken"."""
    folder.mkdir(exist_ok=True)
    cards = [
        f'[{name}]\ndescription = "x"\narchitecture = "kanunet_eca"\nfilename = "{path.name}"\nlicense = "MIT"\n'
        f'sample_rate = 44100\nchannels = 2\npath = "{path}"\nsha256 = "{file_sha256(path)}"\n'
        for name, path in (("tiny", weights["stereo"]), ("broken", weights["broken"]))
    ]
    (folder / "models.toml").write_text("\n".join(cards))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, tiny_weights: dict[str, Path]) -> Iterator[Client]:
    """A server with the models "tiny" and "broken" for all tests of a module."""
    folder = tmp_path_factory.mktemp("shared")
    write_cards(folder / "config", tiny_weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCERTCLEAN_CONFIG_DIR", str(folder / "config"))
        running = Running(ServeOptions(folder / "work", token=TOKEN))
        try:
            yield running.client
        finally:
            running.stop()


@pytest.fixture(scope="module")
def done(shared: Client, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A job that is done by the network, of a second of sound; and its recording."""
    path = tmp_path_factory.mktemp("done") / "song.wav"
    job = shared.add(song_bytes(path, 1.0), model="tiny")
    shared.until(job, "done")
    return job, path


@pytest.fixture
def song(tmp_path: Path) -> bytes:
    """A second of a tone under noise, stereo, 16 bits."""
    return song_bytes(tmp_path / "made.wav", 1.0)


def song_bytes(path: Path, seconds: float) -> bytes:
    rng = np.random.default_rng(0)
    n_samples = round(seconds * RATE)
    tone = 0.2 * np.sin(2 * np.pi * 440 * np.arange(n_samples) / RATE)
    soundfile.write(path, tone[:, None] + rng.uniform(-0.1, 0.1, (n_samples, 2)), RATE)
    return path.read_bytes()
