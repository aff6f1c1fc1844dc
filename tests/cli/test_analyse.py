"""`concertclean analyse`, and `denoise --model auto`: what is printed, and what a bad file does."""

import json

import numpy as np
import pytest
import soundfile
import torch

from concertclean.dsp.scene_images import SCENES
from concertclean.networks.scene_classifier import SceneClassifier
from concertclean.restore import scenes
from concertclean.weights.file_format import save_weights

RATE = 22_050
CONFIG = {"n_fft": 512, "hop_length": 256, "n_mels": 16, "widths": [4, 8], "hidden": 8}


@pytest.fixture
def detector(tmp_path):
    """A classifier that always hears one thing, as a weights file."""

    def make(scene):
        network = SceneClassifier(**CONFIG)
        with torch.no_grad():
            network.answer.weight.zero_()
            network.answer.bias.copy_(5.0 * torch.eye(len(SCENES))[SCENES.index(scene)])
        path = tmp_path / f"{scene}.safetensors"
        save_weights(path, network.state_dict(), architecture="scene_classifier", config=CONFIG, provenance={})
        return path

    return make


@pytest.fixture
def recording(tmp_path):
    time = np.arange(3 * RATE) / RATE
    notes = 0.3 * np.sin(2 * np.pi * (300 + 100 * np.floor(2 * time)) * time)
    soundfile.write(tmp_path / "a.wav", np.repeat(notes[:, None], 2, axis=1), RATE)
    return tmp_path / "a.wav"


def test_a_recording_as_a_person_reads_it(program, recording, detector):
    found = program("analyse", recording, "--detector", detector("crowd"))
    assert found.code == 0
    assert "crowd (98 %)" in found.out.decode()
    assert "--model concert" in found.out.decode()
    assert "mono in stereo" in found.out.decode()


def test_a_recording_as_programs_read_it(program, recording, detector):
    found = program("analyse", recording, "--detector", detector("disc"), "--json")
    (record,) = json.loads(found.out)
    assert record["path"] == str(recording)
    assert record["scene"] == "disc"
    assert record["model"].startswith("dethump")
    assert record["seconds"] == 3.0
    assert 0 < record["bandwidth_hz"] < RATE / 2


def test_a_bad_file_is_reported_and_the_rest_go_on(program, recording, detector, tmp_path):
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    found = program("analyse", tmp_path / "bad.wav", recording, "--detector", detector("clean"))
    assert found.code == 3
    assert "bad.wav" in found.err
    assert "leave it alone" in found.out.decode()


def test_a_restoring_network_is_no_detector(program, recording, tiny_weights):
    found = program("analyse", recording, "--detector", tiny_weights["stereo"])
    assert found.code == 6
    assert "kanunet_eca does not recognise scenes" in found.err


def test_a_detector_restores_nothing(program, recording):
    found = program("denoise", recording, "--model", "scenes")
    assert found.code == 6
    assert "use `concertclean analyse`" in found.err


def test_auto_leaves_clean_music_alone_and_says_so(program, recording, detector, monkeypatch, tmp_path):
    weights = detector("clean")
    whole = scenes.load_scenes
    monkeypatch.setattr(scenes, "load_scenes", lambda **options: whole(weights))
    found = program("denoise", recording, "--model", "auto", "-o", tmp_path / "out.wav", "--json")
    assert found.code == 0
    record = json.loads(found.out)
    record = record[0] if isinstance(record, list) else record
    assert record["model"] is None
    assert record["stages"] == []
    assert record["found"]["scene"] == "clean"
    assert record["warnings"][0].startswith("W117")
    assert np.array_equal(soundfile.read(tmp_path / "out.wav")[0], soundfile.read(recording)[0])


def test_auto_takes_no_noise_profile(program, recording):
    found = program("denoise", recording, "--model", "auto", "--noise-profile", "0:00-0:01")
    assert found.code == 2
    assert "name the model" in found.err
