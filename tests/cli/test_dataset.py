"""`concertclean dataset` as a person uses it."""

import json

import numpy as np
import soundfile

from tests.cli.test_train import RATE, built, folders  # noqa: F401  (fixtures)


def test_stats_as_table_and_as_json(built, program):  # noqa: F811
    table = program("dataset", "stats", "data").out.decode()
    assert "clean" in table
    assert "validation" in table
    stocks = json.loads(program("dataset", "stats", "data", "--json").out)
    assert sum(stock["n_items"] for stock in stocks) == 6
    assert {stock["split"] for stock in stocks if stock["role"] == "clean"} == {"train", "validation", "test"}


def test_check_of_a_sound_dataset_and_of_a_damaged_one(built, program, tmp_path):  # noqa: F811
    assert program("dataset", "check", "data").code == 0
    (shard,) = (tmp_path / "data" / "shards").glob("clean-train-*")
    shard.write_bytes(shard.read_bytes()[:-1000])
    ended = program("dataset", "check", "data")
    assert ended.code == 3
    assert ended.out.startswith(b"broken\t")


def test_listen_writes_pairs(built, program, tmp_path):  # noqa: F811
    ended = program("dataset", "listen", "data", "out", "-n", 2, "--seconds", 1, "-c", "tiny.toml")
    assert ended.code == 0, ended.err
    assert ended.out.count(b"dB") == 2
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["00_clean.wav", "00_degraded.wav", "01_clean.wav", "01_degraded.wav"]
    assert soundfile.info(tmp_path / "out" / names[0]).frames == RATE
    again = program("dataset", "listen", "data", "out", "-n", 1)
    assert again.code == 9  # nothing is written over unasked


def test_nothing_to_build_from_ends_with_code_2(program):
    ended = program("dataset", "build", "concert", "data")
    assert ended.code == 2
    assert "no clean music" in ended.err


def test_an_empty_folder_ends_with_code_4(program, tmp_path):
    (tmp_path / "songs").mkdir()
    assert program("dataset", "build", "concert", "data", "--clean", "songs").code == 4


def test_a_folder_that_is_no_known_corpus_is_told(program, tmp_path):
    (tmp_path / "songs").mkdir()
    ended = program("dataset", "build", "concert", "data", "--corpus", "songs")
    assert ended.code == 2
    assert "not a known corpus" in ended.err


def test_only_broken_music_ends_with_an_error(program, tmp_path):
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "a.wav").write_bytes(b"no audio")
    ended = program("dataset", "build", "gramophone", "data", "--clean", "songs", "--workers", 1)
    assert ended.code == 2
    assert "none of the clean music could be read" in ended.err


def test_fetching_from_packages_at_hand(program, tmp_path, monkeypatch):
    """A corpus of one package that is not there: told by name, code 3, nothing half-written."""
    (tmp_path / "mine.toml").write_text(
        '[[package]]\nname = "no-such-package"\nversion = "1"\nlicence = "CC0"\nrole = "clean"\n'
        'split = "train"\ngroup = "nobody"\nfiles = ["music/a.ogg"]\n'
    )
    (tmp_path / "debs").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = program("dataset", "fetch", "mine.toml", "-o", "corpus", "--debs", "debs")
    assert ended.code == 3, ended.err
    assert b"no-such-package\t0 of 1\tCC0" in ended.out
    assert not list(tmp_path.glob("corpus/**/*.ogg"))


def test_short_noise_alone_is_enough_for_a_dataset(folders, program, tmp_path):  # noqa: F811
    soundfile.write(tmp_path / "noise" / "disc 0" / "a.wav", np.random.default_rng(1).uniform(-1, 1, RATE // 2), RATE)
    words = ["--clean", "songs", "--noise", "noise/disc 0", "--sample-rate", RATE, "--workers", 1]
    words += ["--validation-items", 0, "--test-items", 0]
    assert program("dataset", "build", "gramophone", "small", *words).code == 0
    assert program("dataset", "listen", "small", "out", "-n", 1).code == 0


def test_files_left_out_are_counted_by_reason_and_listed_in_a_file(folders, program, tmp_path):  # noqa: F811
    broken = [path for path in (tmp_path / "songs").rglob("*") if path.is_file() and path.stat().st_size < 100]
    broken += [tmp_path / "songs" / f"broken{number}.wav" for number in range(10 - len(broken))]
    for path in broken:
        path.write_bytes(b"no audio")
    words = ["--clean", "songs", "--noise", "noise", "--sample-rate", RATE, "--workers", 1]
    words += ["--validation-items", 0, "--test-items", 0, "--synthetic-minutes", 0]
    ended = program("dataset", "build", "gramophone", "data", *words)
    assert ended.code == 0
    assert "10 left out; all of them are in data/left-out.jsonl" in ended.err
    assert "10 × not an audio file" in ended.err
    assert " and 7 more\n" in ended.err
    assert "broken8" not in ended.err
    listed = [json.loads(line) for line in (tmp_path / "data" / "left-out.jsonl").read_text().split("\n")[:-1]]
    assert {one["name"] for one in listed} == {path.relative_to(tmp_path).as_posix() for path in broken}
    assert "broken8" in program("dataset", "build", "gramophone", "data", *words, "-v").err
    for path in broken:
        path.unlink()
    assert program("dataset", "build", "gramophone", "data", *words).code == 0
    assert not (tmp_path / "data" / "left-out.jsonl").exists()


def test_other_number_of_test_items_is_told(folders, program, tmp_path):  # noqa: F811
    words = ["--clean", "songs", "--noise", "noise", "--sample-rate", RATE, "--workers", 1, "--validation-items", 0]
    assert program("dataset", "build", "gramophone", "data", *words, "--test-items", 1).code == 0
    ended = program("dataset", "build", "gramophone", "data", *words, "--test-items", 2)
    assert "had 1 fixed mixtures of each ratio for test; they are made anew, 2 of them" in ended.err
