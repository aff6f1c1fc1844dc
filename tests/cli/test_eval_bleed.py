"""From stems to a table: `dataset build bleed`, then `eval` on it."""

import json

import pytest
import soundfile

from tests.bleed import bands


@pytest.fixture
def dataset(program, tmp_path):
    """A dataset of one band whose microphones hear gains alone."""
    (tmp_path / "stems" / "song").mkdir(parents=True)
    for name, stem in zip(("bass", "drums"), bands.band(2, seconds=2), strict=True):
        soundfile.write(tmp_path / "stems" / "song" / f"{name}.wav", stem, bands.SAMPLE_RATE)
    how = ["--sample-rate", bands.SAMPLE_RATE, "--conditions", "high", "--seconds", 2]
    ended = program("dataset", "build", "bleed", "data", "--stems", "stems", *how)
    assert ended.code == 0, ended.err
    assert "eval --dataset data" in ended.err


def test_methods_by_condition(program, dataset):
    told = program("eval", "--dataset", "data", "--model", "linear", "--model", "auto", "--markdown")
    assert told.code == 0, told.err
    lines = told.out.decode().splitlines()
    assert sum(line.startswith("| linear | high | 1 |") for line in lines) == 1
    assert any(line.startswith("| drums | +") for line in lines)
    records = json.loads(program("eval", "--dataset", "data", "--model", "linear", "--json").out)
    assert records[0]["band"]["condition"] == "high"
    assert records[0]["sdr"][0] > records[0]["sdr_before"][0] + 20


def test_wrong_words(program, dataset):
    ended = program("eval", "--dataset", "data", "--model", "magic")
    assert ended.code == 6
    assert "magic: unknown method" in ended.err
    ended = program("dataset", "build", "bleed", "other")
    assert ended.code == 2
    assert "add --stems FOLDER" in ended.err
    ended = program("dataset", "build", "concert", "other", "--clean", "stems", "--test", 0.9)
    assert ended.code == 2
    assert "--test is 0.9, at most 0.5" in ended.err


@pytest.mark.parametrize(
    "words",
    [["--metrics", "sisdr"], ["--baseline", "afftdn"], ["--by-kind"], ["--downmix"], ["--jobs", "2"], ["--offline"],
     ["--split", "validation"], ["--device", "cpu"]],
)  # fmt: skip
def test_options_without_effect_on_bands_are_refused(program, dataset, words):
    ended = program("eval", "--dataset", "data", *words)
    assert ended.code == 2
    assert f"{words[0]}: without effect on bands" in ended.err
