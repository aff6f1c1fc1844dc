"""The network on arrays is the one that was trained, and what it is given does not depend on the volume."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from concertclean.classical.floor_network import (
    BAND_QUANTILES,
    QUANTILES,
    FloorNetwork,
    features,
    floor_network,
    noise_density,
)
from concertclean.classical.survey import band_edges

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
recipe = importlib.import_module("steady_floor")
RATE = 44_100


def levels_db(rate=RATE):
    """Levels of 1,025 bins, and of the bands at a rate, with a slope and lines."""
    rng = np.random.default_rng(1)
    low = -60 - 20 * np.linspace(0, 1, 1025) + 30 * (rng.random(1025) < 0.02) + rng.normal(0, 1, 1025)
    bands = -55 - 20 * np.linspace(0, 1, len(band_edges(256, rate)))
    shares = ((low, QUANTILES), (bands, BAND_QUANTILES))
    return [np.stack([each + 12 * (one - 0.08) for one in found]).astype(np.float32) for each, found in shares]


def test_arrays_and_torch_agree():
    torch.manual_seed(3)
    network = recipe.FloorNetwork((4, 6, 8))
    given = features(*levels_db(), 200, RATE)
    on_arrays = FloorNetwork({name: value.numpy() for name, value in network.state_dict().items()})(given)
    with torch.no_grad():
        in_torch = network(torch.from_numpy(given)[None])[0].numpy()
    assert np.abs(in_torch).max() > 1e-3
    assert on_arrays == pytest.approx(in_torch, abs=1e-6)


def test_the_weights_of_the_package_fit():
    answer = floor_network()(features(*levels_db(), 200, RATE))
    assert answer.shape == (2, 1025)
    assert np.isfinite(answer).all()


def test_volume_does_not_matter():
    """24 dB more make the noise 24 dB louder, and change nothing else."""
    found = []
    for gain_db in (0, 24):
        louder = [each + np.float32(gain_db) for each in levels_db()]
        found.append(noise_density(louder[0], floor_network()(features(*louder, 200, RATE))))
    assert found[0].any()
    assert found[1] == pytest.approx(10**2.4 * found[0], rel=0.01)


def test_frequencies_are_those_of_the_sample_rate():
    """The place of a bin is its frequency, in octaves about 1 kHz."""
    place = features(*levels_db(8000), 200, 8000)[-6]
    assert 1000 * 2 ** (3 * place[[0, -1]]) - 10 == pytest.approx([0, 4000], abs=1)
    highest, twice = (features(*levels_db(rate), 200, rate)[-6].max() for rate in (RATE, 96_000))
    assert twice == pytest.approx(highest)


def test_gaps_between_strokes_show():
    """Short frames 10 dB quieter raise one feature by 2, and no other of the bins alone."""
    bins_db, bands_db = levels_db()
    quieter = bands_db - np.float32([[10], [0], [0], [0]])
    change = features(bins_db, quieter, 200, RATE) - features(bins_db, bands_db, 200, RATE)
    assert change[-4] == pytest.approx(2)
    assert change[-3] == pytest.approx(2)
    assert not np.delete(change, [len(change) - 4, len(change) - 3], axis=0).any()


def test_few_frames_are_said_to_be_uncertain():
    few, many = (features(*levels_db(), n, RATE)[-5] for n in (40, 4000))
    assert (few > 9 * many).all()
