import hashlib
import lzma
import shutil
import subprocess
from pathlib import Path

import pytest

from concertclean.corpora import fetch as fetch_module
from concertclean.corpora.fetch import fetch
from concertclean.corpora.open_corpus import OPEN_CORPUS, corpus_files, read_corpus
from concertclean.errors import ConfigError, ModelError, OfflineError, OutputError
from tests.corpora.deb_files import ar_of, tar_of, zip_of

SOUND = b"OggS a song"
HEAD = 'version = "1"\nlicence = "GPL-2+"\nrole = "clean"\nsplit = "train"\ngroup = "g"\n'
COMMIT = "c" * 40
PACKAGE = f"""
[[package]]
name = "tiny-data"
{HEAD}files = ["music/Song_One.ogg", "sounds/cheer.wav", "hiss.flac"]
[[package]]
name = "tiny-data"
{HEAD.replace("clean", "shout").replace("GPL-2+", "CC0-1.0")}patterns = ["usr/share/voices/*.ogg"]
"""
REPOSITORY = f"""
[[repository]]
name = "me/rooms"
commit = "{COMMIT}"
licence = "CC0-1.0"
role = "response"
split = "train"
group = "rooms"
[repository.files]
"big halls/a b.wav" = "{hashlib.sha256(SOUND).hexdigest()}"
"c.wav" = "{"0" * 64}"
"""


FILES = {
    "./usr/share/games/Music/Song One.ogg": SOUND,
    "./usr/share/games/other/unasked.ogg": b"x",
    "./usr/share/games/sounds/readme.txt": b"x",
    "./usr/share/games/base.pk3": zip_of({"base/sounds/cheer.wav": b"RIFF cheer", "base/hiss.flac": b"fLaC"}),
    "./usr/share/games/broken.zip": b"PK no zip at all",
    "./usr/share/voices/Pirate/arr.ogg": b"OggS arr",
}


def write_deb(folder, *, files=FILES):
    folder.mkdir(exist_ok=True)
    path = folder / "tiny-data_1%3a2.0-3_all.deb"
    path.write_bytes(ar_of({"debian-binary": b"2.0\n", "data.tar.xz": lzma.compress(tar_of(files))}))
    return path


@pytest.fixture
def corpus(tmp_path):
    def make(text):
        path = tmp_path / "here" / "open-corpus.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return read_corpus(path)

    return make


@pytest.fixture(autouse=True)
def _no_network_no_tools(monkeypatch, set_tools):
    set_tools()

    def refuse(url, target, sha256, **_):
        raise OfflineError("no network: away")

    monkeypatch.setattr(fetch_module, "fetch_from_url", refuse)


def test_package_is_unpacked_without_any_debian_tool(tmp_path, corpus):
    write_deb(tmp_path / "debs")
    calls = []
    out = tmp_path / "out"
    listed = corpus(PACKAGE)
    report = fetch(listed, out, lambda *call: calls.append(call), debs=tmp_path / "debs")
    assert {path.name: path.read_bytes() for path in (out / "tiny-data").glob("[!.]*")} == {
        "music__Song_One.ogg": SOUND,
        "sounds__cheer.wav": b"RIFF cheer",
        "hiss.flac": b"fLaC",
        "voices__Pirate__arr.ogg": b"OggS arr",
    }
    (package,) = report.packages
    assert (package.name, package.licences, package.version) == ("tiny-data", ("GPL-2+", "CC0-1.0"), "1:2.0-3")
    assert (len(package.found), report.n_missing, package.reason) == (4, 0, "")
    assert calls == [("tiny-data", 0, 1), ("", 1, 1)]
    assert (out / OPEN_CORPUS).read_text(encoding="utf-8") == listed.path.read_text(encoding="utf-8")
    assert sorted(path.name for path in out.iterdir()) == [OPEN_CORPUS, "tiny-data"]  # nothing half done is left
    sources, missing = corpus_files(listed, out)
    assert ([source.role for source in sources], missing) == (["clean", "clean", "clean", "shout"], [])


def test_finished_package_is_skipped_until_something_changes(tmp_path, corpus):
    deb = write_deb(tmp_path / "debs")
    first = fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "debs")
    deb.unlink()
    again = fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "debs")
    assert again == first
    (tmp_path / "out" / "tiny-data" / "hiss.flac").unlink()
    (package,) = fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "debs").packages
    assert "no tiny-data_*.deb" in package.reason
    write_deb(tmp_path / "debs")
    assert fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "debs").n_missing == 0
    wider = fetch(corpus(PACKAGE.replace('"hiss', '"unasked.ogg", "hiss')), tmp_path / "out", debs=tmp_path / "debs")
    assert sum(len(package.found) for package in wider.packages) == 5


