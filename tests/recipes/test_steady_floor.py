"""The network for the floor of steady noise: what it is given, and what it is trained on."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from concertclean.classical.steady import _share

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
floor, made = importlib.import_module("steady_floor"), importlib.import_module("steady_levels")


def test_levels_are_those_of_the_recording():
    """The density of white noise of rms 0.1 is -20 dB; quantiles come in order, and without noise music is clean."""
    noise = made._Part(np.random.default_rng(2).standard_normal(20 * made.RATE))
    kept = made._levels(np.random.default_rng(3), made._Part(np.zeros(20 * made.RATE)), noise, 1.0)
    quantiles = kept["quantiles"].astype(np.float64)
    assert (np.diff(quantiles, axis=0) >= 0).all()
    assert np.median(quantiles[made.QUANTILES.index(0.08)]) == pytest.approx(-20 - 4.58, abs=0.3)
    assert not kept["is_clean"]
    assert made._levels(np.random.default_rng(3), noise, noise, 0.0)["is_clean"]


@pytest.mark.parametrize("piece", ["held_notes", "band"])
def test_made_up_music_sounds_throughout(piece):
    for seed in range(4):
        total = getattr(made, piece)(np.random.default_rng(seed), 6 * made.RATE)
        seconds = np.square(total).reshape(6, -1).mean(axis=1)
        assert np.isfinite(total).all()
        assert seconds.min() > 0.01 * seconds.max()


def test_the_share_of_noise_is_that_of_the_method():
    """Of powers that stay the same from frame to frame, away from the ends of the spectrum."""
    rng = np.random.default_rng(5)
    power, noise = rng.exponential(1.0, 257) * np.linspace(0.2, 20, 257), rng.uniform(0.1, 1, 257)
    given = (torch.from_numpy(one[None]) for one in (power[None], noise))
    found = floor._share(*given)[0, 0].numpy()
    expected = _share(np.tile(power, (3, 1)), noise[None])[1]
    assert expected.min() < 0.5 < expected.max()
    assert found[16:-16] == pytest.approx(expected[16:-16])


def test_silence_leaves_a_gradient():
    """Powers next to nothing beside much noise."""
    noise = torch.ones(1, 65, requires_grad=True)
    floor._share(torch.zeros(1, 2, 65), noise).sum().backward()
    assert noise.grad is not None
    assert torch.isfinite(noise.grad).all()


def test_a_true_floor_loses_less_than_none():
    """The loss falls when the share of noise is what `steady` makes of the noise that is there."""
    rng = np.random.default_rng(4)
    music, noise = (torch.from_numpy(rng.exponential(power, (2, 8, 257))).float() for power in (100.0, 0.1))
    music[:, :, 40:] = 0
    clean, values = torch.tensor([False, False]), []
    for found in (torch.full((2, 257), 0.1), torch.zeros(2, 257)):
        share = floor._share(music + noise, found)
        wrong = share.square() * music + (1 - share).square() * noise
        values.append(float(floor._loss(wrong.sum(1), music.sum(1), noise.sum(1), clean, 1.0)))
    assert values[0] < values[1] - 3
