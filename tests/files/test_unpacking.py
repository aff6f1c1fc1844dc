import io
import os

import pytest

from concertclean.errors import ModelError
from concertclean.files import unpacking
from concertclean.files.unpacking import Allowance


class Zeros(io.RawIOBase):
    """An archive member without end."""

    def readable(self):
        return True

    def readinto(self, buffer):
        buffer[:] = bytes(len(buffer))
        return len(buffer)


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(unpacking, "_FREE_BYTES", 3 << 20)


@pytest.mark.usefixtures("small")
def test_copy_of_an_endless_member_ends(tmp_path):
    with (
        (tmp_path / "out").open("wb") as file,
        pytest.raises(ModelError, match=r"bomb\.zip: unpacks to more than 3 MiB"),
    ):
        Allowance("bomb.zip", 100).copy(io.BufferedReader(Zeros()), file, tmp_path)
    assert os.path.getsize(tmp_path / "out") <= 3 << 20


@pytest.mark.usefixtures("small")
def test_watched_stream_without_end_ends():
    stream = Allowance("bomb.deb", 1 << 17).watch(Zeros())  # 6.25 MiB at the largest ratio
    with pytest.raises(ModelError, match=r"bomb\.deb: unpacks to more than 6 MiB"):
        stream.read(100 << 20)


def test_archive_within_its_limits_comes_out_whole():
    data = os.urandom(3 << 20)
    assert Allowance("good.zip", len(data)).watch(io.BytesIO(data)).read() == data
