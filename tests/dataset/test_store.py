"""Datasets whose lists were written by somebody else, or are damaged."""

import json

import numpy as np
import pytest

from concertclean.dataset.fixed import list_fixed, read_fixed
from concertclean.dataset.store import Header, Store, StoreWriter
from concertclean.errors import ConcertCleanError, ConfigError, OutputError

HEADER = Header(task="concert", sample_rate=8000, channels=1, seed=0, made_by="test")
FACTS = {
    "name": "a",
    "role": "clean",
    "split": "train",
    "group": "g",
    "licence": "CC0",
    "title": "t",
    "category": "",
    "sha256": "0",
    "gain_db": 0.0,
    "silent_seconds": 0.0,
    "clipped_seconds": 0.0,
}


def append(folder, name="a", n_samples=100):
    with StoreWriter(folder, HEADER) as writer:
        samples = np.arange(n_samples, dtype=np.int16)[:, None]
        return writer.append(samples, **{**FACTS, "name": name, "pieces": (n_samples,)})


@pytest.fixture
def folder(tmp_path):
    append(tmp_path / "dataset")
    return tmp_path / "dataset"


def edit(folder, **changes):
    """Change the last line of the manifest."""
    path = folder / "manifest.jsonl"
    *lines, last, _ = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines, json.dumps({**json.loads(last), **changes}).encode(), b""]))


# Names


@pytest.mark.parametrize("shard", ["../../victim", "..\\victim", "/etc/passwd", "C:\\x", "", "..", "a/../../../victim"])
def test_manifest_can_neither_read_nor_write_outside_the_dataset(folder, shard):
    victim = folder.parent / "victim"
    victim.write_bytes(bytes(1000))
    edit(folder, shard=shard)
    for act in (lambda: Store(folder), lambda: append(folder, "b")):
        with pytest.raises(ConfigError, match=r"manifest\.jsonl: the name .* (leads out|contains a backslash)"):
            act()
    assert victim.read_bytes() == bytes(1000)


@pytest.mark.parametrize("link", ["shards", "shards/clean-train-000.s16"])
def test_links_out_of_the_dataset_are_not_followed(folder, link):
    outside = folder.parent / "outside"
    (folder / link).rename(outside)
    (folder / link).symlink_to(outside)
    before = {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()}
    for act in (lambda: Store(folder), lambda: append(folder, "b")):
        with pytest.raises(ConfigError, match="symbolic link"):
            act()
    assert {path: path.read_bytes() for path in folder.parent.rglob("*") if path.is_file()} == before


def test_link_inside_the_dataset_is_not_written_through(folder):
    """The shard as a link to the header of the same dataset."""
    shard = folder / "shards" / "clean-train-000.s16"
    shard.unlink()
    shard.symlink_to("../dataset.json")
    header = (folder / "dataset.json").read_bytes()
    with pytest.raises(OutputError, match="cannot be written"):
        append(folder, "b")
    assert (folder / "dataset.json").read_bytes() == header


def test_shards_of_others_are_not_overwritten(folder):
    """A manifest that calls its shards otherwise than this version does."""
    edit(folder, role="noise")
    entry = append(folder, "b")
    assert entry.shard == "clean-train-001.s16"
    assert len(Store(folder).samples(entry)) == 100


@pytest.mark.parametrize("name", ["one\u2028two", "one\u0085two", "one\ntwo", "one\r\ntwo", "\x1c"])
def test_names_with_line_separators_stay_readable(tmp_path, name):
    append(tmp_path / "dataset", name)
    append(tmp_path / "dataset", "b")
    assert [entry.name for entry in Store(tmp_path / "dataset").entries] == [name, "b"]


def test_dataset_with_raw_line_separators_of_before_is_read(folder):
    path = folder / "manifest.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"t"', '"one\u2028two\u0085"'.encode()))
    assert Store(folder).entries[0].title == "one\u2028two\u0085"


# Values

WRONG = [
    {"start": -1},
    {"start": "far"},
    {"start": 1.5},
    {"n_samples": 0},
    {"n_samples": None},
    {"n_samples": 1e999},
    {"pieces": 5},
    {"pieces": []},
    {"pieces": [-5, 105]},
    {"gain_db": 1e300},
    {"gain_db": float("nan")},
    {"role": "singer"},
    {"split": ["train"]},
    {"name": {}},
    {"crc32": -1},
    {"surprise": 1},
]


@pytest.mark.parametrize("changes", WRONG, ids=str)
def test_wrong_values_are_named_with_line_and_cure(folder, changes):
    edit(folder, **changes)
    (key,) = changes
    with pytest.raises(ConfigError, match=rf"manifest\.jsonl: line 1: {key}.*; build the dataset again"):
        Store(folder)


@pytest.mark.parametrize(
    "changes", [{"n_samples": 10**30, "pieces": [10**30]}, {"start": 10**30}, {"pieces": [1]}, {"pieces": [10**30]}]
)
def test_entry_that_does_not_fit_its_shard_is_refused_when_it_is_read(folder, changes):
    edit(folder, **changes)
    store = Store(folder)
    with pytest.raises(ConfigError, match=r"(ends within a|do not add up).*; build the dataset again"):
        store.samples(store.entries[0])


