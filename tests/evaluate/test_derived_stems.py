"""Training stems with bleed, and cleaned again, from a dataset of clean ones."""

import json

import numpy as np
import pytest

from concertclean.config.mixing import SeparateLaw
from concertclean.dataset.bleed import build
from concertclean.dataset.bleed.mixer import read_song
from concertclean.dataset.bleed.separation import SeparationMixer
from concertclean.errors import ConfigError, ModelError
from concertclean.evaluate.derived_stems import derive_stems

RATE = 8000
NAMES = ["bass", "drums"]


@pytest.fixture
def clean(tmp_path):
    """Two songs, one on each side: a tone and noise in turns, so that neither is always there."""
    rng = np.random.default_rng(0)
    time = np.arange(2 * RATE) / RATE
    for side, song in (("train", "one"), ("validation", "two")):
        bass = 0.2 * np.sin(2 * np.pi * 110 * time) * (np.sin(2 * np.pi * time) > -0.3)
        drums = 0.1 * rng.standard_normal(len(time)) * (np.sin(2 * np.pi * 3 * time) > 0)
        for name, stem in zip(NAMES, (bass, drums), strict=True):
            build.write_stem(tmp_path / "clean" / side / song / f"{name}.npy", stem)
    listed = {"format": build._FORMAT, "sample_rate": RATE, "train": ["one"], "validation": ["two"], "test": []}
    (tmp_path / "clean" / "bleed.json").write_text(json.dumps(listed))
    return tmp_path / "clean"


def stems(folder, side="train"):
    (song,) = build.list_songs(folder, side)[1]
    assert [path.stem for path in song] == NAMES
    return read_song(song)


def test_microphones_pick_up_the_other_instrument_at_minus_20_db(clean, tmp_path):
    derive_stems(clean, tmp_path / "bled", "cae")
    for side in build.SIDES:
        truth, found = stems(clean, side), stems(tmp_path / "bled", side)
        assert np.allclose(found, [[1, 0.1], [0.1, 1]] @ truth, atol=2 / 32767)
    mixer = SeparationMixer(tmp_path / "bled", SeparateLaw(task="separate"), NAMES, seed=0)
    item = mixer.item(0, 1000)
    assert np.allclose(item.degraded, item.clean.sum(0), atol=1e-6)


def test_reduction_brings_them_nearer_to_the_stems(clean, tmp_path):
    """Both have the same microphones: the seed decides about them, not the method."""
    derive_stems(clean, tmp_path / "bled", "high", seed=3)
    derive_stems(clean, tmp_path / "cleaned", "high", method="linear", seed=3)
    bled, cleaned = (np.square(stems(tmp_path / name) - stems(clean)).mean() for name in ("bled", "cleaned"))
    assert cleaned < 0.1 * bled


def test_songs_without_an_instrument_are_left_out(clean, tmp_path):
    (clean / "validation" / "two" / "drums.npy").rename(clean / "validation" / "two" / "flute.npy")
    derive_stems(clean, tmp_path / "bled", "low", instruments=NAMES)
    assert len(build.list_songs(tmp_path / "bled", "train")[1]) == 1
    assert build.list_songs(tmp_path / "bled", "validation")[1] == []


def test_what_cannot_be_derived(clean, tmp_path):
    with pytest.raises(ConfigError, match="already exists"):
        derive_stems(clean, clean, "low")
    with pytest.raises(ConfigError, match="unknown condition"):
        derive_stems(clean, tmp_path / "bled", "loud")
    with pytest.raises(ModelError):
        derive_stems(clean, tmp_path / "bled", "low", method="magic")
    with pytest.raises(ConfigError, match="build one"):
        derive_stems(tmp_path / "nowhere", tmp_path / "bled", "low")
