"""The methods behind one name: trained networks, what is refused, channels that stay apart."""

import numpy as np
import pytest
import torch

from concertclean.debleed.methods import learn
from concertclean.errors import ModelError
from concertclean.models.cae import CAE
from concertclean.models.tunet import TUNet
from concertclean.models.weights_file import save_weights
from tests.classical import bands

RATE = bands.SAMPLE_RATE
TUNET = {"n_microphones": 2, "segment": 2000, "widths": [2, 3], "hidden": [8]}
CAE_CONFIG = {"n_fft": 256, "hop_length": 64, "widths": [4, 8], "code": 16}


def reduced(name, mixture, rate=RATE):
    reduction = learn(name, mixture[:, None], rate)
    pieces = np.array_split(mixture[:, None], [1, 3000], axis=2)
    return np.concatenate(list(reduction.apply(iter(pieces))), axis=2)[:, 0], reduction


@pytest.fixture
def tunet(tmp_path):
    """A t-UNet that always says the same matrix."""
    model = TUNet(**TUNET)
    with torch.no_grad():
        model.head[-2].weight.zero_()
        model.head[-2].bias.copy_(torch.tensor([1.0, 0.25, 0.5, 1.0]))
    path = tmp_path / "tunet.safetensors"
    save_weights(path, model.state_dict(), architecture="tunet", config=TUNET, provenance={})
    return str(path)


@pytest.fixture
def cae(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "cae.safetensors"
    save_weights(path, CAE(**CAE_CONFIG).state_dict(), architecture="cae", config=CAE_CONFIG, provenance={})
    return str(path)


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_a_matrix_network_undoes_its_matrix(tunet, rate, noise):
    stems = noise(9000)
    matrix = np.array([[1.0, 0.25], [0.5, 1.0]])
    found, reduction = reduced(tunet, matrix @ stems, rate)
    assert np.allclose(found, stems, rtol=0, atol=1e-7)
    assert np.allclose(reduction.channels[0].matrix, matrix, rtol=0, atol=1e-7)
    with pytest.raises(ModelError, match="is for 2 microphones, these are 3"):
        learn(tunet, noise(9000, channels=3)[:, None], rate)


def test_silence_and_copies_through_a_matrix_network(tunet, noise):
    found, reduction = reduced(tunet, noise(5000)[[0, 0]])
    assert np.array_equal(found[0], noise(5000)[0])
    assert "repeats" in reduction.remarks[0]


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_networks_of_instruments_take_each_track_alone(cae, rate, noise):
    music = noise(9000)
    found, _ = reduced(f"{cae},{cae}", music, rate)
    assert found.shape == music.shape
    assert np.square(found - music).mean() > 1e-6
    other, _ = reduced(f"{cae},{cae}", music * np.array([[1.0], [0.0]]), rate)
    assert np.allclose(other[0], found[0], rtol=0, atol=1e-9)
    with pytest.raises(ModelError, match="1 weights for 2 tracks; give one a track"):
        learn(cae, music[:, None], rate)


def test_without_weights(noise):
    music = noise(1000)[:, None]
    with pytest.raises(ModelError, match=r"no weights ship; train them by recipes/bleed-tunet\.toml"):
        learn("tunet", music, RATE)
    with pytest.raises(ModelError, match=r"gone\.safetensors"):
        learn("gone.safetensors", music, RATE)


def test_auto_looks_at_every_channel():
    """Bleed that is late in one channel alone is late."""
    stems = bands.band(2, seconds=2)
    at_once = bands.matrix(2, 0.2, 0.4) @ stems
    late = bands.delayed(stems, 0.2, 0.4).sum(axis=1)
    assert learn("auto", np.stack([at_once, at_once], axis=1), RATE).method == "linear"
    assert learn("auto", np.stack([at_once, late], axis=1)[:, :, :RATE], RATE).method == "kamir"
    assert learn("auto", np.stack([stems, stems], axis=1), RATE).method == "none"
