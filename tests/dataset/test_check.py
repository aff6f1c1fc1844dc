"""A dataset with each fault, one at a time, and a sound one."""

import json
from dataclasses import replace

import numpy as np
import pytest

from concertclean.dataset.build import Plan, build
from concertclean.dataset.check import faults, stock
from concertclean.dataset.store import FULL_SCALE, Store
from tests.dataset.conftest import RATE


def told(store):
    return [(fault.kind, fault.name) for fault in faults(Store(store.folder))]


def overwrite(store, entry, samples):
    """Other samples, with the checksum that belongs to them: the fault is in the sound, not on the disk."""
    import zlib

    path = store.folder / "shards" / entry.shard
    content = bytearray(path.read_bytes())
    start = 4 * entry.start
    raw = np.ascontiguousarray(samples, "<i2").tobytes()
    content[start : start + len(raw)] = raw
    path.write_bytes(content)
    lines = (store.folder / "manifest.jsonl").read_text().splitlines()
    number = store.entries.index(entry)
    lines[number] = json.dumps({**json.loads(lines[number]), "crc32": zlib.crc32(raw)})
    (store.folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")


def test_a_sound_dataset_has_no_faults(make_store):
    counted = []
    store = make_store(synthetic_minutes=0.2)
    assert list(faults(store, lambda done, total: counted.append((done, total)))) == []
    assert counted[-1] == (8, 8)


def test_samples_that_changed_on_the_disk_are_broken(make_store):
    store = make_store()
    path = store.folder / "shards" / store.entries[1].shard
    content = bytearray(path.read_bytes())
    content[4 * store.entries[1].start + 100] ^= 1
    path.write_bytes(content)
    assert told(store) == [("broken", store.entries[1].name)]


def test_a_shard_that_is_cut_is_broken(make_store):
    store = make_store()
    path = store.folder / "shards" / store.entries[1].shard
    path.write_bytes(path.read_bytes()[:-8])
    assert told(store) == [("broken", store.entries[1].name)]


def test_silence_and_clipping_are_named(make_store):
    store = make_store()
    silent, clipped = store.entries[0], store.entries[1]
    overwrite(store, silent, np.zeros((silent.n_samples, 2)))
    loud = (4 * store.samples(clipped).astype(float)).clip(-FULL_SCALE, FULL_SCALE)
    overwrite(Store(store.folder), Store(store.folder).entries[1], loud)
    assert told(store) == [("silent", silent.name), ("clipped", clipped.name)]


def test_the_same_sound_twice_is_named(make_store):
    store = make_store()
    overwrite(store, store.entries[1], store.samples(store.entries[0]))
    assert ("duplicated", store.entries[1].name) in told(store)


def test_a_group_on_two_sides_leaks(make_sources, dataset_folder):
    sources = [replace(source, group="one band", split=split) for source, split in zip(
        make_sources(noises=0), ("train", "train", "test"), strict=True
    )]  # fmt: skip
    build(
        Plan(
            folder=dataset_folder,
            task="concert",
            sources=sources,
            sample_rate=RATE,
            workers=1,
            validation_items=0,
            test_items=0,
        )
    )
    assert told(Store(dataset_folder)) == [("leaking", "song2")]


def test_stock_adds_up(make_store):
    store = make_store()
    found = {(one.role, one.split): one for one in stock(store)}
    assert len(found) == 7  # music and noise on three sides, responses for training
    assert sum(one.n_items for one in found.values()) == len(store.entries)
    music = found["clean", "train"]
    assert (music.n_items, music.n_groups, music.licences, music.categories) == (1, 1, {"CC0": 1}, {})
    assert music.seconds == pytest.approx(4.0)
    assert found["noise", "train"].categories == {"hiss": 1}
