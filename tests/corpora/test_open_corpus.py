from pathlib import Path

import pytest

from concertclean.corpora.open_corpus import corpus_files, plain_parent, read_corpus, stored_name
from concertclean.errors import ConfigError
from tests.corpora.conftest import facts

OPEN_CORPUS = Path(__file__).parents[2] / "recipes" / "open-corpus.toml"
HEAD = 'version = "1"\nlicence = "GPL-2+"\nrole = "clean"\nsplit = "train"\n'
SHA = "ab" * 32


@pytest.fixture
def write_corpus(put):
    return lambda text: put({"open-corpus.toml": text}) / "open-corpus.toml"


def test_open_corpus_gives_what_is_there_and_names_what_is_not(put, write_corpus):
    corpus = read_corpus(
        write_corpus(
            f'[[package]]\nname = "songs"\ngroup = "g"\nseconds = 2\n{HEAD}'
            'files = ["music/a.wav", "b.wav", "music/c.wav"]\n'
            f'[[repository]]\nname = "me/rooms"\ncommit = "{"a" * 40}"\nlicence = "CC0-1.0"\nrole = "response"\n'
            'split = "train"\ngroup = "r"\nseconds = 2\ntasks = ["concert"]\n'
            f'[repository.files]\n"ir/x.wav" = "{SHA}"\n'
        )
    )
    folder = put({"songs/music__a.wav": 5.0, "songs/b.wav": 1.0, "songs/other.wav": 1.0, "me__rooms/ir__x.wav": 5.0})
    sources, missing = corpus_files(corpus, folder)
    assert missing == ["songs/music__c.wav"]
    assert facts(sources, "name", "licence", "split", "spans") == [
        ("songs/music__a.wav", "GPL-2+", "train", ((1.5, 3.5),)),  # the middle two of five seconds
        ("songs/b.wav", "GPL-2+", "train", ()),
        ("me__rooms/ir__x.wav", "CC0-1.0", "train", ((0.0, 2.0),)),  # a response from its beginning
    ]
    assert [source.role for source in corpus_files(corpus, folder, "gramophone")[0]] == ["clean", "clean"]


def test_a_name_too_long_for_the_disk_is_missing(put, write_corpus):
    name = f"{'n' * 300}.wav"
    corpus = read_corpus(write_corpus(f'[[package]]\nname = "songs"\ngroup = "g"\n{HEAD}files = ["{name}"]\n'))
    assert corpus_files(corpus, put({"songs/other.wav": 1.0})) == ([], [f"songs/{name}"])


def test_open_corpus_pattern_takes_its_own_files_evenly(put, write_corpus):
    corpus = read_corpus(
        write_corpus(
            f'[[package]]\nname = "game"\ngroup = "g"\n{HEAD}files = ["music/theme.wav"]\n'
            f'[[package]]\nname = "game"\ngroup = "voices"\nmax_files = 2\n{HEAD.replace("clean", "shout")}'
            'patterns = ["usr/share/voices/*.wav", "usr/share/gone/*.wav"]\n'
        )
    )
    voices = {f"game/voices__Pirate__{number}.wav": 0.1 for number in range(4)}
    sources, missing = corpus_files(corpus, put({"game/music__theme.wav": 0.1, **voices}))
    assert facts(sources, "role", "title") == [
        ("clean", "music__theme"),
        ("shout", "voices__Pirate__0"),
        ("shout", "voices__Pirate__2"),
    ]
    assert missing == ["game: usr/share/gone/*.wav"]


def test_stored_names_keep_one_plain_folder():
    assert stored_name("music/song.ogg") == "music__song.ogg"
    assert plain_parent("usr/share/voices/*/a?.ogg") == "usr/share/"
    assert stored_name("usr/share/voices/*/a?.ogg") == "voices__*__a?.ogg"


def test_all_faults_of_a_corpus_are_reported_together(write_corpus):
    path = write_corpus(
        f'[[package]]\nname = "Bad Name"\ngroup = "g"\n{HEAD}files = ["/etc/passwd"]\nsecond = 1\n'
        f'[[package]]\nname = "two"\ngroup = "g"\n{HEAD.replace("clean", "claps")}spans = [[2, 1]]\n'
        '[[repository]]\nname = "owner"\ncommit = "main"\n'
        "three = 3\n"
    )
    with pytest.raises(ConfigError) as caught:
        read_corpus(path)
    message = str(caught.value)
    for part in (
        "open-corpus.toml",
        "Bad Name package[0].name",
        "package[0].files.0",
        "package[0].second",
        "two package[1].role",
        "owner repository[0].commit",
        "repository[0].licence",
        "repository[0].three",
    ):
        assert part in message


def test_group_on_two_sides_file_named_twice_and_empty_entry_are_refused(write_corpus):
    entry = f'[[package]]\nname = "a1"\ngroup = "g"\n{HEAD}'
    path = write_corpus(f'{entry}files = ["x.ogg"]\n{entry.replace("train", "test")}files = ["x.ogg"]\n{entry}')
    with pytest.raises(ConfigError) as caught:
        read_corpus(path)
    for part in ("group 'g' is in train and in test", "a1/x.ogg: is listed twice", "a1: needs files or patterns"):
        assert part in str(caught.value)


@pytest.mark.parametrize("text", ["not toml", "[[package]\n", "package = 3"])
def test_other_text_is_refused(write_corpus, text):
    with pytest.raises(ConfigError, match=r"open-corpus\.toml"):
        read_corpus(write_corpus(text))


def test_spans_must_run_forward(write_corpus):
    with pytest.raises(ConfigError, match="start before end"):
        read_corpus(write_corpus(f'[[package]]\nname = "a1"\ngroup = "g"\n{HEAD}files = ["x.ogg"]\nspans = [[2, 1]]\n'))


def test_the_open_corpus_of_the_recipes():
    corpus = read_corpus(OPEN_CORPUS)
    sides = {(entry.role, entry.split) for entry in corpus.entries}
    assert {("clean", side) for side in ("train", "validation", "test")} <= sides
    for task in ("concert", "gramophone"):
        noises = {entry.split for entry in corpus.entries if entry.role == "noise" and task in entry.tasks}
        assert noises == {"train", "validation", "test"}
    listed = {f"{entry.folder}/{name}": entry.split for entry in corpus.entries for name in entry.files}
    # Sides of the first weights, which no later training may swap.
    assert listed["lmms-common/misc/raving_crowd01.ogg"] == "test"
    assert listed["marsshooter-data/music/03_fear.ogg"] == "test"
    assert listed["marsshooter-data/music/07_-_Vermocsar.ogg"] == "train"
    assert listed["mdn__voice-change-o-matic/audio/concert-crowd.ogg"] == "test"
    assert [side for name, side in listed.items() if "Karissa" in name] == ["validation"]  # the README's example
    denube = next(entry for entry in corpus.package if "denube.ogg" in entry.files)
    assert (denube.split, denube.category) == ("test", "surface 1936")
    assert denube.spans == ((0.05, 0.6), (176.6, 177.4))
