"""Fixed mixtures: at their ratios, at one level, the same when they are written again."""

import numpy as np
import pytest

from concertclean.dataset.fixed import RATIOS_DB, SECONDS, read_fixed
from concertclean.errors import ConfigError
from tests.dataset.conftest import RATE


@pytest.mark.parametrize("task", ["concert", "gramophone", "reverb"])
def test_every_ratio_of_every_item_is_there(make_store, task):
    store = make_store(task, validation_items=2, test_items=2)
    for split in ("validation", "test"):
        items = list(read_fixed(store, split))
        assert [item.ratio_db for item in items] == [np.inf, *RATIOS_DB[task]] * 2
        for item in items:
            assert item.degraded.shape == item.clean.shape == (store.header.channels, round(SECONDS * RATE))


def test_ratios_hold_and_all_files_of_an_item_have_one_level(make_store):
    for item in read_fixed(make_store(validation_items=1, test_items=1), "test"):
        if item.ratio_db == np.inf:
            assert np.array_equal(item.degraded, item.clean)
            clean = item.clean
            continue
        assert np.array_equal(item.clean, clean)
        noise = item.degraded - item.clean
        found = 10 * np.log10(np.square(item.clean).mean() / np.square(noise).mean())
        assert found == pytest.approx(item.ratio_db, abs=0.01)
        assert np.abs(item.degraded).max() < 0.71  # -3 dB at the loudest ratio


def test_sides_do_not_share_a_song(make_store):
    store = make_store(validation_items=2, test_items=2)
    for split in ("validation", "test"):
        (name,) = {entry.name for entry in store.select("clean", split)}
        assert all(name in item.description for item in read_fixed(store, split))


def test_writing_again_gives_the_same_bytes(make_store):
    first, second = (make_store(folder=name, validation_items=1, test_items=1) for name in ("one", "two"))
    files = [sorted((store.folder / "fixed").rglob("*.flac")) for store in (first, second)]
    assert len(files[0]) == 12
    assert [f.read_bytes() for f in files[0]] == [f.read_bytes() for f in files[1]]


def test_fewer_can_be_read(make_store):
    assert len(list(read_fixed(make_store(validation_items=2, test_items=2), "test", n_items=1))) == 6


def test_none_at_all_is_told(make_store, make_sources):
    store = make_store(sources=make_sources(songs=1), validation_items=2, test_items=2)
    with pytest.raises(ConfigError, match="no fixed mixtures for validation"):
        list(read_fixed(store, "validation"))
