"""The losses of the paper recipes: weights that act on ordinary spectrograms, and gradients that nothing clips."""

from pathlib import Path

import pytest
import torch

from concertclean.config.training import read_recipe
from concertclean.dsp import stft
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.networks.layers.waveform_model import SpectralModel
from concertclean.train.objective import Objective

RECIPES = Path(__file__).parents[2] / "recipes" / "paper"


class Halving(SpectralModel):
    """A network with the frames of the KANUNet recipes that halves the recording."""

    def __init__(self, n_fft, hop_length):
        super().__init__()
        self.hop_length = hop_length
        self.register_buffer("window", stft.window("hann", n_fft))

    def stages(self, degraded):
        return (0.5 * degraded,)


@pytest.mark.parametrize("name", ["kanunet-eca", "kanunet", "unet"])
def test_weights_of_the_spectral_terms_act_on_ordinary_spectrograms(name):
    """The error of a halved recording is half its spectrogram, in magnitude and as a complex number.

    Divided by the sum of the window, 512, both terms used to be 0.06 % of the loss.
    """
    recipe = read_recipe(RECIPES / f"{name}.toml", [])
    n_fft, hop_length = recipe.network.config["n_fft"], recipe.network.config["hop_length"]
    assert (n_fft, hop_length) == (1024, 256)
    clean = 0.1 * torch.randn(2, 1, 22_050, generator=torch.Generator().manual_seed(0))

    def loss(**weights):
        settings = recipe.loss.model_copy(update={"alpha": 0.0, "beta": 0.0, "gamma": 0.0, **weights})
        return float(Objective(Halving(n_fft, hop_length), recipe.loss.name, settings)(clean, clean, 0, 0.0)[0])

    window = torch.hann_window(n_fft)
    frames = torch.nn.functional.pad(clean[:, 0], (n_fft, n_fft)).unfold(1, n_fft, hop_length)
    expected = 0.5 * torch.fft.rfft(frames * window).abs().mean()
    # The frames at both ends are cut otherwise, so that the means differ by some per cent.
    assert loss(alpha=recipe.loss.alpha) == pytest.approx(float(expected), rel=0.1)
    assert loss(beta=recipe.loss.beta) == pytest.approx(float(expected), rel=0.1)
    every = loss(alpha=recipe.loss.alpha, beta=recipe.loss.beta, gamma=recipe.loss.gamma)
    assert loss(alpha=recipe.loss.alpha) > 0.05 * every


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_no_gradient_is_clipped(path):
    """No paper clips; the first gradient of the plain U-Net has a norm of some thousands."""
    assert not read_recipe(path, []).optimizer.clip_norm


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_network_can_be_built(path):
    recipe = read_recipe(path, [])
    with torch.device("meta"):
        assert ARCHITECTURES[recipe.network.architecture].build(**recipe.network.config).sample_rate > 0
