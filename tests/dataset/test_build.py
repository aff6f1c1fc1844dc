"""A dataset from sources: what is stored, what is told, and that an interrupted build ends like any other."""

import json
from dataclasses import replace

import numpy as np
import pytest

from concertclean.corpora.sources import assign_splits
from concertclean.dataset.build import Plan, build
from concertclean.dataset.store import FULL_SCALE, Header, Store, StoreWriter
from concertclean.errors import ConfigError, OutputError
from tests.dataset.conftest import RATE, song


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def plan(folder, sources, **changes):
    given = {"sample_rate": RATE, "workers": 1, "validation_items": 0, "test_items": 0, **changes}
    return Plan(folder=folder, task="concert", sources=assign_splits(sources), **given)


def test_every_source_is_stored_with_all_that_is_known(make_sources, dataset_folder):
    sources = assign_splits(make_sources())
    report = build(plan(dataset_folder, sources))
    store = Store(dataset_folder)
    assert (report.n_stored, report.n_kept, report.failures) == (6, 0, [])
    assert [(e.name, e.role, e.split, e.group, e.licence) for e in store.entries] == [
        (s.name, s.role, s.split, s.group, s.licence) for s in sources
    ]
    assert {s.split for s in sources if s.role == "clean"} == {"train", "validation", "test"}
    assert len({e.sha256 for e in store.entries}) == 6
    third = store.entries[2]
    original = song(24)
    stored = store.samples(third) / FULL_SCALE * 10 ** (-third.gain_db / 20)
    assert np.abs(stored - original).max() < 1e-4


def test_a_second_run_has_nothing_to_do(make_sources, dataset_folder):
    sources = make_sources()
    build(plan(dataset_folder, sources))
    before = files(dataset_folder)
    report = build(plan(dataset_folder, sources))
    assert (report.n_stored, report.n_kept) == (0, 6)
    assert files(dataset_folder) == before


class StopError(Exception):
    pass


@pytest.mark.parametrize("spoil", [b"", b'{"name": "cut o'])
def test_an_interrupted_build_goes_on_to_the_same_bytes(make_sources, tmp_path, spoil):
    sources = make_sources()

    def stop(what, done, total):
        if done == 3:
            raise StopError

    with pytest.raises(StopError):
        build(plan(tmp_path / "parts", sources), stop)
    # Samples without their line, and a line cut off: what a lost power supply leaves.
    with (tmp_path / "parts" / "manifest.jsonl").open("ab") as manifest:
        manifest.write(spoil)
    for shard in (tmp_path / "parts" / "shards").iterdir():
        with shard.open("ab") as file:
            file.write(b"half a song")
    report = build(plan(tmp_path / "parts", sources))
    assert (report.n_kept, report.n_stored) == (3, 3)
    build(plan(tmp_path / "whole", sources))
    assert Store(tmp_path / "parts").entries == Store(tmp_path / "whole").entries
    for entry in Store(tmp_path / "whole").entries:
        stored = [Store(tmp_path / name).samples(entry).tobytes() for name in ("parts", "whole")]
        assert stored[0] == stored[1]


def test_more_processes_store_the_same(make_sources, tmp_path):
    sources = make_sources()
    build(plan(tmp_path / "one", sources))
    build(plan(tmp_path / "two", sources, workers=2))
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_bad_and_doubled_files_are_told_and_left_out(make_sources, write, dataset_folder):
    sources = make_sources()
    sources[0].path.write_bytes(b"no audio at all")
    double = replace(sources[1], name="again", path=write("in/again.wav", song(14)))
    report = build(plan(dataset_folder, [*sources, double]))
    told = dict(report.failures)
    assert "song0.wav" in told["song0"]
    assert "the same file as song1" in told["again"]
    assert [entry.name for entry in Store(dataset_folder).entries] == ["song1", "song2", "noise0", "noise1", "noise2"]


