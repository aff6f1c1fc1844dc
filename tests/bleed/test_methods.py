"""The methods behind one name: trained networks, what is refused, channels that stay apart."""

import numpy as np
import pytest
import torch

from concertclean.bleed import methods, networks
from concertclean.bleed.methods import learn
from concertclean.bleed.networks import instrument, positions
from concertclean.errors import ModelError
from concertclean.networks.cae import CAE
from concertclean.networks.tunet import TUNet
from concertclean.weights.file_format import save_weights
from tests.bleed import bands

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
    with pytest.raises(ModelError, match="needs 2 microphones, got 3"):
        learn(tunet, noise(9000, channels=3)[:, None], rate)


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_a_matrix_network_hears_the_loudest_stretch_of_each_half(tunet, rate, noise, monkeypatch):
    heard = []
    monkeypatch.setattr(TUNet, "matrix", lambda _, waveform: heard.append(waveform) or torch.eye(2))
    segment = TUNET["segment"] * rate // RATE
    music = 1e-3 * noise(10 * segment)
    music[:, 2 * segment : 4 * segment] *= 100
    music[:, 7 * segment : 9 * segment] *= 10
    learn(tunet, music[:, None], rate)
    (waveform,) = heard
    assert 2 * TUNET["segment"] <= waveform.shape[1] <= 2 * TUNET["segment"] + 2
    halves = waveform[:, : 2 * TUNET["segment"]].reshape(2, 2, -1).square().mean(dim=(0, 2)).sqrt()
    assert halves[0] / halves[1] == pytest.approx(10, rel=0.2)


def test_silence_and_copies_through_a_matrix_network(tunet, noise):
    found, reduction = reduced(tunet, noise(5000)[[0, 0]])
    assert np.array_equal(found[0], noise(5000)[0])
    assert "is a copy of" in reduction.remarks[0]


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_networks_of_instruments_take_each_track_alone(cae, rate, noise):
    music = noise(9000)
    found, _ = reduced(f"{cae},{cae}", music, rate)
    assert found.shape == music.shape
    assert np.square(found - music).mean() > 1e-6
    other, _ = reduced(f"{cae},{cae}", music * np.array([[1.0], [0.0]]), rate)
    assert np.allclose(other[0], found[0], rtol=0, atol=1e-9)
    with pytest.raises(ModelError, match="1 weights files for 2 tracks; give one per track"):
        learn(cae, music[:, None], rate)


def test_a_method_that_is_none(noise):
    music = noise(1000)[:, None]
    with pytest.raises(ModelError, match="magic: unknown method; choose from auto, linear"):
        learn("magic", music, RATE)
    with pytest.raises(ModelError, match=r"gone\.safetensors"):
        learn("gone.safetensors", music, RATE)


@pytest.mark.parametrize(
    ("track", "wanted"),
    [
        ("01 Lead Vox", "vocals"), ("backing_vocals", "vocals"), ("BASS DI", "bass"), ("bassoon", "other"),
        ("bass drum", "drums"), ("Overhead L", "drums"), ("Hi-Hat", "drums"), ("leadguitar", "other"), ("", "other"),
    ],
)  # fmt: skip
def test_instruments_by_name(track, wanted):
    assert instrument(track) == wanted


def test_each_track_gets_the_network_of_its_instrument(noise, monkeypatch, tmp_path):
    """The published scripts hand the weights of the drums to the bass, and those of the bass to the drums."""
    paths = {name: tmp_path / f"{name}.safetensors" for name in ("vocals", "bass", "drums", "other")}
    for seed, path in enumerate(paths.values()):
        torch.manual_seed(seed)
        save_weights(path, CAE(**CAE_CONFIG).state_dict(), architecture="cae", config=CAE_CONFIG, provenance={})
    monkeypatch.setattr(methods, "_INSTRUMENT_MODELS", paths)
    music = noise(4000)
    for tracks in (("drums", "bass"), ("bass", "drums"), ("flute", "voice")):
        reduction = learn("cae", music[:, None], RATE, tracks=tracks)
        found = np.concatenate(list(reduction.apply(iter([music[:, None]]))), axis=2)[:, 0]
        named = ",".join(str(paths[instrument(track)]) for track in tracks)
        assert np.array_equal(found, reduced(named, music)[0])
        assert reduction.remarks == (f"instruments by track name: {tracks[0]} is {instrument(tracks[0])}, "
                                     f"{tracks[1]} is {instrument(tracks[1])}",)  # fmt: skip