def test_what_the_package_lacks_is_reported(tmp_path, corpus):
    write_deb(tmp_path / "debs", files={"./usr/share/games/music/Song_One.ogg": SOUND})
    (package,) = fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "debs").packages
    assert package.found == ("music__Song_One.ogg",)
    assert package.missing == ("sounds__cheer.wav", "hiss.flac", "usr/share/voices/*.ogg")
    assert package.reason == ""


def test_the_right_folder_wins_over_the_first_of_that_name(tmp_path, corpus):
    files = {"./a/sfx/cheer.wav": b"wrong", "./a/sounds/cheer.wav": b"right", "./b/sfx/cheer.wav": b"wrong again"}
    write_deb(tmp_path / "debs", files=files)
    fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "debs")
    assert (tmp_path / "out" / "tiny-data" / "sounds__cheer.wav").read_bytes() == b"right"


def test_member_cannot_leave_its_folder(tmp_path, corpus):
    write_deb(tmp_path / "debs", files={"usr/share/voices/../../../../up.ogg": b"x"})
    fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "debs")
    assert not list(tmp_path.rglob("up.ogg"))
    assert [path.name for path in (tmp_path / "out" / "tiny-data").glob("[!.]*")] == ["voices__..__..__..__..__up.ogg"]


def test_damaged_package_is_reported_and_the_rest_goes_on(tmp_path, corpus):
    deb = write_deb(tmp_path / "debs")
    deb.write_bytes(deb.read_bytes()[:-300])
    other = PACKAGE.replace("tiny-data", "other-data").replace("usr/share/voices", "usr/share/songs")
    shutil.copy(write_deb(tmp_path / "more"), tmp_path / "debs" / "other-data_1_all.deb")
    damaged, good = fetch(corpus(PACKAGE + other), tmp_path / "out", debs=tmp_path / "debs").packages
    assert "tiny-data_1%3a2.0-3_all.deb: damaged or cut off" in damaged.reason
    assert not (tmp_path / "out" / "tiny-data" / ".fetched").exists()  # so the next run tries again
    assert len(good.found) == 3


def test_apt_gets_the_package_and_its_refusal_is_told(tmp_path, corpus, set_tools, monkeypatch):
    set_tools("apt-get")
    commands = []

    def run(command, *, cwd, **_):
        commands.append(command)
        if command[-1] == "tiny-data":
            shutil.copy(write_deb(tmp_path / "debs"), cwd)
            return subprocess.CompletedProcess(command, 0, "", "")
        return subprocess.CompletedProcess(command, 100, "", "W: sandbox\nE: Unable to locate package gone-data\n")

    monkeypatch.setattr(subprocess, "run", run)
    text = PACKAGE + f'[[package]]\nname = "gone-data"\n{HEAD}files = ["x.ogg"]\n'
    tiny, gone = fetch(corpus(text), tmp_path / "out").packages
    assert commands == [["apt-get", "download", "tiny-data"], ["apt-get", "download", "gone-data"]]
    assert len(tiny.found) == 4
    assert "Unable to locate package gone-data" in gone.reason
    assert "apt-get update" in gone.reason
    assert not list((tmp_path / "out").rglob("*.deb"))


def test_without_apt_and_without_debs_the_cure_is_told(tmp_path, corpus):
    with pytest.raises(ConfigError, match=r"open-corpus\.toml.*apt-get.*tiny-data.*packages\.debian\.org"):
        fetch(corpus(PACKAGE), tmp_path / "out")
    with pytest.raises(ConfigError, match="not a folder"):
        fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "absent")


def test_only_what_is_asked_for(tmp_path, corpus):
    report = fetch(corpus(PACKAGE + REPOSITORY), tmp_path / "out", only=["me/rooms"])
    assert [package.name for package in report.packages] == ["me/rooms"]
    with pytest.raises(ConfigError, match=r"does not list gone; choose from tiny-data, me/rooms"):
        fetch(corpus(PACKAGE + REPOSITORY), tmp_path / "out", only=["gone"])


