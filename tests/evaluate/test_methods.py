"""What turns a degraded waveform into an estimate: as many samples, in place, and the tools really at work."""

import numpy as np
import pytest
import soundfile

from concertclean.errors import ConfigError, ModelError
from concertclean.evaluate import methods
from concertclean.evaluate.methods import FILTERS, best_gain
from concertclean.metrics.sdr import snr
from concertclean.restore.denoise import denoise
from tests.evaluate.conftest import RATE, tones


@pytest.mark.parametrize("name", list(FILTERS))
@pytest.mark.parametrize("channels", [1, 2])
def test_filters_keep_length_and_place(name, channels):
    """A filter late by a sample would leave under 15 dB of these tones; all leave more."""
    clean = tones(1, channels=channels)
    found = methods.baseline(name)(clean, RATE)
    assert found.shape == clean.shape
    assert snr(clean, found) > 15


def test_adeclick_takes_clicks_out():
    """Apart from the first and last 100 ms, which it fades."""
    clean = tones(1, channels=1)
    degraded = clean.copy()
    degraded[0, 2000::1500] += 0.5
    found = methods.baseline("adeclick")(degraded, RATE)
    inner = slice(RATE // 10, -RATE // 10)
    assert snr(clean[:, inner], found[:, inner]) > snr(clean[:, inner], degraded[:, inner]) + 3


def test_names_that_are_not_known_and_tools_that_are_not_here():
    with pytest.raises(ConfigError, match="dolby: unknown baseline; choose from afftdn"):
        methods.baseline("dolby")
    with pytest.raises(ModelError):
        methods.model("no such model")


def test_a_missing_package_is_named_with_its_cure(monkeypatch):
    monkeypatch.setattr(methods, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install noisereduce"):
        methods.baseline("noisereduce")


def test_best_gain_is_the_best():
    clean, noise = tones(1), 0.1 * np.random.default_rng(1).standard_normal((2, RATE))
    found = snr(clean, best_gain(clean + noise, clean))
    assert all(found >= snr(clean, gain * (clean + noise)) for gain in np.linspace(0, 1.2, 49))
    assert np.array_equal(best_gain(np.zeros((1, 4)), np.ones((1, 4))), np.zeros((1, 4)))


@pytest.mark.parametrize(("name", "channels"), [("mono", 1), ("stereo", 2)])
def test_a_model_gives_what_denoise_writes(tiny_weights, save, tmp_path, name, channels):
    waveform = tones(2, channels=channels).astype(np.float32).astype(np.float64)
    weights = tiny_weights[name]
    source = save("in.wav", waveform, subtype="FLOAT")
    denoise(source, tmp_path / "out.wav", model=str(weights), bit_depth="32f", device="cpu", threads=1)
    written, _ = soundfile.read(tmp_path / "out.wav", always_2d=True)
    found = methods.model(str(weights), device="cpu", threads=1)(waveform, RATE)
    assert found == pytest.approx(written.T, abs=1e-7)
    assert np.abs(found - waveform).max() > 0.01


def test_a_model_is_called_by_its_card_or_its_file():
    assert methods.short_name("runs/mine/mine.safetensors") == "mine"
    assert methods.short_name("concert") == "concert"


def test_gains_are_known_whatever_runs_the_network(monkeypatch, tiny_weights):
    by_torch, by_another = (methods.model(str(tiny_weights["stereo"])) for _ in range(2))
    monkeypatch.setattr(by_another.restorer.networks[0].enhancer, "engine", object())
    assert by_another.network is not by_torch.network
    assert type(by_another.network) is type(by_torch.network)
    assert by_another.network.front.floor == by_torch.network.front.floor
    assert methods.model("concert,declick").network is None
