import pytest

from concertclean.corpora.open_corpus import PackageEntry
from concertclean.corpora.wanted import Wanted, spelling_key


@pytest.fixture
def wanted():
    def make(*files, patterns=()):
        facts = {"name": "tiny-data", "version": "1", "licence": "GPL-2+", "role": "clean", "split": "train"}
        return Wanted([PackageEntry(**facts, group="g", files=files, patterns=patterns)])

    return make


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("usr/share/game/music/Song_One.ogg", ("music__Song_One.ogg", True)),
        ("usr/share/game/Music/song one.OGG", ("music__Song_One.ogg", True)),
        ("elsewhere/Song_One.ogg", ("music__Song_One.ogg", False)),  # another folder, but no other file of this name
        ("sfx/cheer.wav", None),  # two files are called so, and this folder has neither
        ("b/cheer.wav", ("b__cheer.wav", True)),
        ("anywhere/hiss.flac", ("hiss.flac", True)),
        ("usr/share/voices/Pirate/arr.ogg", ("voices__Pirate__arr.ogg", True)),
        ("music/Song_One.txt", None),
        ("usr/share/game/music/other.ogg", None),
    ],
)
def test_member_gets_the_listed_name(wanted, path, expected):
    listed = ("music/Song_One.ogg", "a/cheer.wav", "b/cheer.wav", "hiss.flac")
    assert wanted(*listed, patterns=["usr/share/voices/*.ogg"]).target(path) == expected


def test_missing_are_files_and_patterns_without_a_find(wanted):
    some = wanted("music/a.ogg", "b.ogg", patterns=["usr/share/voices/*.ogg", "usr/share/songs/*.ogg"])
    assert some.missing([]) == ("music__a.ogg", "b.ogg", "usr/share/voices/*.ogg", "usr/share/songs/*.ogg")
    assert some.missing(["b.ogg", "songs__x.ogg"]) == ("music__a.ogg", "usr/share/voices/*.ogg")


def test_digest_depends_on_what_is_asked_for_and_not_on_its_order(wanted):
    assert wanted("a.ogg", "b.ogg").digest() == wanted("b.ogg", "a.ogg").digest()
    assert wanted("a.ogg").digest() != wanted("b.ogg").digest()


def test_spellings_meet():
    assert spelling_key("Music/Song_One (1).OGG") == spelling_key("music/song one 1.ogg") == "musicsongone1.ogg"
