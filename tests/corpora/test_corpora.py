import pytest

from concertclean.corpora.corpora import corpus_sources, detect_corpus
from concertclean.corpora.open_corpus import corpus_files, read_corpus
from concertclean.corpora.sources import assign_splits
from concertclean.errors import ConfigError
from tests.corpora.conftest import facts


def test_musdb_gives_mixtures_and_its_test_side(put):
    folder = put(
        {
            "train/Hollow Ground - Left Blind/mixture.wav": 0.1,
            "train/Hollow Ground - Left Blind/drums.wav": 0.1,
            "train/ANiMAL - Rockshow/mixture.wav": 0.1,
            "test/Hollow Ground - Ill Fate/mixture.wav": 0.1,
        }
    )
    assert detect_corpus(folder) == "musdb18hq"
    sources = corpus_sources("musdb18hq", folder, "concert")
    assert facts(sources, "name", "group", "split") == [
        ("musdb18hq/test/Hollow Ground - Ill Fate/mixture.wav", "hollow ground", "test"),
        ("musdb18hq/train/ANiMAL - Rockshow/mixture.wav", "animal", None),
        ("musdb18hq/train/Hollow Ground - Left Blind/mixture.wav", "hollow ground", None),
    ]
    # An artist of the test side must not be trained on, though the corpus itself does.
    assert [source.split for source in assign_splits(sources)][2] == "test"


def test_musdb_of_stem_files_gives_the_same(put):
    folder = put({"train/ANiMAL - Rockshow.stem.mp4": "", "test/Hollow Ground - Ill Fate.stem.mp4": ""})
    assert detect_corpus(folder) == "musdb18hq"
    assert facts(corpus_sources("musdb18hq", folder, "concert"), "name", "group", "split", "title") == [
        ("musdb18hq/test/Hollow Ground - Ill Fate.stem.mp4", "hollow ground", "test", "Hollow Ground - Ill Fate"),
        ("musdb18hq/train/ANiMAL - Rockshow.stem.mp4", "animal", None, "ANiMAL - Rockshow"),
    ]


@pytest.mark.parametrize("root", ["", "musicnet/"])
def test_musicnet_groups_by_composition(put, root):
    folder = put(
        {
            "musicnet_metadata.csv": "id,composer,composition\n1,Bach,Suite\n2,Bach,Suite\n3,Bach,Mass\n",
            f"{root}train_data/1.wav": 0.1,
            f"{root}train_data/3.wav": 0.1,
            f"{root}test_data/2.wav": 0.1,
        }
    )
    assert detect_corpus(folder) == "musicnet"
    assert facts(corpus_sources("musicnet", folder, "concert"), "name", "group", "split") == [
        ("musicnet/test_data/2.wav", "Bach: Suite", "test"),
        ("musicnet/train_data/1.wav", "Bach: Suite", None),
        ("musicnet/train_data/3.wav", "Bach: Mass", None),
    ]


def test_gramophone_noise_finds_segments_however_they_are_named(put):
    folder = put(
        {
            "info.csv": (
                "recording,segments,largest_segment,split\n"
                "disc A,\"['0', '1.wav']\",0,train\n"
                "disc.B,\"['0']\",0,test\n"
                "c,\"['c_only', 'absent']\",c_only,val\n"
            ),
            "noises/disc A/0.wav": 0.1,
            "noises/disc A/1.wav": 0.1,
            "noises/disc.B/0.wav": 0.1,
            "elsewhere/c_only.wav": 0.1,
        }
    )
    assert detect_corpus(folder) == "gramophone-noise"
    sources = corpus_sources("gramophone-noise", folder, "gramophone")
    assert facts(sources, "name", "group", "split", "role") == [
        ("gramophone-noise/noises/disc A/0.wav", "disc A", "train", "noise"),
        ("gramophone-noise/noises/disc A/1.wav", "disc A", "train", "noise"),
        ("gramophone-noise/noises/disc.B/0.wav", "disc.B", "test", "noise"),
        ("gramophone-noise/elsewhere/c_only.wav", "c", "validation", "noise"),
    ]


def test_gramophone_noise_without_its_files_or_with_a_broken_list(put):
    folder = put({"info.csv": "recording,segments,split\na,['x'],train\n"})
    with pytest.raises(ConfigError, match="none of the segments"):
        corpus_sources("gramophone-noise", folder, "gramophone")
    put({"info.csv": "recording,segments,split\na,['x,train\n"})
    with pytest.raises(ConfigError, match=r"info\.csv: segments of a are not a list"):
        corpus_sources("gramophone-noise", folder, "gramophone")


