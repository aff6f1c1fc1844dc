"""One process at a time in a folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from concertclean.errors import OutputError
from concertclean.files.lock import FolderLock


def test_a_second_one_waits_for_nobody_and_is_refused(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "new/folder")
    with pytest.raises(OutputError, match="another program works here"):
        FolderLock(tmp_path / "new/folder")
    lock.release()
    FolderLock(tmp_path / "new/folder").release()


def test_a_killed_program_locks_nobody_out(tmp_path: Path) -> None:
    code = f"""
import pathlib
from concertclean.files.lock import FolderLock
lock = FolderLock(pathlib.Path({str(tmp_path)!r}))
print("locked", flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        with pytest.raises(OutputError):
            FolderLock(tmp_path)
        process.kill()
        process.wait()
        FolderLock(tmp_path).release()


def test_a_file_in_the_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        FolderLock(tmp_path / "file")
