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


@pytest.fixture
def quantiles_db():
    """Levels of something with a slope, lines and a few frames."""
    rng = np.random.default_rng(1)
    low = -60 - 20 * np.linspace(0, 1, 1025) + 30 * (rng.random(1025) < 0.02) + rng.normal(0, 1, 1025)
    return np.stack([low + 12 * (share - 0.08) for share in made.QUANTILES]).astype(np.float32)


def test_volume_does_not_matter(quantiles_db):
    louder = floor.features(quantiles_db + np.float32(24), 200, made.RATE)
    assert louder == pytest.approx(floor.features(quantiles_db, 200, made.RATE), abs=1e-4)


def test_frequencies_are_those_of_the_sample_rate(quantiles_db):
    """The place of a bin is its frequency, in octaves about 1 kHz."""
    place = floor.features(quantiles_db, 200, 8000)[-2]
    assert 1000 * 2 ** (3 * place[[0, -1]]) - 10 == pytest.approx([0, 4000], abs=1)


def test_the_network_answers_for_every_bin(quantiles_db):
    given = torch.from_numpy(floor.features(quantiles_db, 200, made.RATE))[None]
    assert floor.FloorNetwork((4, 6, 8))(given).shape == (1, 2, 1025)


def test_levels_are_those_of_the_recording():
    """The density of white noise of rms 0.1 is -20 dB; quantiles come in order, and without noise music is clean."""
    noise = made._spectra(np.random.default_rng(2).standard_normal(20 * made.RATE))
    kept = made._levels(np.random.default_rng(3), np.zeros_like(noise), noise)
    quantiles = kept["quantiles"].astype(np.float64)
    assert (np.diff(quantiles, axis=0) >= 0).all()
    assert np.median(quantiles[made.QUANTILES.index(0.08)]) == pytest.approx(-20 - 4.58, abs=0.3)
    assert not kept["is_clean"]
    assert made._levels(np.random.default_rng(3), noise, np.zeros_like(noise))["is_clean"]


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
