"""Part files of killed runs are deleted by the next run into the same folder, and nothing else is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from concertclean.files.atomic import PartFile, written
from concertclean.files.parts import new_part, sweep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no locks that end with their process")

LEAVE = """
import os, signal, sys
from pathlib import Path
from concertclean.files.atomic import PartFile
part = PartFile(Path(sys.argv[1]), overwrite=False)
part.file.write(b"half")
part.file.flush()
print("written", flush=True)
if sys.argv[2] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
sys.stdin.read()
"""


def start(target: Path, what: str) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-c", LEAVE, str(target), what]
    running = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert running.stdout is not None
    assert running.stdout.readline() == b"written\n"
    return running


def test_what_a_killed_run_left_is_swept_up(tmp_path: Path) -> None:
    with start(tmp_path / "a.wav", "die") as running:
        assert running.wait() == -signal.SIGKILL
    assert len(os.listdir(tmp_path)) == 1
    with written(tmp_path / "b.wav") as file:
        file.write(b"whole")
    assert os.listdir(tmp_path) == ["b.wav"]


def test_parts_of_runs_that_live_stay(tmp_path: Path) -> None:
    with start(tmp_path / "a.wav", "wait") as running:
        sweep(tmp_path)
        left = os.listdir(tmp_path)
        running.kill()
    assert len(left) == 1


def test_own_parts_stay(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "a.wav", overwrite=False)
    sweep.__wrapped__(tmp_path)
    part.file.write(b"whole")
    part.commit()
    assert (tmp_path / "a.wav").read_bytes() == b"whole"


def test_other_hidden_files_stay(tmp_path: Path) -> None:
    others = [".part", ".concertclean-0123456789abcdef.part.wav", ".0123456789abcdef.part", ".concertclean-12.part"]
    for name in others:
        (tmp_path / name).touch()
    (tmp_path / "file").write_bytes(b"precious")
    (tmp_path / ".concertclean-0123456789abcdef.part").symlink_to("file")
    sweep(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted([*others, "file", ".concertclean-0123456789abcdef.part"])
    assert (tmp_path / "file").read_bytes() == b"precious"


def test_a_part_that_is_swept_while_it_is_made_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open
    swept: list[str] = []

    def open_and_lose(path: Path, flags: int, mode: int = 0o777) -> int:
        descriptor = opened(path, flags, mode)
        if not swept:
            swept.append(str(path))
            os.unlink(path)
        return descriptor

    monkeypatch.setattr(os, "open", open_and_lose)
    part, descriptor = new_part(tmp_path)
    os.close(descriptor)
    assert str(part) not in swept
    assert part.exists()
