"""Items to judge by: every song and every kind in turn, the same at every ratio, from the one side only."""

from dataclasses import replace

import numpy as np
import pytest

from concertclean.corpora.sources import Source
from concertclean.dataset.held_out import HeldOut
from tests.dataset.conftest import RATE, hiss


@pytest.fixture
def held_out(make_store, make_sources):
    """Three songs, two noises on the test side."""
    sources = [replace(source, split="test") for source in make_sources(songs=3, noises=2)]
    return HeldOut(make_store(sources=sources), "test", seed=1)


def test_kinds_and_songs_go_round(held_out):
    items = [held_out.item(number, RATE, 0.0) for number in range(6)]
    assert [item.kind for item in items] == ["noise 0", "noise 1"] * 3
    for turn in (items[:3], items[3:]):
        assert {item.description.split()[0] for item in turn} == {"song0", "song1", "song2"}


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
    assert list(HeldOut(make_store("gramophone", sources=sources), "test", seed=1).kinds) == [
        "noise 0", "synthetic", "transfer",
    ]  # fmt: skip


def test_somebody_sings_on_every_second_round_of_kinds_and_in_what_is_sung_anyway(make_store, make_sources, write):
    tone = 0.5 * np.sin(2 * np.pi * 1234 * np.arange(4 * RATE) / RATE)
    voice = Source(write("v.wav", tone[:, None]), "voice", "voice", "singer", "test", "CC0", "voice")
    sources = [replace(source, split="test") for source in make_sources(songs=3, noises=2)]
    sources[0] = replace(sources[0], category="sung")
    held_out = HeldOut(make_store(sources=[*sources, voice]), "test", seed=1)
    items = [held_out.item(number, RATE, 0.0) for number in range(12)]
    for number, item in enumerate(items):
        is_anyway = item.description.startswith("song0")
        assert item.is_sung == (is_anyway or (number // 2) % 2 == 0)
        tone_level = abs(np.mean(item.clean[0] * np.exp(-2j * np.pi * 1234 * np.arange(RATE) / RATE)))
        assert (tone_level > 0.01) == (item.is_sung and not is_anyway)


def test_validation_judges_near_voices_shouts_and_whistles(make_store, make_sources, write):
    sources = [replace(source, split="validation") for source in make_sources(songs=1, noises=1)]
    sources += [
        Source(write(f"{role}.wav", hiss(3, 1.0)), role, role, "people", "validation", "CC0", role)
        for role in ("speech", "shout")
    ]
    held_out = HeldOut(make_store(sources=sources), "validation", seed=1)
    assert list(held_out.kinds) == ["noise 0", "near voices", "shouts", "whistles"]
    for number in range(4):
        item = held_out.item(number, 2 * RATE, 0.0)
        assert np.isfinite(item.degraded).all()
        assert np.abs(item.degraded - item.clean).max() > 1e-3
