"""Fixed mixtures: at their ratios, at one level, the same when they are written again."""

import numpy as np
import pytest

from concertclean.dataset.fixed import RATIOS_DB, SECONDS, list_fixed, read_fixed, write_fixed
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


def test_truth_of_reverberant_items_is_the_music_without_the_room(make_store, make_sources, write):
    """Clicks every half second, in a room whose response is a click and an echo 0.1 s later.

    The reverberant music used to be written as the truth, so validation never rewarded a removed room.
    """
    clicks = np.zeros((10 * RATE, 1))
    clicks[:: RATE // 2] = 0.5
    room = np.zeros((RATE // 5, 1))
    room[[0, RATE // 10], 0] = 1.0, 0.8
    for source in (sources := make_sources(noises=3, responses=1)):
        if source.role in ("clean", "response"):
            write(source.path, clicks if source.role == "clean" else room)
    store = make_store("reverb", sources=sources, validation_items=1, channels=1)
    items = list(read_fixed(store, "validation"))
    assert [item.ratio_db for item in items] == [np.inf, 0.0, 10.0]
    clean = np.abs(items[0].clean[0])
    (at,) = np.nonzero(clean > 1e-3 * clean.max())
    assert set(np.diff(at)) == {RATE // 2}
    wet = np.abs(items[-1].degraded[0])
    assert np.median(wet[at + RATE // 10][:-1]) > 3 * np.median(wet)  # the echo is in what is to be restored


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


def names_of(store):
    return sorted(
        path.relative_to(store.folder).as_posix() for path in (store.folder / "fixed" / "test").rglob("*.flac")
    )


@pytest.mark.parametrize("n_items", [1, 3])
def test_other_number_of_items_is_written_anew(make_store, make_sources, n_items):
    sources = make_sources()
    store = make_store("gramophone", sources=sources, test_items=2)
    assert len(names_of(store)) == 2 * 4
    remarks = write_fixed(store, {"test": n_items})
    assert remarks == [
        f"{store.folder}: had 2 fixed mixtures of each ratio for test; they are made anew, {n_items} of them"
    ]
    assert len(list_fixed(store, "test")) == len(names_of(store)) == n_items * 4


def test_same_number_of_items_is_kept_and_none_deletes_none(make_store):
    store = make_store("gramophone", test_items=1)
    before = {name: (store.folder / name).stat().st_mtime_ns for name in names_of(store)}
    assert write_fixed(store, {"test": 1}) == []
    (remark,) = write_fixed(store, {"test": 0})
    assert remark.endswith("had 1 fixed mixtures of each ratio for test; they stay")
    assert {name: (store.folder / name).stat().st_mtime_ns for name in names_of(store)} == before


def test_damaged_list_is_written_anew_by_a_build(make_store):
    store = make_store("gramophone", test_items=1)
    (store.folder / "fixed" / "test" / "fixed.jsonl").write_text("[]\n")
    assert write_fixed(store, {"test": 1}) == []
    assert len(list_fixed(store, "test")) == 4
