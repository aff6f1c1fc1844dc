"""`concertclean dataset extract-noise` as a person uses it."""

import json

import numpy as np
import pytest
import soundfile
import torch

from concertclean.networks.noise_detector import NoiseDetector
from concertclean.weights.file_format import save_weights

RATE = 44_100


@pytest.fixture
def classifier(tmp_path):
    """Makes a classifier that takes everything for noise, or nothing."""

    def make(name: str, answer: float) -> str:
        detector = NoiseDetector(n_mels=8)
        torch.nn.init.zeros_(detector.answer.weight)
        torch.nn.init.constant_(detector.answer.bias, answer)
        path = tmp_path / name
        config = {"n_mels": 8}
        save_weights(path, detector.state_dict(), architecture="noise_detector", config=config, provenance={})
        return name

    return make


@pytest.fixture
def transfers(tmp_path):
    """Two recordings in a tree: stereo hiss of twelve seconds, the second with a quiet part."""
    rng = np.random.default_rng(1)
    hiss = 0.1 * rng.standard_normal((12 * RATE, 2))
    (tmp_path / "discs" / "side").mkdir(parents=True)
    soundfile.write(tmp_path / "discs" / "a.flac", hiss, RATE)
    hiss[3 * RATE : 3 * RATE + RATE // 2] *= 0.1
    soundfile.write(tmp_path / "discs" / "side" / "b.flac", hiss, RATE)
    return hiss


def test_stretches_are_cut_out_as_they_are(program, classifier, transfers, tmp_path):
    ended = program("dataset", "extract-noise", "discs", "-r", "-o", "noise", "--model", classifier("n.safetensors", 5))
    assert ended.code == 0, ended.err
    lines = [line.split("\t") for line in ended.out.decode().splitlines()]
    assert [line[0] for line in lines] == ["noise/a_0.51-11.47.wav", "noise/side/b_0.51-11.47.wav"]
    assert lines[0][3] == "0.99"
    written, rate = soundfile.read(tmp_path / "noise" / "side" / "b_0.51-11.47.wav")
    assert rate == RATE
    start = 22 * 1024  # half a second, in frames
    assert float(lines[1][1]) == pytest.approx(start / RATE, abs=1e-3)
    assert abs(written - transfers[start : start + len(written)]).max() < 2e-4  # FLAC of 16 bits
    again = program("dataset", "extract-noise", "discs", "-o", "noise", "--model", "n.safetensors")
    assert again.code == 3
    assert "exists" in again.err


def test_where_nothing_is_recognised_guesses_have_to_be_asked_for(program, classifier, transfers, tmp_path):
    words = ("dataset", "extract-noise", "discs/side/b.flac", "-o", "noise", "--model", classifier("m.safetensors", -5))
    ended = program(*words)
    assert (ended.code, ended.out) == (0, b"")
    assert "--guesses takes the quietest" in ended.err
    assert not (tmp_path / "noise").exists()
    (guess,) = json.loads(program(*words, "--guesses", "--json").out)
    assert guess["is_guess"]
    assert 2.9 < guess["start_seconds"] < guess["end_seconds"] < 3.6


def test_a_bad_recording_does_not_stop_the_rest(program, classifier, transfers, tmp_path):
    (tmp_path / "discs" / "aa.wav").write_bytes(b"no audio")
    ended = program("dataset", "extract-noise", "discs", "-o", "noise", "--model", classifier("n.safetensors", 5))
    assert ended.code == 3
    assert "aa.wav" in ended.err
    assert ended.out.startswith(b"noise/a_")


def test_a_model_that_restores_finds_no_noise(program, transfers):
    ended = program("dataset", "extract-noise", "discs", "-o", "noise", "--model", "concert")
    assert ended.code == 6
    assert "use `concertclean denoise`" in ended.err