def test_without_music_nothing_is_built(make_sources, dataset_folder):
    with pytest.raises(ConfigError, match="no clean music"):
        build(plan(dataset_folder, make_sources(songs=0)))
    assert not dataset_folder.exists()


def test_music_that_cannot_be_read_is_an_error(make_sources, dataset_folder):
    sources = make_sources(songs=1)
    sources[0].path.write_bytes(b"no audio at all")
    with pytest.raises(ConfigError, match="none of the clean music could be read"):
        build(plan(dataset_folder, sources))


def test_a_folder_with_something_else_is_left_alone(make_sources, dataset_folder):
    dataset_folder.mkdir()
    (dataset_folder / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="contains no dataset"):
        build(plan(dataset_folder, make_sources()))
    assert files(dataset_folder) == {"letter.txt": b"dear"}


def test_a_dataset_of_other_settings_is_not_gone_on_with(make_sources, dataset_folder):
    sources = make_sources()
    build(plan(dataset_folder, sources))
    with pytest.raises(OutputError, match="other settings"):
        build(plan(dataset_folder, sources, seed=1))


def test_a_full_shard_is_followed_by_another(monkeypatch, make_sources, dataset_folder):
    monkeypatch.setattr("concertclean.dataset.store._SHARD_BYTES", 100)
    sources = [replace(source, split="train") for source in make_sources(songs=3, noises=0)]
    build(plan(dataset_folder, sources))
    store = Store(dataset_folder)
    assert [entry.shard for entry in store.entries] == [f"clean-train-{n:03d}.s16" for n in range(3)]
    assert all(entry.start == 0 for entry in store.entries)


def test_synthetic_crowds_are_stored_beside_the_recorded(make_sources, dataset_folder):
    sources = make_sources()
    report = build(plan(dataset_folder, sources, synthetic_minutes=0.4))
    synthetic = [entry for entry in Store(dataset_folder).entries if not entry.sha256]
    assert report.n_stored == 6 + 2
    assert [(e.role, e.split, e.category) for e in synthetic] == [("noise", "train", "synthetic crowd")] * 2
    assert all(entry.n_samples == 12 * RATE for entry in synthetic)
    assert len({entry.crc32 for entry in synthetic}) == 2


def test_a_concert_can_be_stored_in_mono(make_store):
    """The published crowd network is mono; its synthetic crowds are made in stereo."""
    store = make_store(channels=1, synthetic_minutes=0.2)
    synthetic = [entry for entry in store.entries if not entry.sha256]
    assert store.header.channels == 1
    assert store.samples(synthetic[0]).shape == (12 * RATE, 1)


def test_no_dataset_damaged_ones_and_newer_ones_are_told(tmp_path, make_store):
    with pytest.raises(ConfigError, match="contains no dataset"):
        Store(tmp_path)
    store = make_store()
    header = json.loads((store.folder / "dataset.json").read_text())
    (store.folder / "dataset.json").write_text(json.dumps({**header, "format": 2}))
    with pytest.raises(ConfigError, match="format 2"):
        Store(store.folder)
    (store.folder / "dataset.json").write_text(json.dumps(header))
    lines = (store.folder / "manifest.jsonl").read_text().splitlines()
    (store.folder / "manifest.jsonl").write_text("\n".join(["{}", *lines[1:]]))
    with pytest.raises(ConfigError, match=r"line 1: name: missing.*; build the dataset again"):
        Store(store.folder)


def test_a_shard_that_is_gone_or_cut_is_told(make_store):
    store = make_store()
    shard = store.folder / "shards" / store.entries[0].shard
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(ConfigError, match="ends within song0"):
        store.samples(store.entries[0])
    shard.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        Store(store.folder).samples(store.entries[0])


def test_a_writer_that_cannot_write_says_so(tmp_path):
    (tmp_path / "file").write_text("in the way")
    header = Header(task="concert", sample_rate=RATE, channels=2, seed=0, made_by="test")
    with pytest.raises(OutputError, match="cannot be created"):
        StoreWriter(tmp_path / "file" / "dataset", header)
