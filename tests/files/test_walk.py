import os

import pytest

from concertclean.errors import AudioFileError
from concertclean.files.walk import find_files


@pytest.fixture
def tree(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return make


def names(folder, **options):
    return [path.relative_to(folder).as_posix() for path in find_files(folder, {".wav", ".flac"}, **options)]


def test_files_come_sorted_folder_by_folder_and_by_extension(tree):
    folder = tree("b.wav", "a/2.FLAC", "a/1.wav", "a.txt", "a-b/3.wav")
    assert names(folder) == ["a/1.wav", "a/2.FLAC", "a-b/3.wav", "b.wav"]
    assert names(folder, recursive=False) == ["b.wav"]


def test_hidden_files_and_folders_are_left_out(tree):
    assert names(tree("a.wav", "._a.wav", ".b.wav", ".AppleDouble/a.wav", "x/._c.wav")) == ["a.wav"]


def test_folder_that_is_called_like_a_recording_is_a_folder(tree):
    assert names(tree("live.wav/a.wav")) == ["live.wav/a.wav"]


def test_pipes_are_left_out_at_once(tree):
    folder = tree("a.wav")
    os.mkfifo(folder / "pipe.wav")
    assert names(folder) == ["a.wav"]


def test_loops_of_links_end_and_no_file_comes_twice(tree):
    folder = tree("a/1.wav", "b/2.wav")
    (folder / "a" / "again").symlink_to(folder, target_is_directory=True)
    (folder / "a" / "b").symlink_to(folder / "b", target_is_directory=True)
    (folder / "b" / "a").symlink_to(folder / "a", target_is_directory=True)
    assert names(folder) == ["a/1.wav", "b/2.wav"]


def test_linked_folder_outside_is_searched_but_only_with_the_folders_inside(tree):
    folder = tree("in/1.wav", "out/2.wav") / "in"
    (folder / "more").symlink_to(folder.parent / "out", target_is_directory=True)
    assert names(folder) == ["1.wav", "more/2.wav"]
    assert names(folder, recursive=False) == ["1.wav"]


@pytest.fixture
def locked(tree, monkeypatch):
    """A tree with one folder that may not be listed; the superuser may list any, so the system is replaced."""
    folder = tree("locked/b.wav", "ok/a.wav")
    scan = os.scandir

    def refuse(path):
        if os.path.basename(path) == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    return folder


def test_unreadable_folder_is_reported_and_the_rest_is_found(locked):
    errors = []
    assert names(locked, unreadable=errors.append) == ["ok/a.wav"]
    (error,) = errors
    assert str(error).startswith(f"{locked / 'locked'}: cannot be read (Permission denied); ")


def test_unreadable_folder_is_never_passed_over_in_silence(locked):
    with pytest.raises(AudioFileError, match=r"locked: cannot be read \(Permission denied\)"):
        names(locked)


@pytest.mark.parametrize("target", ["nowhere", "song.wav"])
def test_link_that_leads_to_no_file_is_reported(tree, target):
    """A missing file, or the link itself."""
    folder, errors = tree("a.wav"), []
    (folder / "song.wav").symlink_to(folder / target)
    (folder / "notes").symlink_to(folder / "nowhere")
    assert names(folder, unreadable=errors.append) == ["a.wav"]
    (error,) = errors
    assert str(error).startswith(f"{folder / 'song.wav'}: cannot be read (")