ESC = (
    "filename,fold,target,category,esc10,src_file,take\n"
    "1-2-A-22.wav,1,22,clapping,False,2,A\n"
    "4-5-A-22.wav,4,22,clapping,False,5,A\n"
    "5-6-A-10.wav,5,10,rain,True,6,A\n"
    "5-7-B-36.wav,5,36,vacuum_cleaner,False,7,B\n"
    "2-8-A-0.wav,2,0,dog,True,8,A\n"
)


def put_esc(put):
    names = [line.partition(",")[0] for line in ESC.splitlines()[1:]]
    return put({"meta/esc50.csv": ESC, **{f"audio/{name}": 0.1 for name in names}})


@pytest.mark.parametrize(
    ("kind", "task", "expected"),
    [
        ("esc50", "concert", [("1-2-A-22.wav", "freesound 2", "train"), ("4-5-A-22.wav", "freesound 5", "validation")]),
        ("esc50", "gramophone", [("5-6-A-10.wav", "freesound 6", "test"), ("5-7-B-36.wav", "freesound 7", "test")]),
        ("esc10", "gramophone", [("5-6-A-10.wav", "freesound 6", "test")]),
    ],
)  # fmt: skip
def test_esc_gives_the_noises_of_the_task(put, kind, task, expected):
    folder = put_esc(put)
    assert detect_corpus(folder) == "esc50"
    assert facts(corpus_sources(kind, folder, task), "title", "group", "split") == expected


def test_esc10_is_freer_than_the_rest(put):
    licences = facts(corpus_sources("esc50", put_esc(put), "gramophone"), "category", "licence")
    assert licences == [("rain", "CC-BY-3.0"), ("vacuum_cleaner", "CC-BY-NC-3.0")]


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("musdb18hq", "no train/SONG/mixture.wav"),
        ("musicnet", "musicnet_metadata.csv"),
        ("gramophone-noise", "info.csv"),
        ("esc50", "esc50.csv"),
        ("open-corpus", "open-corpus.toml"),
    ],
)
def test_other_folder_is_refused_with_what_is_missing(tmp_path, kind, missing):
    assert detect_corpus(tmp_path) is None
    with pytest.raises(ConfigError, match=missing):
        corpus_sources(kind, tmp_path, "concert")


def test_missing_column_and_foreign_info_file(put):
    folder = put({"meta/esc50.csv": "filename,category\n", "info.csv": "a,b\n"})
    with pytest.raises(ConfigError, match="has no column fold"):
        corpus_sources("esc50", folder, "concert")
    (folder / "meta" / "esc50.csv").unlink()
    assert detect_corpus(folder) is None


def test_unknown_kind_and_task_list_the_known(tmp_path):
    with pytest.raises(ConfigError, match="'musdb'; choose from musdb18hq, musicnet"):
        corpus_sources("musdb", tmp_path, "concert")
    with pytest.raises(ConfigError, match="'party'; choose from concert, gramophone"):
        corpus_sources("musdb18hq", tmp_path, "party")


def test_open_corpus_is_read_with_the_list_that_fetch_left_there(put):
    entry = (
        '[[package]]\nname = "{}"\nversion = "1"\nlicence = "GPL-2+"\nrole = "{}"\nsplit = "train"\ngroup = "g"\n'
        'files = ["a.wav", "gone.wav"]\ntasks = ["{}"]\n'
    )
    listed = entry.format("songs", "clean", "concert") + entry.format("discs", "noise", "gramophone")
    folder = put({"open-corpus.toml": listed, "songs/a.wav": 1.0, "discs/a.wav": 1.0})
    assert detect_corpus(folder) == "open-corpus"
    sources = corpus_sources("open-corpus", folder, "concert")
    assert facts(sources, "name", "role") == [("songs/a.wav", "clean")]
    assert sources == corpus_files(read_corpus(folder / "open-corpus.toml"), folder, "concert")[0]
    with pytest.raises(ConfigError, match=r"no file of its open-corpus\.toml was found \(0 missing\); fetch it again"):
        corpus_sources("open-corpus", folder, "reverb")
