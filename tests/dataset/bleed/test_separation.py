"""Mixtures of stems: their law, and which songs they come from."""

import json

import numpy as np
import pytest

from concertclean.config.mixing import SeparateLaw
from concertclean.dataset.bleed import build
from concertclean.dataset.bleed.separation import SeparationMixer
from concertclean.errors import ConfigError

FOUR = ["bass", "drums", "other", "vocals"]
PLAIN = SeparateLaw(task="separate")


@pytest.fixture
def folder(tmp_path):
    """A dataset of three songs; every stem is constant, at thousands for the song and hundreds for the stem."""
    for song in range(3):
        (tmp_path / "train" / f"song{song}").mkdir(parents=True)
        for place, name in enumerate(FOUR):
            samples = np.full(500, 1000 * (song + 1) + 100 * place, "<i2")
            np.save(tmp_path / "train" / f"song{song}" / f"{name}.npy", samples)
    names = [f"song{song}" for song in range(3)]
    listed = {"format": build._FORMAT, "sample_rate": 8000, "train": names, "validation": [], "test": []}
    (tmp_path / "bleed.json").write_text(json.dumps(listed))
    return tmp_path


def levels(waveforms):
    """The constants of an item, as they are stored."""
    assert (np.ptp(waveforms, axis=-1) == 0).all()
    return np.rint(waveforms[..., 0] * 32767).ravel().tolist()


def test_a_mixture_is_the_sum_of_its_stems_at_their_levels(folder):
    mixer = SeparationMixer(folder, PLAIN, FOUR, seed=0)
    for number in range(10):
        item = mixer.item(number, 100)
        assert (item.degraded.shape, item.clean.shape) == ((1, 100), (4, 1, 100))
        first = levels(item.clean)[0]
        assert levels(item.clean) == [first, first + 100, first + 200, first + 300]
        assert np.allclose(item.degraded, item.clean.sum(0))
        assert f"song{first / 1000 - 1:.0f}" in item.description
    assert mixer.n_songs == 3


def test_of_its_number_alone(folder):
    one, other = (SeparationMixer(folder, SeparateLaw(task="separate", gains=(0.5, 1.0)), FOUR, seed=0) for _ in "ab")
    assert np.array_equal(one.item(3, 50).clean, other.item(3, 50).clean)
    assert not np.array_equal(one.item(3, 50).clean, other.item(4, 50).clean)


def test_gains_are_drawn_for_each_stem(folder):
    mixer = SeparationMixer(folder, SeparateLaw(task="separate", gains=(0.25, 0.5)), ["bass", "vocals"], seed=0)
    ratios = []
    for number in range(50):
        bass, vocals = levels(mixer.item(number, 10).clean)
        ratios.append(vocals / bass)
    assert min(ratios) > 0.4
    assert max(ratios) > 1.4


def test_remixed_items_take_every_stem_from_a_song_of_its_own(folder):
    mixer = SeparationMixer(folder, SeparateLaw(task="separate", remixed_share=1.0), FOUR, seed=0)
    songs = [{level // 1000 for level in levels(mixer.item(number, 10).clean)} for number in range(20)]
    assert max(map(len, songs)) == 3
    plain = SeparationMixer(folder, PLAIN, FOUR, seed=0)
    assert all(len({level // 1000 for level in levels(plain.item(number, 10).clean)}) == 1 for number in range(20))


def test_an_accompaniment_is_everything_else(folder):
    item = SeparationMixer(folder, PLAIN, ["accompaniment", "vocals"], seed=0).item(0, 10)
    accompaniment, vocals = levels(item.clean)
    song = vocals - 300
    assert accompaniment == 3 * song + 300


def test_stems_that_are_not_named_are_in_the_mixture_only(folder):
    item = SeparationMixer(folder, PLAIN, ["vocals"], seed=0).item(0, 10)
    (vocals,) = levels(item.clean)
    assert levels(item.degraded) == [4 * (vocals - 300) + 600]


def test_songs_that_lack_a_stem(folder):
    (folder / "train" / "song1" / "vocals.npy").unlink()
    assert SeparationMixer(folder, PLAIN, FOUR, seed=0).n_songs == 2
    with pytest.raises(ConfigError, match="no song in train has all of flute"):
        SeparationMixer(folder, PLAIN, ["flute"], seed=0)
    with pytest.raises(ConfigError, match="no song in validation"):
        SeparationMixer(folder, PLAIN, FOUR, seed=0, side="validation")