def test_a_track_that_no_shipped_network_helps_stays(noise):
    music = noise(4000)[:, None]
    reduction = learn("cae", music, RATE, tracks=("flute", "horns"))
    assert np.array_equal(np.concatenate(list(reduction.apply(iter([music]))), axis=2), music)
    assert reduction.remarks == ("instruments by track name: flute is other, unchanged, horns is other, unchanged",)


@pytest.mark.parametrize(
    ("name", "tracks"), [("cae", ("bass", "kick", "voice")), ("tunet", ("bass", "kick", "voice", "keys"))]
)
def test_shipped_weights_need_no_path(noise, name, tracks):
    music = noise(4000, channels=len(tracks))[:, None]
    reduction = learn(name, music, RATE, tracks=tracks)
    found = np.concatenate(list(reduction.apply(iter([music]))), axis=2)
    assert found.shape == music.shape
    assert np.isfinite(found).all()


def test_tracks_take_the_seats_of_a_matrix_network(noise, tmp_path):
    """A network that was trained on vocals, then bass, is shown them in that order, however the tracks lie."""
    config = TUNET | {"instruments": ["vocals", "bass"]}
    model = TUNet(**config)
    with torch.no_grad():
        model.head[-2].weight.zero_()
        model.head[-2].bias.copy_(torch.tensor([1.0, 0.25, 0.5, 1.0]))
    path = tmp_path / "ordered.safetensors"
    save_weights(path, model.state_dict(), architecture="tunet", config=config, provenance={})
    for tracks, wanted in ((("vox", "bass"), [[1, 0.25], [0.5, 1]]), (("bass", "vox"), [[1, 0.5], [0.25, 1]])):
        found = learn(str(path), noise(5000)[:, None], RATE, tracks=tracks).channels[0].matrix
        assert found.tolist() == wanted


def test_weights_are_read_once_for_all_channels_and_bands(noise, monkeypatch):
    read = []
    plain = networks.load_model
    monkeypatch.setattr(networks, "load_model", lambda model, task: read.append(model) or plain(model, task=task))
    networks._instrument_network.cache_clear()
    for _ in range(2):
        learn("cae", noise(4000)[:, None].repeat(2, axis=1), RATE, tracks=("bass", "bass guitar"))
    assert read == ["bleed-cae-bass"]


def test_seats():
    four = ("vocals", "bass", "drums", "other")
    assert positions(four, ("drums", "voice", "keys", "bass")) == [1, 3, 0, 2]
    assert positions(four, ("bass", "kit drums", "horns", "guitar")) == [3, 0, 1, 2]
    assert positions(four, ("a", "b", "c", "d")) == [1, 2, 3, 0]
    assert positions((), ("bass", "vocals")) == [0, 1]


def test_auto_looks_at_every_channel():
    """Bleed that is late in one channel alone is late."""
    stems = bands.band(2, seconds=2)
    at_once = bands.matrix(2, 0.2, 0.4) @ stems
    late = bands.delayed(stems, 0.2, 0.4).sum(axis=1)
    assert learn("auto", np.stack([at_once, at_once], axis=1), RATE).method == "linear"
    assert learn("auto", np.stack([at_once, late], axis=1)[:, :, :RATE], RATE).method == "kamir"
    assert learn("auto", np.stack([stems, stems], axis=1), RATE).method == "none"
