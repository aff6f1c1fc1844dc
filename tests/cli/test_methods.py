"""`denoise --model` with methods and chains, `--preset`, `--noise-profile`: what is written and what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.classical.catalogue import COMBINATIONS, METHODS
from concertclean.classical.material import material_of
from concertclean.config.denoise import PRESETS
from concertclean.evaluate import methods
from concertclean.restore.chain import chain_of, stages_of

RATE = 22_050


def hissing(seconds=1.5, channels=2, seed=0):
    """A chord under hiss and clicks; the first half second is hiss alone."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    waveform = 0.01 * rng.standard_normal((channels, len(time)))
    waveform += 0.1 * (time > 0.5) * sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.0, 330.0))
    waveform[:, 6000::5000] += 0.6
    return waveform


@pytest.fixture
def sound(tmp_path):
    def make(name="a.wav", waveform=None, rate=RATE):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        waveform = hissing() if waveform is None else waveform
        soundfile.write(path, waveform.T, rate, "FLOAT")
        return soundfile.read(path, always_2d=True)[0].T

    return make


def heard(path):
    return soundfile.read(path, always_2d=True)[0].T


def left(stages, waveform, noise=None):
    materials = {"recording": material_of(waveform, RATE)}
    if noise is not None:
        materials["noise"] = material_of(*noise)
    removed = chain_of(stages, {}, materials).removed(iter([waveform]), len(waveform), RATE)
    return waveform - np.concatenate(list(removed), axis=1)


@pytest.mark.parametrize("name", [*METHODS, *COMBINATIONS, "declick,dehum"])
def test_every_name_writes_what_its_stages_leave(program, sound, tmp_path, name):
    waveform = sound()
    ended = program("denoise", "a.wav", "--model", name, "--json")
    assert ended.code == 0, ended.err
    assert heard(tmp_path / "a_clean.wav") == pytest.approx(left(stages_of(name), waveform), abs=1e-6)
    (record,) = json.loads(ended.out)
    assert record["model"] == name
    assert record["stages"] == list(stages_of(name))
    assert "sha256" not in record
    assert not [warning for warning in record["warnings"] if warning.startswith(("W104", "W108"))]


def test_a_network_and_methods_in_one_chain(program, sound, tmp_path, tiny_weights):
    sound()
    network = ["--device", "cpu", "--precision", "fp32", "--threads", 1]
    assert program("denoise", "a.wav", "--model", "declick", "-o", "first.wav").code == 0
    assert program("denoise", "first.wav", "--model", tiny_weights["mono"], *network, "-o", "two.wav").code == 0
    chain = f"declick,{tiny_weights['mono']}"
    ended = program("denoise", "a.wav", "--model", chain, *network, "-o", "one.wav", "--json", "-v")
    assert ended.code == 0, ended.err
    assert heard(tmp_path / "one.wav") == pytest.approx(heard(tmp_path / "two.wav"), abs=1e-5)
    assert json.loads(ended.out)[0]["device"] == "cpu"
    assert f"stages declick, {tiny_weights['mono']}" in ended.err


def test_presets_are_chains_that_exist(program, sound, tmp_path):
    for chain in PRESETS.values():
        assert stages_of(chain)
    waveform = sound()
    ended = program("denoise", "a.wav", "--preset", "tape", "--json")
    assert ended.code == 0
    assert json.loads(ended.out)[0]["model"] == PRESETS["tape"]
    assert heard(tmp_path / "a_clean.wav") == pytest.approx(left(stages_of(PRESETS["tape"]), waveform), abs=1e-6)


def test_options_go_before_the_file_also_between_model_and_preset(program, sound, tmp_path):
    sound()
    (tmp_path / "mine.toml").write_text('preset = "tape"\n')
    models = []
    for words in ([], ["--model", "declick"], ["--preset", "vinyl"]):
        ended = program("denoise", "a.wav", "--config", "mine.toml", "--json", "--overwrite", *words)
        models.append(json.loads(ended.out)[0]["model"])
    assert models == [PRESETS["tape"], "declick", PRESETS["vinyl"]]


@pytest.mark.parametrize("stretch", ["0:00-0:00.45", "0-0.45", "0:00:00-0.45"])
def test_noise_is_heard_in_a_stretch_of_the_recording(program, sound, tmp_path, stretch):
    waveform = sound()
    ended = program("denoise", "a.wav", "--model", "lsa-c", "--noise-profile", stretch)
    assert ended.code == 0, ended.err
    expected = left(("declick", "lsa"), waveform, (waveform[:, : round(0.45 * RATE)], RATE))
    assert heard(tmp_path / "a_clean.wav") == pytest.approx(expected, abs=1e-6)
    before, after = np.square(waveform[:, :9000]).mean(), np.square(heard(tmp_path / "a_clean.wav")[:, :9000]).mean()
    assert after < 0.04 * before  # 14 dB