def test_repository_files_come_from_their_address(tmp_path, corpus, monkeypatch):
    asked = []

    def serve(url, target, sha256, **_):
        asked.append(url)
        if sha256 == "0" * 64:
            raise ModelError(f"{url}: wrong sha256")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(SOUND)

    monkeypatch.setattr(fetch_module, "fetch_from_url", serve)
    (rooms,) = fetch(corpus(REPOSITORY), tmp_path / "out").packages
    address = f"https://raw.githubusercontent.com/me/rooms/{COMMIT}"
    assert asked == [f"{address}/big%20halls/a%20b.wav", f"{address}/c.wav"]
    assert (rooms.found, rooms.missing) == (("big halls__a b.wav",), ("c.wav",))
    assert "wrong sha256" in rooms.reason
    fetch(corpus(REPOSITORY), tmp_path / "out")
    assert len(asked) == 3  # the first is there already


def test_without_network_copies_by_hand_are_taken_if_they_are_the_right_ones(tmp_path, corpus, monkeypatch):
    folder = tmp_path / "debs" / "any"
    folder.mkdir(parents=True)
    (folder / "me__rooms__big_halls__a_b.wav").write_bytes(SOUND)
    (folder / "me__rooms__c.wav").write_bytes(b"another file")
    (rooms,) = fetch(corpus(REPOSITORY), tmp_path / "out", debs=tmp_path / "debs").packages
    assert (tmp_path / "out" / "me__rooms" / "big halls__a b.wav").read_bytes() == SOUND
    assert rooms.missing == ("c.wav",)
    assert "no network: away; or copy it by hand into" in rooms.reason


def test_network_that_is_away_is_asked_once_a_repository(tmp_path, corpus, monkeypatch):
    asked = []

    def refuse(url, target, sha256, **_):
        asked.append(url)
        raise OfflineError("no network: away")

    monkeypatch.setattr(fetch_module, "fetch_from_url", refuse)
    (rooms,) = fetch(corpus(REPOSITORY), tmp_path / "out").packages
    assert (len(asked), len(rooms.missing)) == (1, 2)


def test_folder_that_takes_no_file(tmp_path, corpus):
    write_deb(tmp_path / "debs")
    (tmp_path / "out").write_bytes(b"a file")
    with pytest.raises(OutputError, match="out: cannot be written"):
        fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "debs")
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "tiny-data").write_bytes(b"a file")
    with pytest.raises(OutputError, match="tiny-data"):
        fetch(corpus(PACKAGE), tmp_path / "second", debs=tmp_path / "debs")
    assert sorted(Path(tmp_path / "second").glob(".*")) == []


@pytest.fixture
def linked(tmp_path):
    """A folder to fetch into in which something leads to a folder outside."""

    def make(link):
        write_deb(tmp_path / "debs")
        (tmp_path / "out" / link).parent.mkdir(parents=True)
        (tmp_path / "outside").mkdir()
        (tmp_path / "out" / link).symlink_to(tmp_path / "outside")
        return tmp_path / "outside"

    return make


def test_linked_file_is_not_written_through(tmp_path, corpus, linked):
    outside = linked("tiny-data/music__Song_One.ogg")
    (package,) = fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "debs").packages
    assert "leads out of its folder through a symbolic link" in package.reason
    assert list(outside.iterdir()) == []


def test_linked_folder_is_not_written_into(tmp_path, corpus, linked):
    outside = linked("tiny-data")
    with pytest.raises(ConfigError, match="leads out of its folder through a symbolic link"):
        fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "debs")
    assert list(outside.iterdir()) == []


def test_package_that_unpacks_without_end_is_reported(tmp_path, corpus, monkeypatch):
    """A tar of zeros, and an archive of a game full of them: a few kilobytes each."""
    monkeypatch.setattr("concertclean.files.unpacking._FREE_BYTES", 1 << 20)
    zeros = bytes(4 << 20)
    for files in ({"./music/unlisted.ogg": zeros}, {"./base.zip": zip_of({"base/hiss.flac": zeros})}):
        write_deb(tmp_path / "debs", files=files)
        (package,) = fetch(corpus(PACKAGE), tmp_path / "out", debs=tmp_path / "debs").packages
        assert package.found == ()
        assert "unpacks to more than 1 MiB" in package.reason
        assert not list((tmp_path / "out").rglob("*.flac"))


@pytest.mark.parametrize("name", ["..", "a/../b.ogg", "C:b.ogg", "/a.ogg", "a\\\\b.ogg"])
def test_list_with_foreign_names_is_refused(corpus, name):
    with pytest.raises(ConfigError, match=r"files.*(leads out of its folder|contains a backslash)"):
        corpus(PACKAGE.replace("hiss.flac", name))
