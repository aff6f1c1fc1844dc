import os
import pickle
from pathlib import Path

import pytest

from concertclean.errors import ConfigError
from concertclean.files.places import Url, absolute, below, local, place_of


def url(name: str) -> Url:
    found = place_of(name)
    assert isinstance(found, Url)
    return found


@pytest.mark.parametrize("name", ["a.wav", "/in/a.wav", "C:/a.wav", "http:a.wav", "s3:/bucket/a.wav", "take%02d://"])
def test_what_has_no_scheme_is_a_path(name: str) -> None:
    assert place_of(name) == Path(name)


def test_a_file_url_is_a_path() -> None:
    assert place_of("file:///in/a%20b.wav") == Path("/in/a b.wav")


def test_names_are_made_with_a_url_as_with_a_path() -> None:
    place = url("S3://bucket/in/deep/Side A.1.flac")
    assert (place.name, place.stem, place.suffix) == ("Side A.1.flac", "Side A.1", ".flac")
    assert str(place.parent) == "s3://bucket/in/deep"
    assert str(place.parent / "b.wav") == str(place.parent / Path("b.wav")) == "s3://bucket/in/deep/b.wav"
    assert str(url("s3://bucket/out/") / below(place.parent, url("s3://bucket/in/"))) == "s3://bucket/out/deep"
    assert below(place.parent, url("s3://bucket")) == Path("in/deep")
    assert (url("s3://my.bucket").suffix, str(url("s3://bucket") / "a.wav")) == ("", "s3://bucket/a.wav")
    with pytest.raises(ValueError, match="not in"):
        below(place, url("s3://bucket/i"))


def test_a_question_mark_belongs_to_a_name_but_on_the_web() -> None:
    assert url("s3://bucket/why?#1.wav").name == "why?#1.wav"
    page = url("https://host/My%20Song.flac?x=1#part")
    assert (page.name, page.query, page.address) == ("My Song.flac", "x=1", "https://host/My%20Song.flac?x=1")


def test_neither_passwords_nor_queries_are_shown() -> None:
    secret = url("https://me:hush@host/a.wav?X-Amz-Signature=hush")
    other = url("https://host/a.wav?X-Amz-Signature=other")
    assert str(secret) == str(other) == "https://host/a.wav?…"
    assert "hush" not in repr(secret) + absolute(secret)
    assert absolute(secret) != absolute(other)
    assert secret.address == "https://me:hush@host/a.wav?X-Amz-Signature=hush"
    assert pickle.loads(pickle.dumps(secret)).address == secret.address


def test_a_name_is_absolute_as_far_as_it_can_be() -> None:
    assert absolute(Path("a.wav")) == os.path.abspath("a.wav")
    assert absolute(url("s3://bucket/a.wav")) == "s3://bucket/a.wav"


def test_what_needs_a_file_here_refuses_a_url() -> None:
    assert local(Path("a.wav")) == Path("a.wav")
    with pytest.raises(ConfigError, match=r"s3://bucket/a\.wav: files on this machine"):
        local(url("s3://bucket/a.wav"))