@pytest.mark.parametrize(("stretch", "warns"), [("0-0.45", False), ("0.6-1.4", True)])
def test_music_in_the_noise_profile_is_reported(program, sound, stretch, warns):
    sound()
    ended = program("denoise", "a.wav", "--model", "lsa", "--noise-profile", stretch)
    assert ended.code == 0, ended.err
    assert ("W120 the noise profile has tones" in ended.err) == warns


def test_noise_comes_from_a_file(program, sound, tmp_path):
    waveform = sound()
    noise = sound("hiss.wav", 0.01 * np.random.default_rng(9).standard_normal((1, 2 * RATE)))
    assert program("denoise", "a.wav", "--model", "lsa", "--noise-profile", "hiss.wav").code == 0
    assert heard(tmp_path / "a_clean.wav") == pytest.approx(left(("lsa",), waveform, (noise, RATE)), abs=1e-6)


def test_each_recording_of_a_folder_has_its_own_noise(program, sound, tmp_path):
    """A recording too short for the stretch fails and does not stop the rest."""
    levels = {"a": 1.0, "b": 0.1}
    waves = {name: sound(f"in/{name}.wav", level * hissing(seed=len(name))) for name, level in levels.items()}
    sound("in/short.wav", hissing(0.2))
    ended = program("denoise", "in", "-o", "out", "--model", "lsa", "--noise-profile", "0-0.4")
    assert ended.code == 3
    assert "short.wav: is 0.20 s long; choose a noise_profile inside it" in ended.err
    for name, waveform in waves.items():
        expected = left(("lsa",), waveform, (waveform[:, : round(0.4 * RATE)], RATE))
        assert heard(tmp_path / f"out/{name}_clean.wav") == pytest.approx(expected, abs=1e-6)
    assert not (tmp_path / "out/short_clean.wav").exists()


def test_strength_removed_and_report(program, sound, tmp_path):
    waveform = sound()
    ended = program("denoise", "a.wav", "--model", "declick", "--strength", 0.5, "--removed", "--report", "-q")
    assert ended.code == 0, ended.err
    clean, removed = heard(tmp_path / "a_clean.wav"), heard(tmp_path / "a_clean_removed.wav")
    assert clean + removed == pytest.approx(waveform, abs=1e-6)
    assert removed == pytest.approx(0.5 * (waveform - left(("declick",), waveform)), abs=1e-6)
    assert "declick" in (tmp_path / "a_clean_report.html").read_text(encoding="utf-8")


def test_three_channels_and_a_part_of_the_recording(program, sound, tmp_path):
    waveform = sound(waveform=hissing(channels=3))
    assert program("denoise", "a.wav", "--model", "declick,lsa", "--start", 0.2, "--duration", 1).code == 0
    part = waveform[:, round(0.2 * RATE) : round(1.2 * RATE)]
    assert heard(tmp_path / "a_clean.wav") == pytest.approx(left(("declick", "lsa"), part), abs=1e-6)


