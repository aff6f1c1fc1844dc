from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from concertclean.audio_io.formats import Storage
from concertclean.audio_io.writer import AudioWriter
from concertclean.corpora.sources import Source, assign_splits, audio_files, folder_sources
from concertclean.errors import ConfigError, NoInputError


def make_sources(n_groups, *, role="clean", split=None, per_group=2, prefix="artist"):
    return [
        Source(Path("x.wav"), f"{prefix}{group}/{number}.wav", role, f"{prefix} {group}", split)
        for group in range(n_groups)
        for number in range(per_group)
    ]


def splits_by_group(sources):
    found = defaultdict(set)
    for source in sources:
        found[source.role, source.group].add(source.split)
    return found


def write_tagged(path, tags):
    path.parent.mkdir(parents=True, exist_ok=True)
    with AudioWriter(path, Storage("flac", 44_100, 1), tags=tags) as writer:
        writer.write(np.zeros((1, 4410)))


@pytest.fixture
def touch(tmp_path):
    def make(*names):
        for name in names:
            path = tmp_path / "music" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"no audio at all")
        return tmp_path / "music"

    return make


def test_folder_lists_audio_only_sorted_and_even_if_unreadable(touch):
    folder = touch("b/2.ogg", "b/1.MP3", "a.wav", "notes.txt", ".hidden/3.ogg", "b/._1.mp3")
    sources = folder_sources(folder, "noise", licence="CC0-1.0")
    assert [source.name for source in sources] == ["music/a.wav", "music/b/1.MP3", "music/b/2.ogg"]
    assert {(source.role, source.licence, source.split) for source in sources} == {("noise", "CC0-1.0", None)}
    assert [path.name for path in audio_files(folder)] == ["a.wav", "1.MP3", "2.ogg"]


def test_group_of_untagged_files_is_folder_then_artist_then_file(touch):
    folder = touch(
        "Album/CD 2/x.wav", "Björk - Jóga.wav", "03 - björk - Bachelorette.wav", "07 - Anthem.wav", "solo.wav"
    )
    groups = {source.title: source.group for source in folder_sources(folder, "clean")}
    assert groups == {
        "x": "Album",
        "Björk - Jóga": "björk",
        "03 - björk - Bachelorette": "björk",
        "07 - Anthem": "07 - Anthem.wav",
        "solo": "solo.wav",
    }


def test_group_of_tagged_files_is_the_artist(tmp_path):
    write_tagged(tmp_path / "a/1.flac", {"artist": "Miles  Davis", "title": "So What"})
    write_tagged(tmp_path / "b/2.flac", {"artist": "Guest", "album_artist": "miles davis"})
    write_tagged(tmp_path / "b/3.flac", {"artist": "Guest", "album_artist": "Various Artists"})
    sources = folder_sources(tmp_path, "clean")
    assert [source.group for source in sources] == ["miles davis", "miles davis", "guest"]
    assert [source.title for source in sources] == ["So What", "2", "3"]


@pytest.mark.parametrize("name", ["absent", "empty"])
def test_folder_without_audio_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoInputError, match=name):
        folder_sources(tmp_path / name, "clean")


def test_whole_groups_are_dealt_and_shares_are_kept():
    sources = make_sources(400)
    dealt = assign_splits(sources)
    assert [source.name for source in dealt] == [source.name for source in sources]
    found = splits_by_group(dealt)
    assert all(len(splits) == 1 for splits in found.values())
    sizes = Counter(split for (split,) in found.values())
    # 400 draws at 0.1: mean 40, standard deviation 6; three of them on both sides.
    assert 22 <= sizes["validation"] <= 58
    assert 22 <= sizes["test"] <= 58


def test_deal_is_repeatable_and_depends_on_the_seed():
    sources = make_sources(50)
    assert assign_splits(sources, seed=3) == assign_splits(sources, seed=3)
    assert assign_splits(sources, seed=3) != assign_splits(sources, seed=4)


def test_new_groups_move_no_others():
    before = splits_by_group(assign_splits(make_sources(60)))
    after = splits_by_group(assign_splits([*make_sources(60), *make_sources(20, prefix="newcomer")]))
    assert {key: after[key] for key in before} == before


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(
    ("n_groups", "filled"),
    [(1, {"train"}), (2, {"train", "validation"}), (3, {"train", "validation", "test"})],
)
def test_few_groups_fill_the_splits_in_order(seed, n_groups, filled):
    dealt = assign_splits(make_sources(n_groups), seed=seed)
    assert {source.split for source in dealt} == filled


def test_no_share_means_no_group():
    dealt = assign_splits(make_sources(100), test=0.0)
    assert {source.split for source in dealt} == {"train", "validation"}


def test_roles_are_dealt_separately_and_raw_material_trains():
    sources = [
        *make_sources(3),
        *make_sources(3, role="noise"),
        *make_sources(9, role="clap"),
        *make_sources(9, role="response"),
    ]
    by_role = defaultdict(set)
    for source in assign_splits(sources):
        by_role[source.role].add(source.split)
    everything = {"train", "validation", "test"}
    assert by_role == {"clean": everything, "noise": everything, "clap": {"train"}, "response": {"train"}}


def test_given_split_is_kept_and_holds_for_the_rest_of_its_group():
    sources = [
        Source(Path("1.wav"), "test/1.wav", "clean", "hollow ground", "test"),
        Source(Path("2.wav"), "train/2.wav", "clean", "hollow ground"),
        Source(Path("3.wav"), "3.wav", "clap", "somebody", "validation"),
        *make_sources(10),
    ]
    dealt = assign_splits(sources)
    assert [source.split for source in dealt[:3]] == ["test", "test", "validation"]


def test_given_test_groups_count_towards_the_share():
    sources = [*make_sources(20, split="test", prefix="given"), *make_sources(80)]
    dealt = assign_splits(sources)
    assert sum(source.split == "test" for source in dealt) == 40  # the given ones, two files each, and no more


def test_group_on_two_sides_is_refused_with_all_such_groups():
    sources = [
        Source(Path("x"), f"{group}/{split}", "clean", group, split) for group in "ab" for split in ("train", "test")
    ]
    with pytest.raises(ConfigError, match=r"'a' is in train but its a/test is in test; 'b' is in train"):
        assign_splits(sources)


@pytest.mark.parametrize("shares", [{"test": -0.1}, {"validation": 0.6, "test": 0.4}])
def test_share_out_of_range(shares):
    with pytest.raises(ValueError, match="sum below 1"):
        assign_splits(make_sources(3), **shares)
