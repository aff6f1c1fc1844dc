"""What `denoise` accepts as a recording: films with several sounds, pipes; and what it says about it."""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.audio_io.sound_bytes import PCM, order_of, stored
from tests.audio_io.test_streams import film

Program = Callable[..., Any]
UNCHANGED = ("--model", "declick", "--strength", 0)


@pytest.fixture
def a_film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mkv"
    path.write_bytes(film("matroska", "flac", default=1))
    return path


@pytest.mark.parametrize(("words", "number"), [([], 2), (["--audio-stream", 1], 1), (["--audio-stream", 3], 3)])
def test_the_sound_that_players_choose_or_the_one_asked_for(
    program: Program, a_film: Path, tmp_path: Path, words: list[object], number: int
) -> None:
    ended = program("denoise", a_film, *UNCHANGED, *words, "-o", "out.wav", "--json")
    assert ended.code == 0
    samples, rate = soundfile.read(tmp_path / "out.wav", always_2d=True)
    assert order_of(samples.T, rate) == [number - 1]
    (record,) = json.loads(ended.out)
    assert record["audio_stream"] == number
    assert any(warning.startswith(f"W122 audio stream {number} of 3 is read") for warning in record["warnings"])
    assert f"W122 audio stream {number} of 3" in program("denoise", a_film, *UNCHANGED, *words, "-o", "b.wav", "-v").err


@pytest.mark.parametrize("words", [("--audio-stream", 4), ("--audio-stream", 0), ("--audio-stream", "two")])
def test_a_sound_that_is_not_there(program: Program, a_film: Path, tmp_path: Path, words: tuple[object, ...]) -> None:
    ended = program("denoise", a_film, *UNCHANGED, *words, "-o", "out.wav")
    assert ended.code == (5 if words[1] == 4 else 2)
    assert words[1] != 4 or "has 3 audio streams, no number 4; choose 1 to 3" in " ".join(ended.err.split())
    assert not (tmp_path / "out.wav").exists()


def test_the_page_compares_with_the_sound_that_was_restored(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    path.write_bytes(film("matroska", "flac", default=0, n_sounds=2))
    ended = program("denoise", path, *UNCHANGED, "--audio-stream", 2, "--report", "-o", tmp_path / "out")
    assert ended.code == 0
    assert list((tmp_path / "out").glob("*.html"))


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes")
@pytest.mark.parametrize("model", ["declick", "auto"])
def test_a_named_pipe(program: Program, tmp_path: Path, model: str) -> None:
    """Opened for its length, for the analysis and for the restoring."""
    os.mkfifo(tmp_path / "pipe")
    content = stored(PCM, "WAV")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,), daemon=True)
    writer.start()
    ended = program("denoise", "pipe", "--model", model, "--strength", 0, "-o", "out.wav")
    assert ended.code == 0, ended.err
    assert np.array_equal(soundfile.read(tmp_path / "out.wav", dtype="int16")[0], PCM)
    writer.join(5)


@pytest.mark.skipif(sys.platform == "win32", reason="no such device")
def test_a_device_is_blamed_and_not_the_output(program: Program, tmp_path: Path) -> None:
    ended = program("denoise", "/dev/null", *UNCHANGED, "-o", "out.wav")
    assert ended.code == 5
    assert "/dev/null: is a device or socket, not a recording" in " ".join(ended.err.split())
    assert not (tmp_path / "out.wav").exists()


@pytest.mark.parametrize("samples", [np.zeros(0), np.full(1, 0.5), np.full(2, 0.5)])
@pytest.mark.parametrize("model", ["declick", "decrackle,dethump", "dehum,steady", "lsa", "auto"])
def test_hardly_any_samples_come_out_as_they_went_in(
    program: Program, tmp_path: Path, samples: np.ndarray, model: str
) -> None:
    soundfile.write(tmp_path / "a.wav", samples, 44_100, subtype="PCM_16")
    ended = program("denoise", "a.wav", "--model", model, "-o", "out.wav")
    assert ended.code == 0, ended.err
    assert soundfile.read(tmp_path / "out.wav")[0] == pytest.approx(samples, abs=0.05)


LONG = "n" * 300


@pytest.mark.parametrize(
    ("words", "code", "fact"),
    [
        (("denoise", "a.wav", *UNCHANGED, "-o", f"{LONG}.wav"), 9, "cannot be written (File name too long)"),
        (("denoise", "a.wav", *UNCHANGED, "--report", "-o", f"{LONG}.wav"), 9, "cannot be written"),
        (("denoise", "a.wav", "--model", LONG), 6, "unknown model"),
        (("denoise", "a.wav", "--model", "lsa", "--noise-profile", LONG), 2, "no such file"),
        (("report", LONG), 4, "no such file or folder"),
        (("eval", LONG, LONG), 4, "does not exist"),
        (("dataset", "build", "concert", "x", "--clean", LONG, "--noise", LONG), 4, "not a folder"),
    ],
    ids=lambda value: "",
)
def test_a_name_that_the_file_system_refuses_is_an_error_of_ours(
    program: Program, tmp_path: Path, words: tuple[object, ...], code: int, fact: str
) -> None:
    (tmp_path / "a.wav").write_bytes(stored(PCM, "WAV"))
    ended = program(*words)
    assert ended.code == code
    assert fact in " ".join(ended.err.split())
    assert "unexpected" not in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
