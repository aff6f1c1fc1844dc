"""Standard streams that are closed or full, logs on full disks, and what must not reach a terminal."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from rich.console import Console

import concertclean
from concertclean.cli import console
from concertclean.restore.pipeline import Denoiser

Program = Callable[..., Any]

PROGRAM = [sys.executable, "-m", "concertclean"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(concertclean.__file__).parents[1])}
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture
def recording(tmp_path: Path, noise: Callable[..., np.ndarray]) -> Path:
    soundfile.write(tmp_path / "a.wav", noise(3000).T, 44_100)
    return tmp_path / "a.wav"


def shell(folder: Path, words: str) -> "subprocess.CompletedProcess[str]":
    command = f"exec {' '.join(PROGRAM)} {words}"
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


@needs_full
@pytest.mark.parametrize(
    ("words", "code", "culprit"),
    [
        ("denoise a.wav --model declick --json >/dev/full", 9, "standard output: cannot be written (No space"),
        ("denoise a.wav --model declick -o - >/dev/full", 9, "standard output: cannot be written"),
        ("models list >/dev/full", 9, "standard output: cannot be written (No space"),
        ("denoise --help >/dev/full", 9, "standard output: cannot be written (No space"),
        ("denoise a.wav --model declick -o - >&-", 9, "standard output: is closed"),
        ("models list >&-", 9, "standard output: is closed"),
        ("denoise - --model declick -o b.wav <&-", 4, "standard input: is closed"),
        ("denoise a.wav --model declick --jsonl-log /dev/full", 9, "/dev/full: the log cannot be written (No space"),
    ],
)
def test_a_stream_that_cannot_be_used_is_named(recording: Path, words: str, code: int, culprit: str) -> None:
    ended = shell(recording.parent, words)
    assert ended.returncode == code, ended.stderr
    assert culprit in ended.stderr
    assert ended.stderr.count("error:") == 1
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr


def test_a_reader_that_has_enough_ends_the_output_quietly(tmp_path: Path) -> None:
    ended = shell(tmp_path, "models list --json | head -c 1 >/dev/null")
    assert (ended.returncode, ended.stderr) == (0, "")


@needs_full
def test_a_full_log_does_not_stop_the_batch(program: Program, recording: Path) -> None:
    soundfile.write(recording.with_name("b.wav"), np.zeros(3000), 44_100)
    ended = program("denoise", "a.wav", "b.wav", "--model", "declick", "--jsonl-log", "/dev/full")
    assert ended.code == 3
    assert ended.err.count("the log cannot be written") == 1
    assert recording.with_name("b_clean.wav").exists()


def test_the_log_may_be_standard_output(program: Program, recording: Path) -> None:
    ended = program("denoise", "a.wav", "--model", "declick", "--jsonl-log", "-")
    assert ended.code == 0
    assert json.loads(ended.out)["output"] == "a_clean.wav"
    assert not recording.with_name("-").exists()
    for words in (["--json"], ["-o", "-"]):
        assert program("denoise", "a.wav", "--jsonl-log", "-", *words).code == 2


# Terminals


def test_control_characters_of_names_do_not_reach_the_terminal(
    program: Program, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = "\x1b[2Jbad\x9b.wav", "\x1b]0;title\x07good\u202e.wav"
    recording.with_name(bad).write_bytes(b"no music" * 99)
    recording.rename(recording.with_name(good))
    ended = program("denoise", ".", "--model", "declick")
    assert ended.code == 3
    assert not set("\x1b\x9b\x07\u202e") & set(ended.err)
    assert r"\x1b[2Jbad\x9b.wav: not an audio file" in ended.err
    assert r"\x1b]0;title\x07good\u202e.wav -> " in ended.err
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    planned = program("denoise", ".", "--model", "declick", "--dry-run")
    assert b"\x1b" not in planned.out
    assert rb"\x1b]0;title\x07good" in planned.out


def test_errors_keep_their_prefix_beside_a_bar(
    program: Program, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording.with_name("b.wav").write_bytes(b"no music" * 99)
    monkeypatch.setattr(console, "err", Console(stderr=True, force_terminal=True, no_color=True, width=60))
    ended = program("denoise", "b.wav", "a.wav", "--model", "declick")
    assert "error:\x1b[0m b.wav: not an audio file" in ended.err.replace("\x1b[1m", "")
    assert ended.err.count("not an audio file") == 1
    assert "1 restored, 1 failed in " in ended.err
    assert "2 recordings" in ended.err  # the bar
    assert not re.search(r"\d+\.\dx +", ended.err.split("b.wav")[0])  # a speed after the first block is chance


def test_lines_break_between_words_in_a_terminal_alone(
    program: Program, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long_name = f"{'x' * 90}.wav"
    recording.rename(recording.with_name(long_name))
    monkeypatch.setattr(console, "err", Console(stderr=True, force_terminal=True, no_color=True, width=60))
    ended = program("denoise", long_name, "--model", "declick", "--no-progress")
    assert long_name in ended.err
    assert "real time)," in ended.err
    assert all(len(line) <= 60 for line in ended.err.splitlines() if "LUFS" in line)


# Faults of our own


def broken(self: Denoiser, source: Path, *words: Any, **settings: Any) -> Any:
    if source.name == "a.wav":
        raise IndexError("list index out of range")
    return WHOLE(self, source, *words, **settings)


WHOLE = Denoiser.run


@pytest.mark.parametrize("verbose", [False, True])
def test_what_nothing_foresaw_stays_with_its_recording(
    program: Program, recording: Path, monkeypatch: pytest.MonkeyPatch, verbose: bool
) -> None:
    soundfile.write(recording.with_name("b.wav"), np.zeros(3000), 44_100)
    monkeypatch.setattr(Denoiser, "run", broken)
    more = ["-v"] if verbose else []
    ended = program("denoise", "a.wav", "b.wav", "--model", "declick", "--json", *more)
    assert ended.code == 3
    assert "a.wav: unexpected IndexError: list index out of range; this is a fault of concertclean" in ended.err
    assert ("Traceback" in ended.err) == verbose
    assert [record["status"] for record in json.loads(ended.out)] == ["failed", "done"]
    assert recording.with_name("b_clean.wav").exists()
    assert program("denoise", "a.wav", "--model", "declick").code == 1


def test_a_fault_of_a_command_is_reported_in_one_line(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("concertclean.cli.doctor._findings", lambda: 1 // 0)
    ended = program("doctor")
    assert ended.code == 1
    assert ended.err.startswith("error: concertclean: unexpected ZeroDivisionError")
    assert "Traceback" not in ended.err
    monkeypatch.setenv("CONCERTCLEAN_TRACEBACK", "1")
    assert "Traceback" in program("doctor").err


def test_no_memory_is_reported_as_such(program: Program, recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*words: Any, **settings: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Denoiser, "run", full)
    ended = program("denoise", "a.wav", "--model", "declick")
    assert ended.code == 8
    assert "a.wav: needs more memory than there is" in ended.err


# Before the network is loaded


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["a.wav"], 9, "a_clean.wav: already exists; allow overwriting, or choose another name: --overwrite replaces"),
        (["a.wav", "-o", "b.wav", "--start", "0:05"], 2, "a.wav: is 0.07 s long, cannot start at 5 s"),
        (["b.txt"], 5, "b.txt: not an audio file"),
    ],
)
def test_what_cannot_end_well_ends_at_once(
    program: Program, recording: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int, message: str
) -> None:
    recording.with_name("a_clean.wav").touch()
    recording.with_name("b.txt").write_text("no music")
    monkeypatch.setattr("concertclean.restore.denoise.build_denoiser", lambda *_: pytest.fail("was loaded"))
    ended = program("denoise", *words)
    assert (ended.code, message in ended.err) == (code, True), ended.err


def test_what_was_removed_alone_is_completed(program: Program, recording: Path) -> None:
    """A run that was killed between its two outputs: what was removed has its name first."""
    words = ["denoise", "a.wav", "--model", "declick", "--removed"]
    assert program(*words).code == 0
    whole = recording.with_name("a_clean.wav").read_bytes()
    recording.with_name("a_clean.wav").unlink()
    assert program(*words).code == 9
    assert program(*words, "--skip-existing").code == 0
    assert recording.with_name("a_clean.wav").read_bytes() == whole


def test_two_outputs_get_their_names_in_order(
    recording: Path, monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    names: list[str] = []
    link = os.link
    monkeypatch.setattr(os, "link", lambda part, path: (names.append(Path(path).name), link(part, path)))
    program("denoise", "a.wav", "--model", "declick", "--removed")
    assert names == ["a_clean_removed.wav", "a_clean.wav"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_a_failure(program: Program, recording: Path) -> None:
    locked = recording.parent / "locked"
    locked.mkdir(mode=0)
    ended = program("denoise", ".", "-r", "--model", "declick", "-o", "out/")
    locked.chmod(0o755)
    assert ended.code == 3
    assert "locked: cannot be read" in ended.err


def test_folders_that_cannot_be_read_reach_the_caller(
    program: Program, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same without needing such a folder: root can read every one."""
    (recording.parent / "locked").mkdir()
    scan = os.scandir

    def refused(path: Any) -> Any:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    ended = program("denoise", ".", "-r", "--model", "declick", "-o", "out/")
    assert ended.code == 3
    assert "locked: cannot be read (Permission denied)" in ended.err
    assert (recording.parent / "out/a_clean.wav").exists()


def test_a_pattern_ends_where_links_make_a_loop(program: Program, recording: Path) -> None:
    for name in ("one", "two"):
        folder = recording.parent / name
        folder.mkdir()
        for other in ("one", "two"):
            (folder / f"to_{other}").symlink_to(recording.parent / other)
    ended = program("denoise", "**/*.wav", "--model", "declick", "--dry-run", "--json")
    assert [record["input"] for record in json.loads(ended.out)] == ["a.wav"]
