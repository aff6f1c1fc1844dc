import pytest

from concertclean.errors import ConfigError
from concertclean.files.names import inside, name_fault, shown

PLAIN = ["a.wav", "a/b.wav", "..a", "a..b", "a b", "Dvořák", "one\u2028two", "-5 dB/0001.flac", "ab:c"]
FOREIGN = ["", ".", "..", "../a", "a/../b", "a/..", "/a", "a//b", "a/", "./a", "..\\a", "a\\b", "\\\\host\\a", "C:a"]
FOREIGN += ["c:\\a", "a/C:b", "a\0b", "a\nb", "a\x7f"]


@pytest.mark.parametrize("name", PLAIN)
def test_plain_names_are_taken_as_they_are(tmp_path, name):
    assert name_fault(name) is None
    assert inside(tmp_path, name, "list") == tmp_path / name


@pytest.mark.parametrize("name", FOREIGN)
def test_names_that_mean_another_place_are_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=r"^list: the name '.*' (is empty|contains|leads out of its folder)"):
        inside(tmp_path, name, "list")


@pytest.mark.parametrize("target", ["../out", "/", "../out/file"])
def test_links_that_lead_outside_are_refused(tmp_path, target):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").touch()
    (tmp_path / "in" / "link").symlink_to(target)
    for name in ("link", "link/a"):
        with pytest.raises(ConfigError, match="leads out of its folder through a symbolic link"):
            inside(tmp_path / "in", name, "list")


def test_links_inside_and_a_linked_folder_itself_are_fine(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").touch()
    (tmp_path / "real" / "b").symlink_to("a")
    (tmp_path / "link").symlink_to("real")
    assert inside(tmp_path / "link", "b", "list") == tmp_path / "link" / "b"


def test_loop_of_links_is_no_crash(tmp_path):
    (tmp_path / "a").symlink_to("a")
    assert inside(tmp_path, "a", "list") == tmp_path / "a"


def test_shown_names_can_be_stored_anywhere():
    assert shown("Dvořák") == "Dvořák"
    assert shown("caf\udce9") == "caf\\udce9"
