"""The figures of `steady` on whole pieces."""

import importlib
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))
recipe = importlib.import_module("steady_gain")


def test_gains_and_what_is_left_of_the_music():
    """Notes that change in white hiss: more of it goes at 3 than at 10 dB, and the clean music comes back."""
    rng, n_samples = np.random.default_rng(0), 12 * recipe.RATE
    time = np.arange(n_samples) / recipe.RATE
    pitch = np.repeat(220 * 2 ** (rng.integers(0, 24, 48) / 12), n_samples // 48)
    music = 0.1 * sum(np.sin(2 * np.pi * k * np.cumsum(pitch) / recipe.RATE) / k for k in range(1, 8))[None]
    played = music * (np.sin(4 * np.pi * time) > -0.9)
    strong, weak, clean = recipe.judge(played, rng.standard_normal((1, n_samples)))
    assert strong > weak > 3
    assert clean > 40
