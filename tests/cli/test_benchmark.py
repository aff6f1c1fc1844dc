"""`concertclean benchmark` on a miniature corpus: from its files to a table, and what others add to it."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from concertclean.evaluate.benchmark import scoring

RATE = 44_100
PACKAGE = """[[package]]
name = "{name}"
version = "1"
licence = "CC0-1.0"
role = "{role}"
split = "{split}"
group = "{name}"
files = ["a.wav"]
"""
PACKAGES = [("tune", "clean", "test"), ("song", "clean", "train"), ("surface", "noise", "test")]
QUICK = ["--corpus", "corpus", "--items", 1, "--jobs", 1, "--device", "cpu"]
NAMES = ["0000_music", "0000_+3dB", "0000_+5dB", "0000_+10dB"]


def write_corpus(folder, pitch):
    """A song to judge on, one to train on, and a surface."""
    folder.mkdir()
    (folder / "open-corpus.toml").write_text("\n".join(PACKAGE.format(name=n, role=r, split=s) for n, r, s in PACKAGES))
    time = np.arange(7 * RATE) / RATE
    for number, (name, role, _) in enumerate(PACKAGES):
        tone = 0.2 * np.sin(2 * np.pi * pitch * (number + 1) * time) * (1 + np.sin(3 * time)) / 2
        hiss = np.random.default_rng(number).uniform(-0.1, 0.1, len(time))
        (folder / name).mkdir()
        soundfile.write(folder / name / "a.wav", hiss if role == "noise" else tone, RATE)


@pytest.fixture
def corpus(tmp_path):
    write_corpus(tmp_path / "corpus", 440)


@pytest.fixture
def run(program, corpus):
    """Runs the benchmark for gramophones."""
    return lambda *words: program("benchmark", "gramophone", *QUICK, *words)


@pytest.fixture
def exported(run, tmp_path):
    """A folder of mixtures for other tools."""
    ended = run("--export", "mixtures")
    assert ended.code == 0, ended.err
    return tmp_path / "mixtures"


def results(tmp_path):
    return json.loads((tmp_path / "benchmark/gramophone/results.json").read_text())


def methods(tmp_path):
    return [one["name"] for one in results(tmp_path)["methods"]]


def test_from_a_corpus_to_a_table(run, tmp_path, tiny_weights):
    shutil.copy(tiny_weights["mono"], tmp_path / "mine.safetensors")
    words = ["--rows", "one gain for all,ideal gains,afftdn,declick,mine.safetensors"]
    ended = run("--metrics", "sisdr,snr,mmsnr", *words)
    assert ended.code == 0, ended.err
    assert "6 rows on 4 mixtures" in ended.err
    page = (tmp_path / "benchmark/gramophone/RESULTS.md").read_text()
    assert "concertclean benchmark gramophone --items 1 --metrics sisdr,snr,mmsnr\n" in page
    assert "| method | +3 dB | +5 dB | +10 dB | clean | worst |" in page
    found = results(tmp_path)
    assert found["sha256"] in page
    kinds = {one["name"]: one["kind"] for one in found["methods"]}
    assert kinds == {
        "unprocessed": "yardstick", "one gain for all": "yardstick", "ideal gains": "yardstick", "afftdn": "tool",
        "declick": "method", "mine": "model",
    }  # fmt: skip
    scores = {(one["method"], one["ratio_db"]): one for one in found["recordings"]}
    assert scores["unprocessed", 5.0]["scores"]["snr"] == pytest.approx(5, abs=0.01)
    ideal = scores["ideal gains", 5.0]
    assert ideal["gains"]["sisdr"] > max(scores[name, 5.0]["gains"]["sisdr"] for name in ("afftdn", "declick", "mine"))
    assert ideal["gains"]["mmsnr"] > 3
    assert ideal["noise_left_db"] < -5


def test_two_builds_make_the_same_mixtures_and_the_same_page(run, tmp_path):
    pages = []
    for output in ("first", "second"):
        ended = run("-o", output, "--rows", "one gain for all", "--metrics", "snr")
        assert ended.code == 0, ended.err
        pages.append(
            [(tmp_path / output / "gramophone" / name).read_bytes() for name in ("RESULTS.md", "results.json")]
        )
    assert pages[0] == pages[1]


def test_the_exported_mixtures_are_those_that_are_scored(run, exported, tmp_path):
    assert sorted(path.stem for path in (exported / "degraded").iterdir()) == sorted(NAMES)
    assert sorted(path.stem for path in (exported / "reference").iterdir()) == sorted(NAMES)
    assert not (tmp_path / "benchmark/gramophone/RESULTS.md").exists()
    degraded, clean = (soundfile.read(exported / side / "0000_+5dB.wav")[0] for side in ("degraded", "reference"))
    ratio = 10 * np.log10(np.square(clean).sum() / np.square(degraded - clean).sum())
    assert ratio == pytest.approx(5, abs=0.01)
    manifest = json.loads((exported / "manifest.json").read_text())
    assert [one["name"] for one in manifest["mixtures"]] == NAMES
    assert "train" not in json.dumps(manifest)
    assert all(one["description"].startswith("tune/") for one in manifest["mixtures"])
    assert run("--rows", "unprocessed", "--metrics", "snr").code == 0
    assert results(tmp_path)["sha256"] == manifest["sha256"]


def test_a_row_of_estimates_is_added_and_the_others_stay(run, exported, tmp_path, monkeypatch):
    assert run("--rows", "one gain for all", "--metrics", "snr").code == 0
    half = tmp_path / "half"
    half.mkdir()
    for name in NAMES:
        degraded, clean = (soundfile.read(exported / side / f"{name}.wav")[0] for side in ("degraded", "reference"))
        soundfile.write(half / f"{name}.flac", (degraded + clean) / 2, RATE, subtype="PCM_24")
    scored = []
    monkeypatch.setattr(scoring, "_score", lambda task, running, score=scoring._score: (
        scored.append(task.entrant.name), score(task, running))[1])  # fmt: skip
    ended = run("--rows", "unprocessed", "--estimates", f"half the noise={half}")
    assert ended.code == 0, ended.err
    assert scored == 4 * ["half the noise"]
    assert methods(tmp_path) == ["unprocessed", "one gain for all", "half the noise"]
    (gain,) = [
        one["gains"]["snr"]
        for one in results(tmp_path)["recordings"]
        if (one["method"], one["ratio_db"]) == ("half the noise", 5.0)
    ]
    assert gain == pytest.approx(20 * np.log10(2), abs=1e-3)
    assert "| half the noise | estimates | sha256 " in (tmp_path / "benchmark/gramophone/RESULTS.md").read_text()
    # Other files under the same name are another version.
    shutil.copy(exported / "degraded" / "0000_+5dB.wav", half / "0000_+5dB.wav")
    (half / "0000_+5dB.flac").unlink()
    assert run("--rows", "unprocessed", "--estimates", f"half the noise={half}").code == 0
    assert scored == 8 * ["half the noise"]


def test_an_interrupted_run_goes_on(run, tmp_path, monkeypatch):
    scored, score = [], scoring._score

    def breaks(task, running):
        if len(scored) == 5:
            raise KeyboardInterrupt
        scored.append((task.entrant.name, task.mixture.name))
        return score(task, running)

    monkeypatch.setattr(scoring, "_score", breaks)
    words = ["--rows", "one gain for all", "--metrics", "snr"]
    assert run(*words).code != 0
    assert len(scored) == 5
    with (tmp_path / "benchmark/gramophone/scores.jsonl").open("a") as file:
        file.write('{"row": "one ga')  # as a killed process leaves it
    monkeypatch.setattr(scoring, "_score", lambda task, running: (
        scored.append((task.entrant.name, task.mixture.name)), score(task, running))[1])  # fmt: skip
    assert run(*words).code == 0
    assert scored == [(row, name) for row in ("unprocessed", "one gain for all") for name in NAMES]
    assert methods(tmp_path) == ["unprocessed", "one gain for all"]


def test_rows_of_another_set_are_refused(run, program, tmp_path):
    assert run("--rows", "unprocessed", "--metrics", "snr").code == 0
    write_corpus(tmp_path / "other", 500)
    shutil.rmtree(tmp_path / "benchmark/gramophone/dataset")
    words = ["--items", 1, "--jobs", 1, "--corpus", "other", "--rows", "unprocessed"]
    ended = program("benchmark", "gramophone", *words)
    assert ended.code == 2
    assert "scored on another set of mixtures, in which 0000_music differs" in ended.err.replace("\n", " ")
    ended = program("benchmark", "gramophone", *words, "--metrics", "sisdr")
    assert ended.code == 2
    assert "holds scores for metrics ['snr']" in ended.err.replace("\n", " ")


def test_rows_that_lack_new_mixtures_are_left_out_and_named(run, tmp_path):
    assert run("--rows", "one gain for all", "--metrics", "snr").code == 0
    ended = run("--rows", "unprocessed", "--items", 2)
    assert ended.code == 0, ended.err
    assert "one gain for all: was scored on other mixtures" in ended.err.replace("\n", " ")
    assert (methods(tmp_path), results(tmp_path)["items"]) == (["unprocessed"], 2)


def _spoilt(folder, fault):
    path = folder / "0000_+3dB.wav"
    waveform, _ = soundfile.read(path)
    if fault == "missing":
        path.unlink()
        (folder / "0000_music.wav").unlink()
    elif fault == "short":
        soundfile.write(path, waveform[:-1], RATE)
    elif fault == "rate":
        soundfile.write(path, waveform, 48_000)
    elif fault == "stereo":
        soundfile.write(path, np.stack([waveform, waveform], 1), RATE)
    else:
        soundfile.write(folder / "0000_+3dB.flac", waveform, RATE)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", "2 of 4 estimates are missing: 0000_music, 0000_+3dB; export the mixtures"),
        ("short", "0000_+3dB.wav: has 264599 samples, not 264600"),
        ("rate", "0000_+3dB.wav: has 48000 Hz, not 44100"),
        ("stereo", "0000_+3dB.wav: has 2 channels, not 1"),
        ("twice", "0000_+3dB: its estimate could be "),
    ],
)
def test_estimates_that_do_not_fit(run, exported, fault, message):
    _spoilt(exported / "degraded", fault)
    ended = run("--rows", "unprocessed", "--estimates", "mine=mixtures/degraded")
    assert ended.code == 2
    assert message in ended.err.replace("\n", " ")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--corpus", "nowhere"], 4, "nowhere: does not exist; give --corpus FOLDER"),
        (["--corpus", "."], 2, ".: not a known corpus"),
        (["--dataset", "corpus"], 2, "corpus: has no test mixtures"),
        (["--rows", "nonsense"], 6, "unknown model 'nonsense'"),
        (["--metrics", "loud"], 2, "loud: unknown metric"),
        (["--estimates", "mine"], 2, "--estimates mine: must be NAME=FOLDER"),
        (["--estimates", "mine=nowhere", "--rows", "unprocessed"], 4, "nowhere: not a folder"),
        (["--estimates", "concert=corpus", "--rows", "unprocessed"], 2, "concert: is a row of the program"),
    ],
)
def test_what_cannot_be_asked(run, words, code, message):
    ended = run(*words)
    assert message in ended.err.replace("\n", " ")
    assert ended.code == code


def test_a_dataset_of_another_task_is_refused(run, program):
    assert run("--export", "mixtures").code == 0
    ended = program("benchmark", "concert", "--dataset", "benchmark/gramophone/dataset")
    assert ended.code == 2
    assert "is a dataset for gramophone, not for concert" in ended.err.replace("\n", " ")
