"""Many recordings: what is found, where it goes, and what happens when one of them is bad."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.errors import (
    ConfigError,
    NoInputError,
)
from concertclean.restore.batch import plan
from concertclean.restore.recordings import find_recordings

RATE = 44_100


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty files that look like audio, and some that do not; the working directory is above them."""
    monkeypatch.chdir(tmp_path)
    names = ["b.wav", "a.MP3", "notes.txt", "._a.mp3", ".hidden.wav", "cover.jpg", "sub/c.m4a", "sub/deep/d.flac"]
    for name in names:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "in/folder.wav").mkdir()
    return tmp_path


def names(found: list[tuple[Path, Path]]) -> list[str]:
    return [file.as_posix() for file, _ in found]


def targets(*words: str, output: str | None = None, format: str = "wav", recursive: bool = False) -> list[str]:
    found = find_recordings(words, recursive=recursive)
    jobs = plan(found, None if output is None else Path(output), format, removed=False, resolve=lambda path: "flac")
    return [job.target.as_posix() for job in jobs]


# What is found


@pytest.mark.parametrize(
    ("words", "recursive", "expected"),
    [
        (["in"], False, ["in/a.MP3", "in/b.wav"]),
        (["in"], True, ["in/a.MP3", "in/b.wav", "in/sub/c.m4a", "in/sub/deep/d.flac"]),
        (["in/b.wav", "in"], False, ["in/b.wav", "in/a.MP3"]),
        (["in/b.wav", "./in/b.wav", "in/../in/b.wav"], False, ["in/b.wav"]),
        (["in/notes.txt"], False, ["in/notes.txt"]),
        (["in/*.wav"], False, ["in/b.wav"]),
        (["in/**/*.flac"], False, ["in/sub/deep/d.flac"]),
    ],
)
def test_find_recordings(tree: Path, words: list[str], recursive: bool, expected: list[str]) -> None:
    assert names(find_recordings(words, recursive=recursive)) == expected


def test_absolute_and_relative_names_are_one_recording(tree: Path) -> None:
    assert len(find_recordings(["in/b.wav", str(tree / "in/b.wav")], recursive=False)) == 1


def test_brackets_in_a_name_that_exists_are_no_pattern(tree: Path) -> None:
    (tree / "in/live [1].wav").touch()
    assert names(find_recordings(["in/live [1].wav"], recursive=False)) == ["in/live [1].wav"]


@pytest.mark.parametrize("word", ["missing.wav", "in/*.ogg", "x" * 300])
def test_what_does_not_exist_is_named(tree: Path, word: str) -> None:
    with pytest.raises(NoInputError, match="no such file or folder"):
        find_recordings(["in/b.wav", word], recursive=False)


def test_a_folder_without_audio(tree: Path) -> None:
    (tree / "empty").mkdir()
    with pytest.raises(NoInputError, match="no audio files here; search recursively"):
        find_recordings(["empty"], recursive=False)
    with pytest.raises(NoInputError, match=r"no audio files here$"):
        find_recordings(["empty"], recursive=True)


# Where it goes


def test_results_lie_beside(tree: Path) -> None:
    assert targets("in") == ["in/a_clean.wav", "in/b_clean.wav"]
    assert targets("in/b.wav", format="keep") == ["in/b_clean.flac"]
    assert targets("in/b.wav", format="alac") == ["in/b_clean.m4a"]


def test_a_tree_is_mirrored(tree: Path) -> None:
    expected = ["out/a_clean.wav", "out/b_clean.wav", "out/sub/c_clean.wav", "out/sub/deep/d_clean.wav"]
    assert targets("in", output="out", recursive=True) == expected
    assert targets("in/b.wav", output="Live v1.5") == ["Live v1.5/b_clean.wav"]


def test_one_file(tree: Path) -> None:
    assert targets("in/b.wav", output="x.flac", format="flac") == ["x.flac"]
    with pytest.raises(ConfigError, match="cannot hold 2 recordings"):
        targets("in", output="x.wav")


@pytest.mark.parametrize(
    ("output", "format"), [("x.wav", "flac"), ("x.aiff", "wav"), ("x.mp3", "keep"), ("x.m4a", "mp3")]
)
def test_a_name_that_says_another_format(tree: Path, output: str, format: str) -> None:
    with pytest.raises(ConfigError, match="name it"):
        targets("in/b.wav", output=output, format=format)


def test_recordings_of_one_stem_do_not_meet(tree: Path) -> None:
    for name in ("one/a.mp3", "one/a.m4a", "one/a_mp3.wav", "one/b.wav"):
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).touch()
    expected = ["one/a_m4a_clean.wav", "one/a_mp3_clean.wav", "one/a_mp3_wav_clean.wav", "one/b_clean.wav"]
    assert targets("one") == expected
    # The longer name does not depend on who came first.
    assert targets("one/a.mp3", "one/a.m4a") == ["one/a_mp3_clean.wav", "one/a_m4a_clean.wav"]


def test_names_that_differ_in_case_do_not_meet() -> None:
    found = [(Path("a.wav"), Path()), (Path("A.wav"), Path())]
    jobs = plan(found, Path("out"), "wav", removed=False, resolve=str)
    assert len({str(job.target).casefold() for job in jobs}) == 2


def test_results_of_an_earlier_run_are_no_recordings(tree: Path) -> None:
    """A folder done twice gave NAME_clean_clean.wav, then NAME_clean_clean_clean.wav ..."""
    for name in ("in/b_clean.wav", "in/b_clean_removed.wav", "in/b_clean_clean.wav", "in/z_clean.wav"):
        (tree / name).touch()
    found = find_recordings(["in"], recursive=False)
    jobs = plan(found, None, "wav", removed=True, resolve=str)
    assert [job.source.name for job in jobs] == ["a.MP3", "b.wav", "z_clean.wav"]
    (tree / "in/out").mkdir()
    (tree / "in/out/b_clean.wav").touch()
    assert "in/out/out/b_clean_clean.wav" not in targets("in", output="in/out", recursive=True)


@pytest.mark.parametrize("stem", ["x" * 251, "ü" * 125, "日" * 80, "a.b.c", "-dash", "with space", "\udcff\udcfe"])
@pytest.mark.parametrize("removed", [False, True])
def test_any_name_has_a_result(tmp_path: Path, noise: Callable[..., np.ndarray], stem: str, removed: bool) -> None:
    source = tmp_path / f"{stem}.wav"
    if sys.platform != "linux" and "\udcff" in stem:
        pytest.skip("such names exist on Linux only")
    with source.open("wb") as file:
        soundfile.write(file, noise(100).T, RATE, format="WAV")
    (job,) = plan([(source, tmp_path)], None, "flac", removed=removed, resolve=str)
    for path in filter(None, (job.target, job.removed)):
        path.touch()  # the file system takes the name
        assert path.parent == tmp_path
        assert path.suffix == ".flac"
    assert job.target.stem.endswith("_clean")
    assert job.target.name[:20] == f"{stem}_clean.flac"[:20]
    assert job.target != job.removed
