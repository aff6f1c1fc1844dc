"""Music at 48 kHz, and values of other programs."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

_REFERENCE = Path(__file__).parents[2] / "reference"


@pytest.fixture(scope="session")
def stages() -> dict[str, np.ndarray]:
    """What GstPEAQ's own test expects of the stages of its ear model."""
    stored = json.loads((_REFERENCE / "gstpeaq_stages.json").read_text())
    return {name: np.array(values) for name, values in stored.items() if name != "source"}


@pytest.fixture(scope="session")
def plain_loops() -> dict[str, tuple[np.ndarray, np.ndarray, dict[str, float]]]:
    """Reference, estimate and their variables as `make_peaq_movs.py` finds them."""
    stored = json.loads((_REFERENCE / "peaq_movs.json").read_text())
    pair = runpy.run_path(str(_REFERENCE / "peaq_pairs.py"))["pair"]
    return {name: (*pair(name), values) for name, values in stored.items()}


def _chord(since: np.ndarray, transposition: float) -> np.ndarray:
    wave = np.zeros_like(since)
    for number, root_hz in enumerate((110.0, 138.6, 164.8, 220.0)):
        pitch = root_hz * transposition
        for harmonic in range(1, int(min(160, np.ceil(20_000 / pitch)))):
            partial = np.sin(2 * np.pi * harmonic * pitch * since + harmonic**2 + number)
            wave += partial * np.exp(-5 * since * (1 + 0.03 * harmonic)) / harmonic
    return wave


@pytest.fixture(scope="session")
def chords() -> Callable[..., np.ndarray]:
    """Plucked chords with partials up to 20 kHz, `(channel, time)` at 48 kHz, the same in every channel.

    Three chords of half a second in turn, so that every 1.5 seconds are the same.
    """
    since = np.arange(24_000) / 48_000
    turn = [_chord(since, 1 + step / 4) for step in range(3)]
    wave = 0.5 * np.concatenate(turn) / np.abs(turn).max()

    def make(n_samples: int, *, channels: int = 1) -> np.ndarray:
        return np.tile(np.resize(wave, n_samples), (channels, 1))

    return make
