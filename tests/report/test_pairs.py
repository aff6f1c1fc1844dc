"""Which recording a result is of, by its name."""

from pathlib import Path

import pytest

from concertclean.errors import ConfigError, NoInputError
from concertclean.report.pairs import Pair, find_pairs, is_result


@pytest.fixture
def files(tmp_path: Path) -> Path:
    names = ["a.m4a", "a_clean.wav", "a_clean_removed.wav", "deep/b.flac", "deep/b_clean.flac", "deep/b.txt",
             "c.mp3", "c.wav", "c_mp3_clean.wav", "c_wav_clean.wav", "._a_clean.wav"]  # fmt: skip
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_two_files(files: Path) -> None:
    two = [files / "c.mp3", files / "c.wav"]
    assert find_pairs(two, None) == ([Pair(two[0], two[1])], [])


def test_a_folder(files: Path) -> None:
    pairs, orphans = find_pairs([files], None)
    found = {(str(pair.before.relative_to(files)), str(pair.after.relative_to(files))) for pair in pairs}
    assert found == {
        ("a.m4a", "a_clean.wav"),
        ("deep/b.flac", "deep/b_clean.flac"),
        ("c.mp3", "c_mp3_clean.wav"),
        ("c.wav", "c_wav_clean.wav"),
    }
    assert orphans == []


def test_results_by_name(files: Path) -> None:
    pairs, _ = find_pairs([files / "a_clean.wav", files / "deep" / "b_clean.flac"], None)
    assert [pair.before.name for pair in pairs] == ["a.m4a", "b.flac"]


def test_a_mirrored_tree(files: Path, tmp_path: Path) -> None:
    restored = tmp_path / "restored"
    (restored / "deep").mkdir(parents=True)
    (restored / "deep" / "b_clean.wav").touch()
    (restored / "lonely_clean.wav").touch()
    pairs, orphans = find_pairs([restored], files)
    assert pairs == [Pair(files / "deep" / "b.flac", restored / "deep" / "b_clean.wav")]
    ((path, error),) = orphans
    assert path.name == "lonely_clean.wav"
    assert "no recording lonely.*" in str(error)


@pytest.mark.parametrize(
    ("names", "kind", "message"),
    [
        (["nowhere.wav"], NoInputError, "no such file"),
        (["a.m4a"], ConfigError, "not named NAME_clean.EXT"),
        (["deep/b.flac", "a_clean.wav", "c.mp3"], ConfigError, "give two files"),
        (["empty"], NoInputError, "no files named NAME_clean.EXT"),
        (["d_clean.wav"], NoInputError, "no recording d.*"),
        (["e_clean.wav"], NoInputError, "e.flac, e.mp3"),
    ],
)
def test_what_cannot_be_found(files: Path, names: list[str], kind: type[Exception], message: str) -> None:
    (files / "empty").mkdir()
    for name in ("d_clean.wav", "e_clean.wav", "e.mp3", "e.flac"):
        (files / name).touch()
    with pytest.raises(kind, match=message.replace(".", r"\.").replace("*", r"\*")):
        find_pairs([files / name for name in names], None)


def test_names_of_results() -> None:
    assert is_result(Path("a_clean.WAV"))
    assert not any(map(is_result, map(Path, ["a.wav", "a_clean.txt", "a_clean_removed.wav", "._a_clean.wav"])))