@pytest.mark.parametrize("changes", [{"start": 50}, {"start": 10_000}])
def test_shard_shorter_than_its_entries_is_not_extended(folder, changes):
    edit(folder, **changes)
    size = (folder / "shards" / "clean-train-000.s16").stat().st_size
    with pytest.raises(ConfigError, match="is shorter than its entries"):
        append(folder, "b")
    assert (folder / "shards" / "clean-train-000.s16").stat().st_size == size


@pytest.mark.parametrize(
    "header", [b"[]", b"5", b"{", b"\xff", b"[" * 100_000, b'{"format": []}', b'{"sample_rate": 1e999}', b""]
)
def test_damaged_header_is_refused(folder, header):
    (folder / "dataset.json").write_bytes(header)
    with pytest.raises(ConfigError, match=r"dataset\.json: "):
        Store(folder)


# Interruptions


@pytest.mark.parametrize("n_bytes", range(0, 60, 7))
def test_build_goes_on_after_a_kill_in_the_last_line(folder, n_bytes):
    append(folder, "b")
    path = folder / "manifest.jsonl"
    path.write_bytes(path.read_bytes()[: -1 - n_bytes])
    append(folder, "b" if n_bytes else "c")
    store = Store(folder)
    assert [entry.name for entry in store.entries] == ["a", "b"] + ["c"] * (not n_bytes)
    assert all(store.samples(entry)[5] == 5 for entry in store.entries)


def test_build_goes_on_after_a_kill_before_the_header_was_there(tmp_path):
    """A part of the header is all that there is."""
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / ".0123.part").write_bytes(b"{")
    append(tmp_path / "dataset")
    assert len(Store(tmp_path / "dataset").entries) == 1


def test_build_goes_on_after_a_kill_before_the_first_sample(tmp_path):
    with StoreWriter(tmp_path / "dataset", HEADER):
        pass
    (tmp_path / "dataset" / "manifest.jsonl").unlink()
    (tmp_path / "dataset" / "shards").rmdir()
    append(tmp_path / "dataset")
    assert len(Store(tmp_path / "dataset").entries) == 1


# Fixed mixtures


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"{}",
        b'{"number": -1, "ratio_db": "inf"}',
        b'{"number": "x", "ratio_db": "inf"}',
        b'{"number": 0, "ratio_db": "nan"}',
        b'{"number": 0, "ratio_db": 1e300}',
        b'{"number": 0, "ratio_db": "../.."}',
        b'{"number": 0, "ratio_db": "inf", "kind": 5}',
        b"[" * 100_000,
    ],
)
def test_damaged_list_of_fixed_mixtures_is_refused(folder, line):
    (folder / "fixed" / "test").mkdir(parents=True)
    (folder / "fixed" / "test" / "fixed.jsonl").write_bytes(line + b"\n")
    with pytest.raises(ConfigError, match=r"fixed\.jsonl: line 1.*; build the dataset again"):
        list_fixed(Store(folder), "test")


def test_fixed_mixtures_are_not_read_through_links(folder):
    (folder.parent / "outside" / "test").mkdir(parents=True)
    (folder / "fixed").symlink_to(folder.parent / "outside")
    (folder / "fixed" / "test" / "fixed.jsonl").write_text('{"number": 0, "ratio_db": "inf"}\n')
    with pytest.raises(ConfigError, match="symbolic link"):
        list_fixed(Store(folder), "test")


def test_fixed_mixtures_that_do_not_begin_with_the_clean_one_are_read(make_store):
    store = make_store(validation_items=1)
    path = store.folder / "fixed" / "validation" / "fixed.jsonl"
    lines = path.read_text().split("\n")
    path.write_text("\n".join(lines[1:]))
    assert len(list(read_fixed(store, "validation"))) == 5


# Mutations


def test_mutated_datasets_are_read_or_refused(folder):
    """A few hundred manifests and headers with changed bytes and values: no exception but ours."""
    append(folder, "b")
    rng = np.random.default_rng(7)
    values = [None, -1, 10**30, 1e308, "", "..", [], {}, [[]], True, "\ud800", float("nan"), "x" * 5000]
    outcomes = {True: 0, False: 0}
    for name in ["manifest.jsonl"] * 300 + ["dataset.json"] * 100:
        data = bytearray((folder / name).read_bytes())
        intact = bytes(data)
        if rng.random() < 0.5:
            for _ in range(rng.integers(1, 4)):
                data[rng.integers(len(data))] = rng.integers(256)
        else:
            line = json.loads(intact.split(b"}")[0] + b"}")
            key = list(line)[rng.integers(len(line))]
            line[key] = values[rng.integers(len(values))]
            data = json.dumps(line).encode() + b"\n"
        (folder / name).write_bytes(data)
        try:
            store = Store(folder)
            for entry in store.entries:
                store.samples(entry)
            outcomes[True] += 1
        except ConcertCleanError as error:
            assert str(folder) in str(error)  # noqa: PT017  (most of them pass)
            outcomes[False] += 1
        (folder / name).write_bytes(intact)
    assert min(outcomes.values()) > 20
