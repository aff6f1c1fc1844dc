"""`concertclean eval` from the command line: tables in every form, bad files, exit codes."""

import csv
import io
import json
import shutil

import numpy as np
import pytest
import soundfile

from concertclean.evaluate import scoring

RATE = 16_000


@pytest.fixture
def folders(tmp_path):
    """Three references, estimates 20 dB above their noise and noisy ones at 10 dB."""
    for number in range(3):
        rng = np.random.default_rng(number)
        truth = 0.1 * np.sin(np.arange(RATE) * (0.05 + 0.01 * number))
        noise = 0.1 / 2**0.5 * rng.standard_normal(RATE)
        for folder, level in (("reference", 0.0), ("estimate", 0.1), ("noisy", 10**-0.5)):
            (tmp_path / folder).mkdir(exist_ok=True)
            soundfile.write(tmp_path / folder / f"{number}.wav", truth + level * noise, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "short.wav", truth[: RATE // 2], RATE)
    (tmp_path / "text.wav").write_text("no audio")
    return tmp_path


def test_folders_with_gains_on_the_screen(program, folders):
    ended = program("eval", "reference", "estimate", "--noisy", "noisy", "--metrics", "snr,sdr", "--jobs", 1)
    assert ended.code == 0, ended.err
    text = ended.out.decode()
    assert "gain in snr, dB" in text
    assert "+10.0" in text


def test_a_bad_file_is_told_and_does_not_stop_the_rest(program, folders):
    (folders / "estimate" / "1.wav").write_bytes(b"no audio")
    (folders / "estimate" / "2.wav").unlink()
    ended = program("eval", "reference", "estimate", "--metrics", "snr", "--json", "--jobs", 1)
    assert ended.code == 3
    found = json.loads(ended.out)
    assert [one["name"] for one in found["recordings"]] == ["0"]
    assert len(found["failures"]) == 2
    assert "1.wav: not an audio file" in ended.err
    assert "2: is not in estimate" in ended.err


def test_what_holds_for_many_recordings_is_told_once(program, folders):
    ended = program("eval", "reference", "estimate", "--metrics", "sir", "--jobs", 1)
    assert ended.code == 0
    assert ended.err.splitlines() == ["3 recordings: sir: needs the noisy recording as well"]


def test_two_files_as_csv_over_two_processes(program, folders):
    ended = program("eval", "reference", "estimate", "--csv", "--metrics", "snr", "--jobs", 2)
    assert ended.code == 0, ended.err
    (line,) = csv.DictReader(io.StringIO(ended.out.decode()))
    assert (line["n"], line["score"]) == ("3", "snr")
    assert float(line["mean"]) == pytest.approx(20, abs=0.1)
    ended = program("eval", "reference/0.wav", "estimate/0.wav", "--markdown", "--metrics", "snr")
    assert "| snr, dB | 1 | 20.0 |" in ended.out.decode()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["reference"], 2, "give REFERENCE and ESTIMATE, or --dataset"),
        ([], 2, "there is nothing to judge"),
        (["--reproduce"], 2, "recipes/README.md"),
        (["reference", "estimate", "--metrics", "loud"], 2, "loud: unknown metric; choose from snr"),
        (["reference", "nothing"], 4, "nothing: does not exist"),
        (["reference", "estimate/0.wav"], 2, "files only, or folders only"),
        (["reference", "estimate", "--json", "--csv"], 2, "exclude each other"),
        (["reference/0.wav", "text.wav"], 5, "text.wav: not an audio file"),
        (["reference/0.wav", "short.wav"], 2, "is 0.50 s shorter than"),
        (["--dataset", "reference"], 2, "reference"),
    ],
)
def test_what_cannot_be_asked(program, folders, words, code, message):
    ended = program("eval", *words)
    assert ended.code == code
    assert message in ended.err.replace("\n", " ")


def test_every_metric_is_listed(program):
    text = program("eval", "--list").out.decode()
    assert all(name in text for name in ("snr", "segsnr", "sisdr", "sdr_v4", "peaq", "2f", "lsd", "mrstft", "visqol"))


