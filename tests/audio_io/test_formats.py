"""The table of formats, and the uniform names of tags."""

import pytest

from concertclean.audio_io.formats import (
    AUDIO_EXTENSIONS,
    FORMATS,
    AudioInfo,
    Cover,
    keep_format,
    layout_name,
    supported_sample_rate,
)
from concertclean.audio_io.tags import clean_tags, picture_comment, picture_mime, vorbis_comments


def _info(codec, is_lossless, container="mkv"):
    return AudioInfo("x", container, codec, 48_000, 2, "stereo", None, False, is_lossless, 24_000, None)


def test_names_that_the_command_line_offers():
    writable = {name for name, entry in FORMATS.items() if entry.is_writable}
    assert writable == {"wav", "flac", "m4a", "alac", "mp3", "opus", "ogg"}
    assert set(FORMATS) - writable == {"aiff", "caf", "mp4", "mov", "3gp", "mkv", "webm", "avi", "aac"}


def test_extensions_are_lower_case_with_dot():
    assert {".wav", ".flac", ".m4a", ".mp3", ".opus", ".ogg", ".aif", ".webm", ".aac"} <= AUDIO_EXTENSIONS
    assert all(ext.startswith(".") and ext == ext.lower() for ext in AUDIO_EXTENSIONS)


@pytest.mark.parametrize(
    ("codec", "is_lossless", "name"),
    [
        ("aac", False, "m4a"),
        ("alac", True, "alac"),
        ("mp3", False, "mp3"),
        ("vorbis", False, "ogg"),
        ("opus", False, "opus"),
        ("flac", True, "flac"),
        ("pcm_s24le", True, "wav"),
        ("pcm_f32le", True, "wav"),
        ("wavpack", True, "flac"),
        ("wmav2", False, "m4a"),
    ],
)
def test_closest_format_that_can_be_written(codec, is_lossless, name):
    assert keep_format(_info(codec, is_lossless)) == name


@pytest.mark.parametrize(
    ("name", "rate", "nearest"),
    [
        ("wav", 192_000, 192_000),
        ("opus", 44_100, 48_000),
        ("mp3", 96_000, 48_000),
        ("mp3", 44_100, 44_100),
        ("m4a", 50_000, 64_000),
        ("ogg", 384_000, 192_000),
    ],
)
def test_nearest_rate_loses_nothing_if_it_can(name, rate, nearest):
    assert supported_sample_rate(name, rate) == nearest


def test_duration_follows_from_samples():
    assert _info("aac", False).duration_seconds == 0.5


def test_layouts_without_a_name_get_the_usual_one():
    assert layout_name(None, 2) == "stereo"
    assert layout_name("6 channels", 6) == "5.1"
    assert layout_name("5.1(side)", 6) == "5.1(side)"
    assert layout_name("12 channels", 12) == "12 channels"


def test_tags_get_one_spelling_and_lose_what_is_technical():
    tags = {"TITLE": "T", "AlbumArtist": "A", "TRACKNUMBER": "3", "title": "second", "artist": ""}
    technical = {"ENCODER": "x", "iTunNORM": "0", "replaygain_album_peak": "1", "compatible_brands": "M4A"}
    assert clean_tags(tags | technical) == {"title": "T", "album_artist": "A", "track": "3"}


def test_vorbis_comments_have_the_names_of_the_standard():
    comments = vorbis_comments({"track": "3", "album_artist": "A\0B", "a=b": "c"})
    assert comments == [("TRACKNUMBER", "3"), ("ALBUMARTIST", "A"), ("ALBUMARTIST", "B"), ("A_B", "c")]
    assert picture_comment(Cover(b"\x89PNG", "image/png"))[0] == "METADATA_BLOCK_PICTURE"


def test_pictures_are_known_by_their_first_bytes():
    assert picture_mime(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert picture_mime(b"\x89PNG\r\n") == "image/png"
    assert picture_mime(b"?") == "application/octet-stream"
