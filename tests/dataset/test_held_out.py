"""Items to judge by: every song and every kind in turn, the same at every ratio, from the one side only."""

from dataclasses import replace

import numpy as np
import pytest

from concertclean.dataset.held_out import HeldOut
from tests.dataset.conftest import RATE


@pytest.fixture
def held_out(make_store, make_sources):
    """Three songs, two noises on the test side."""
    sources = [replace(source, split="test") for source in make_sources(songs=3, noises=2)]
    return HeldOut(make_store(sources=sources), "test", seed=1)


def test_kinds_and_songs_go_round(held_out):
    items = [held_out.item(number, RATE, 0.0) for number in range(6)]
    assert [item.kind for item in items] == ["noise 0", "noise 1"] * 3
    for turn in (items[:3], items[3:]):
        assert {item.story.split()[0] for item in turn} == {"song0", "song1", "song2"}


def test_an_item_is_the_same_song_and_noise_at_every_ratio(held_out):
    first, second = (held_out.item(4, RATE, ratio) for ratio in (0.0, 10.0))
    assert np.array_equal(first.clean, second.clean)
    noises = [item.degraded - item.clean for item in (first, second)]
    assert noises[0] == pytest.approx(noises[1] * 10**0.5, abs=1e-6)


def test_many_noises_are_told_apart_by_category(make_store, make_sources):
    sources = [
        replace(source, split="test", category=f"kind {number % 2}")
        for number, source in enumerate(make_sources(songs=1, noises=8))
    ]
    held_out = HeldOut(make_store(sources=sources), "test", seed=1)
    assert list(held_out.kinds) == ["kind 1", "kind 0"]
    heard = {held_out.item(number, RATE, -np.inf).degraded.tobytes() for number in range(0, 40, 2)}
    assert len(heard) > 1


def test_disc_noise_is_made_where_it_is_to_be_removed(make_store, make_sources):
    sources = [replace(source, split="test") for source in make_sources(songs=1, noises=1)]
    assert list(HeldOut(make_store("gramophone", sources=sources), "test", seed=1).kinds) == ["noise 0", "synthetic"]