@pytest.fixture
def dataset(program, tmp_path):
    """Three songs and three noises, with two test mixtures of each ratio."""
    for number in range(3):
        for kind, samples in (("songs", 0.2 * np.sin(np.arange(4 * RATE) * (0.04 + number / 100))),
                              ("noise", np.random.default_rng(number).uniform(-0.2, 0.2, 4 * RATE))):  # fmt: skip
            folder = tmp_path / kind / f"group {number}"
            folder.mkdir(parents=True)
            soundfile.write(folder / "a.wav", samples, RATE)
    words = ["--sample-rate", RATE, "--workers", 1, "--validation-items", 0, "--test-items", 2]
    words += ["--synthetic-minutes", 0]
    ended = program("dataset", "build", "concert", "data/concert", "--clean", "songs", "--noise", "noise", *words)
    assert ended.code == 0, ended.err
    return tmp_path / "data" / "concert"


def test_a_model_and_a_tool_side_by_side(program, dataset, tiny_weights, tmp_path):
    shutil.copy(tiny_weights["stereo"], tmp_path / "mine.safetensors")
    words = ["--model", "mine.safetensors", "--baseline", "afftdn", "--metrics", "sisdr,snr", "--jobs", 1]
    ended = program("eval", "--dataset", dataset, *words, "--device", "cpu", "--json")
    assert ended.code == 0, ended.err
    found = json.loads(ended.out)
    assert {row["method"] for row in found["rows"]} == {"unprocessed", "one gain for all", "afftdn", "mine"}
    (row,) = [
        row
        for row in found["rows"]
        if (row["method"], row["ratio_db"], row["score"]["name"], row["is_gain"]) == ("unprocessed", -5.0, "snr", False)
    ]
    assert (row["summary"]["n"], row["summary"]["mean"]) == (2, pytest.approx(-5.0, abs=0.01))
    assert found["task"] == "concert"


@pytest.mark.parametrize("name", ["stereo", pytest.param("mono", marks=pytest.mark.long)])
def test_eval_judges_what_denoise_writes(program, dataset, tiny_weights, tmp_path, monkeypatch, name):
    """The same samples, so the figures of a table hold for the files people get. A 32-bit file rounds to 1e-7."""
    judged, measure = [], scoring.measure

    def listen(metrics, reference, estimate, *more):
        judged.append(estimate)
        return measure(metrics, reference, estimate, *more)

    monkeypatch.setattr(scoring, "measure", listen)
    model = ["--model", tiny_weights[name], "--device", "cpu"]
    ended = program("eval", "--dataset", dataset, *model, "--items", 1, "--metrics", "snr", "--jobs", 1, "--json")
    assert ended.code == 0, ended.err
    recordings = [(one["name"], one["method"]) for one in json.loads(ended.out)["recordings"]]

    mixture = dataset / "fixed" / "test" / "0 dB" / "0000.flac"
    ended = program("denoise", mixture, *model, "--bit-depth", "32f", "-o", "out.wav")
    assert ended.code == 0, ended.err
    written = soundfile.read(tmp_path / "out.wav", always_2d=True)[0].T
    assert np.abs(written - soundfile.read(mixture, always_2d=True)[0].T).max() > 0.01
    assert judged[recordings.index(("0 dB/0000", name))] == pytest.approx(written, rel=0, abs=1e-7)


def test_the_tables_of_the_readme_come_with_one_option(program, dataset, tiny_weights, tmp_path):
    shutil.copy(tiny_weights["stereo"], tmp_path / "mine.safetensors")
    words = ["--model", "mine.safetensors", "--baseline", "adeclick", "--items", 1, "--device", "cpu", "--jobs", 1]
    ended = program("eval", "--reproduce", *words)
    assert ended.code == 0, ended.err
    lines = ended.out.decode().splitlines()
    assert "| method | -10 dB | -5 dB | +0 dB | +5 dB | +12 dB | clean | worst |" in lines
    assert any(line.startswith("| mine, ") for line in lines)


@pytest.mark.parametrize("device", ["abacus", "", "cuda:99", "meta"])
@pytest.mark.parametrize("what", [["reference", "estimate"], ["--dataset", "nowhere", "--jobs", "1"]])
def test_device_that_is_not_there_is_an_error(program, folders, device, what):
    ended = program("eval", *what, "--device", device)
    assert ended.code == 2
    assert "choose" in ended.err
    assert "auto" in ended.err


def test_files_of_macos_are_no_recordings(program, folders):
    for folder in ("reference", "estimate"):
        (folders / folder / "._0.wav").write_bytes(b"Mac OS X")
    ended = program("eval", "reference", "estimate", "--metrics", "snr", "--json", "--jobs", 1)
    assert ended.code == 0, ended.err
    assert [one["name"] for one in json.loads(ended.out)["recordings"]] == ["0", "1", "2"]
