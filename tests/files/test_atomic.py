import errno
import os

import pytest

from concertclean.errors import OutputError
from concertclean.files import atomic
from concertclean.files.atomic import PartFile, disk_errors, write_text, written


def write(path, data=b"new", **options):
    with written(path, **options) as file:
        file.write(data)


def refusing(number):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    return refuse


def assert_only(path, text):
    """The file is alone in its folder: no part file is left."""
    assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


# What appears


def test_file_appears_complete_and_not_before(tmp_path):
    path = tmp_path / "file"
    with written(path) as file:
        file.write(b"all ")
        file.flush()
        assert not path.exists()
        file.write(b"of it")
    assert_only(path, "all of it")


def test_what_was_written_can_be_read_again(tmp_path):
    with written(tmp_path / "file") as file:
        file.write(b"head, tail")
        file.seek(6)
        assert file.read() == b"tail"


def test_text_is_utf8_with_plain_line_ends(tmp_path):
    write_text(tmp_path / "list.txt", "Dvořák\nΩ\n")
    assert (tmp_path / "list.txt").read_bytes() == b"Dvo\xc5\x99\xc3\xa1k\n\xce\xa9\n"


def test_missing_folder_is_made_only_where_asked(tmp_path):
    path = tmp_path / "a" / "b" / "file"
    with pytest.raises(OutputError, match=r"file: cannot be written \(No such file or directory\)"):
        write(path)
    write(path, make_folder=True)
    assert_only(path, "new")
    write_text(tmp_path / "c" / "text", "new", make_folder=True)
    assert_only(tmp_path / "c" / "text", "new")


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions_follow_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        write(tmp_path / "file")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~mask


def test_part_file_is_hidden_and_fits_beside_the_longest_name(tmp_path):
    path = tmp_path / ("n" * 255)  # bytes; all that a file system takes
    with written(path) as file:
        (part,) = tmp_path.iterdir()
        assert part.name.startswith(".")
        file.write(b"new")
    assert_only(path, "new")


# What an interruption leaves


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_interruption_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")

    def interrupted():
        with written(path) as file:
            file.write(b"half of the new")
            raise error

    with pytest.raises(error):
        interrupted()
    assert_only(path, "old")


def test_interruption_leaves_nothing_where_nothing_was(tmp_path):
    part = PartFile(tmp_path / "file", overwrite=False)
    part.file.write(b"half")
    part.discard()
    part.discard()
    assert list(tmp_path.iterdir()) == []


def test_discarding_after_the_end_keeps_the_file(tmp_path):
    part = PartFile(tmp_path / "file", overwrite=False)
    part.file.write(b"new")
    part.commit()
    part.discard()
    assert_only(tmp_path / "file", "new")


def test_rename_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(atomic.os, "replace", refusing(errno.EIO))
    with pytest.raises(OutputError, match=r"file: cannot be written \(Input/output error\)"):
        write(path)
    assert_only(path, "old")


# A full disk


@pytest.mark.parametrize("n_bytes", [1, 1_000_000])
def test_full_disk_is_an_output_error_with_file_fact_and_cure(tmp_path, full_disk, n_bytes):
    path = tmp_path / "file"
    path.write_text("old")
    fact = r"/file: cannot be written \(No space left on device\); "
    with pytest.raises(OutputError, match=fact + "free some space or choose another folder$"):
        write(path, b"x" * n_bytes)
    with pytest.raises(OutputError, match=fact + "buy a disk$"):
        write(path, b"x" * n_bytes, cure="buy a disk")
    assert_only(path, "old")


def test_disk_that_fills_up_at_the_very_end(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic.os, "fsync", refusing(errno.ENOSPC))
    with pytest.raises(OutputError, match="No space left on device"):
        write_text(tmp_path / "file", "new")
    assert list(tmp_path.iterdir()) == []


def test_library_that_hides_a_full_disk(tmp_path, full_disk):
    """Callbacks of C libraries drop exceptions: what follows would make a complete file of a torn one."""

    def careless():
        with written(tmp_path / "file", cure="wait") as file:
            try:
                file.write(b"x" * 1_000_000)
            except OutputError:
                full_disk.clear()

    with pytest.raises(OutputError, match=r"No space left on device\); wait$"):
        careless()
    assert list(tmp_path.iterdir()) == []


def test_library_that_reports_a_full_disk_as_something_else(tmp_path, full_disk):
    """torch.save raises a RuntimeError about its archive."""

    def translating():
        with written(tmp_path / "file") as file:
            try:
                file.write(b"x" * 1_000_000)
            except OutputError:
                raise RuntimeError("unexpected pos 768 vs 662") from None

    with pytest.raises(OutputError, match="No space left on device"):
        translating()
    assert list(tmp_path.iterdir()) == []


def test_source_that_cannot_be_read_is_not_an_error_of_the_output(tmp_path):
    with pytest.raises(FileNotFoundError), written(tmp_path / "file") as file:
        file.write((tmp_path / "missing").read_bytes())
    assert list(tmp_path.iterdir()) == []


def test_folder_that_the_disk_refuses(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"out: cannot be written \(Not a directory\); wait$"),
        disk_errors(tmp_path / "out", cure="wait"),
    ):
        (tmp_path / "file" / "folder").mkdir()


@pytest.mark.parametrize(
    ("name", "fact"),
    [("file/x", "Not a directory"), ("missing/x", "No such file"), ("", "is a directory"), ("x\0y/z", "null byte")],
)
def test_place_that_takes_no_file(tmp_path, name, fact):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=fact):
        write(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# Not overwriting


@pytest.mark.parametrize("has_links", [True, False])
def test_not_overwriting_keeps_what_another_program_made_meanwhile(tmp_path, monkeypatch, has_links):
    if not has_links:  # such as FAT
        monkeypatch.setattr(atomic.os, "link", refusing(errno.EPERM))
    path = tmp_path / "file"

    def lose_the_race():
        with written(path, overwrite=False) as file:
            file.write(b"new")
            path.write_text("theirs")

    with pytest.raises(OutputError, match="already exists"):
        lose_the_race()
    assert_only(path, "theirs")


@pytest.mark.parametrize("has_links", [True, False])
def test_not_overwriting_writes_where_nothing_is(tmp_path, monkeypatch, has_links):
    if not has_links:
        monkeypatch.setattr(atomic.os, "link", refusing(errno.EPERM))
    write(tmp_path / "file", overwrite=False)
    assert_only(tmp_path / "file", "new")


def test_not_overwriting_refuses_before_the_work(tmp_path):
    path = tmp_path / "file"
    path.symlink_to("nowhere")  # a broken link is something too
    with pytest.raises(OutputError, match="already exists"):
        PartFile(path, overwrite=False)
    assert list(tmp_path.iterdir()) == [path]
