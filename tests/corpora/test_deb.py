import gzip
import lzma
import shutil

import pytest

from concertclean.corpora.deb import DebError, open_deb
from tests.corpora.deb_files import ar_of, tar_of

FILES = {"./usr/share/games/song.ogg": b"OggS a song", "./usr/share/games/readme.txt": b"x" * 100_000}
START = {"debian-binary": b"2.0\n", "control.tar.xz": lzma.compress(tar_of({"./control": b"Package: tiny-data\n"}))}


@pytest.fixture
def write_deb(tmp_path):
    def write(content):
        path = tmp_path / "tiny-data_1%3a2.0-3_all.deb"
        path.write_bytes(content)
        return path

    return write


@pytest.fixture(autouse=True)
def _no_tools(set_tools):
    set_tools()


def read(deb):
    """Contents by name, as the stream brings them."""
    with open_deb(deb) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


@pytest.mark.parametrize(
    ("data_name", "compress"),
    [("data.tar.xz", lzma.compress), ("data.tar.gz", gzip.compress), ("data.tar", bytes), ("data.tar/", bytes)],
)
@pytest.mark.parametrize("control", [b"odd", b"even"])  # lengths: members begin at even positions
def test_package_is_read_without_any_debian_tool(write_deb, data_name, compress, control):
    members = {"debian-binary": b"2.0\n", "control.tar.xz": control, data_name: compress(tar_of(FILES))}
    assert read(write_deb(ar_of(members))) == FILES


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs dpkg-deb")
def test_dpkg_deb_gives_the_same_and_its_refusal_is_told(write_deb, set_tools):
    deb = write_deb(ar_of({**START, "data.tar.xz": lzma.compress(tar_of(FILES))}))
    set_tools("dpkg-deb")
    assert read(deb) == FILES
    deb.write_bytes(deb.read_bytes()[:-200])
    with pytest.raises(DebError, match=r"^tiny-data_1%3a2\.0-3_all\.deb: .*download it again$"):
        read(deb)


@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (b"", "not a Debian package"),
        (b"a web page", "not a Debian package"),
        (ar_of({"debian-binary": b"2.0\n"}), "contains no data.tar"),
        (ar_of({"data.tar.zst": b"zst"}), "contains data.tar.zst, which only dpkg-deb can open; install dpkg"),
        (ar_of({"data.tar.xz": lzma.compress(tar_of(FILES))[:-300]}), "damaged or cut off"),
        (ar_of({"data.tar.xz": b"no xz at all"}), "damaged or cut off"),
        (ar_of({"data.tar.gz": b"no gz at all"}), "damaged or cut off"),
    ],
)
def test_what_cannot_be_read_is_told(write_deb, content, fact):
    with pytest.raises(DebError) as caught:
        read(write_deb(content))
    assert str(caught.value).startswith(f"tiny-data_1%3a2.0-3_all.deb: {fact}")


def test_file_that_is_not_there(tmp_path):
    with pytest.raises(DebError, match=r"absent\.deb: damaged or cut off"):
        read(tmp_path / "absent.deb")