@pytest.mark.parametrize(
    ("words", "code", "cure"),
    [
        (["--model", "declik"], 6, "methods without weights: declick"),
        (["--model", "declick,,lsa"], 2, "as in declick,dehum,gramophone"),
        (["--preset", "shellac"], 2, "choose from 78rpm, vinyl, tape, concert"),
        (["--preset", "tape", "--model", "declick"], 2, "choose one of them"),
        (["--model", "dehum", "--noise-profile", "0-1"], 2, "add lsa or logmmse to the model"),
        (["--model", "lsa", "--noise-profile", "nothing.wav"], 2, "START-END such as 0:00-0:01"),
        (["--model", "lsa", "--noise-profile", "0.3-0.2"], 2, "as 0:00-0:01 does"),
        (["--model", "lsa", "--noise-profile", "0..3-1"], 2, "write 75, 1:15 or 0:01:15.5"),
        (["--model", "lsa", "--noise-profile", "5-6"], 2, "a.wav: is 1.50 s long"),
        (["--model", "lsa", "--noise-profile", "silent.wav"], 2, "silent.wav: holds no noise"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_cure(program, sound, tmp_path, words, code, cure):
    sound()
    sound("silent.wav", np.zeros((1, RATE)))
    ended = program("denoise", "a.wav", *words)
    assert ended.code == code
    assert cure in " ".join(ended.err.split())
    assert not (tmp_path / "a_clean.wav").exists()


def test_silence_and_streams_have_no_stretch_of_noise(program, sound, tmp_path):
    sound("s.wav", np.zeros((1, RATE)))
    ended = program("denoise", "s.wav", "--model", "lsa", "--noise-profile", "0-0.5")
    assert ended.code == 2
    assert "s.wav: has digital silence there; choose" in ended.err
    words = ["-", "-o", "x.wav", "--model", "lsa", "--noise-profile", "0-0.5"]
    piped = program("denoise", *words, stdin=(tmp_path / "s.wav").read_bytes())
    assert piped.code == 2
    assert "use a file of noise" in piped.err


def test_steady_reads_files_and_standard_input_twice(program, sound, tmp_path):
    """The survey sees what the stages before leave, here without clicks."""
    rng = np.random.default_rng(4)
    waveform = 0.01 * rng.standard_normal((2, 12 * RATE))
    waveform[:, 3000::4000] += 0.6
    waveform = sound(waveform=waveform)
    expected = left(("declick", "steady"), waveform)
    words = ["--model", "declick,steady", "-o"]
    assert program("denoise", "a.wav", *words, "file.wav").code == 0
    assert program("denoise", "-", *words, "piped.wav", stdin=(tmp_path / "a.wav").read_bytes()).code == 0
    for name in ("file.wav", "piped.wav"):
        assert heard(tmp_path / name) == pytest.approx(expected, abs=1e-6)
    assert np.square(expected).mean() < 0.03 * np.square(waveform - 0.6 * (waveform > 0.3)).mean()  # 15 dB
    assert methods.model("declick,steady")(waveform, RATE) == pytest.approx(expected, abs=1e-9)


def test_steady_and_a_noise_profile_in_one_chain(program, sound, tmp_path):
    waveform = sound()
    ended = program("denoise", "a.wav", "--model", "steady,lsa", "--noise-profile", "0-0.45")
    assert ended.code == 0, ended.err
    expected = left(("steady", "lsa"), waveform, (waveform[:, : round(0.45 * RATE)], RATE))
    assert heard(tmp_path / "a_clean.wav") == pytest.approx(expected, abs=1e-6)


def test_methods_start_without_torch(sound, tmp_path):
    sound()
    code = (
        "import sys; from concertclean.cli.app import app; "
        "app(['denoise', 'a.wav', '--model', 'declick,dehum,steady,lsa'], standalone_mode=False); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a_clean.wav").exists()


def test_models_lists_the_methods(program):
    listed = program("models", "list").out.decode()
    for name in [*METHODS, *COMBINATIONS]:
        assert f" {name} " in listed
    names = [one["name"] for one in json.loads(program("models", "list", "--json").out)]
    assert set(names) >= {"concert", *METHODS}


def test_methods_are_judged_like_models():
    """What `eval --model` judges is what `denoise` writes."""
    waveform = hissing()
    for name in ("declick", "lsa-c"):
        expected = left(stages_of(name), waveform)
        assert methods.model(name)(waveform, RATE) == pytest.approx(expected, abs=1e-9)
    assert methods.short_name(f"declick,{Path('runs/mine.safetensors')}") == "declick,mine"


@pytest.mark.parametrize(("answer", "told"), [(5.0, False), (-5.0, True)])
def test_noise_is_looked_for(program, sound, tmp_path, monkeypatch, answer, told):
    """A classifier that takes all of it for noise, and one that takes nothing."""
    import torch

    from concertclean.networks.noise_detector import NoiseDetector
    from concertclean.weights import loading

    detector = NoiseDetector(n_mels=8)
    torch.nn.init.zeros_(detector.answer.weight)
    torch.nn.init.constant_(detector.answer.bias, answer)
    monkeypatch.setattr(loading, "load_noise_detector", lambda offline: detector.eval())
    waveform = sound("n.wav", 0.05 * np.random.default_rng(3).standard_normal((1, 5 * RATE)))
    ended = program("denoise", "n.wav", "--model", "lsa", "--noise-profile", "auto", "--jsonl-log", "log.jsonl")
    assert ended.code == 0, ended.err
    assert ("W115" in ended.err) == told
    assert ("W115" in (tmp_path / "log.jsonl").read_text()) == told
    hop_seconds = 1024 / 44100
    first, last = (round(frame * hop_seconds * RATE) for frame in (22, len_frames(waveform.shape[1] / RATE) - 22))
    noise = None if told else (waveform[:, first:last], RATE)
    assert heard(tmp_path / "n_clean.wav") == pytest.approx(left(("lsa",), waveform, noise), abs=2e-6)


def len_frames(seconds):
    """Whole frames of the classifier in a recording."""
    return int(seconds * 44100) // 1024
