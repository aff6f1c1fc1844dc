"""Random excerpts: where they come from, how long they are, and at which speed they play."""

import numpy as np
import pytest

from concertclean.dataset.shelf import Shelf
from concertclean.dataset.store import FULL_SCALE
from tests.dataset.conftest import RATE


@pytest.fixture
def shelf(make_store):
    return Shelf(make_store(), "clean", "train")


def test_an_excerpt_is_a_stretch_of_the_stored_samples(shelf):
    rng = np.random.default_rng(0)
    entry = shelf.choose(rng)
    whole = shelf.store.samples(entry).T / np.float32(FULL_SCALE)
    excerpt = shelf.excerpt(rng, entry, 1000)
    starts = [start for start in range(whole.shape[1] - 999) if np.array_equal(whole[:, start : start + 1000], excerpt)]
    assert len(starts) == 1


def test_places_differ_and_length_is_kept(shelf):
    rng = np.random.default_rng(0)
    drawn = [shelf.draw(rng, 0.5) for _ in range(5)]
    assert all(waveform.shape == (2, RATE // 2) for waveform in drawn)
    assert len({waveform.tobytes() for waveform in drawn}) == 5


def test_more_than_there_is_gives_all_there_is(shelf):
    assert shelf.draw(np.random.default_rng(0), 60).shape == (2, 4 * RATE)


@pytest.mark.parametrize("speed", [0.5, 1.25, 2.0])
def test_speed_moves_the_pitch(make_store, write, speed):
    from concertclean.corpora.sources import Source

    tone = 0.5 * np.sin(2 * np.pi * 400 * np.arange(8 * RATE) / RATE)[:, None]
    source = Source(write("in/tone.wav", tone), "tone", "clean", "a", "train", "CC0", "", "", ())
    shelf = Shelf(make_store("gramophone", sources=[source]), "clean", "train")
    played = shelf.draw(np.random.default_rng(0), 1.0, speed)[0]
    assert len(played) == RATE
    assert np.abs(np.fft.rfft(played * np.hanning(RATE))).argmax() == pytest.approx(400 * speed, abs=1)


def test_recordings_and_synthesis_can_be_told_apart(make_store):
    store = make_store(synthetic_minutes=0.2)
    counts = [len(Shelf(store, "noise", "train", synthetic=kind)) for kind in (None, True, False)]
    assert counts == [2, 1, 1]
