"""Tags from every format to every other: what a container has no name for is kept elsewhere in it, or reported."""

import io
import itertools
from fractions import Fraction

import av
import numpy as np
import pytest

from concertclean.audio_io.formats import FORMATS, Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.tags import clean_tags, with_repeated
from concertclean.audio_io.writer import AudioWriter

WRITABLE = [name for name, entry in FORMATS.items() if entry.is_writable]
RATE = 48_000
TAGS = {
    "title": "Träumerei", "artist": "Anna", "album": "Live", "album_artist": "Various", "composer": "Schumann",
    "genre": "Jazz", "date": "1999-03-02", "track": "3/9", "disc": "1/2", "isrc": "DEA123456789", "bpm": "120",
    "lyrics": "one\ntwo", "comment": "second night", "copyright": "me", "conductor": "C", "lyricist": "L",
    "publisher": "P", "label": "X", "musicbrainz_trackid": "0-1",
}  # fmt: skip
REPEATED = {"title": "T", "artist": "Anna\0Bela\0Cora", "genre": "Jazz\0Latin", "composer": "A;B"}


def written(kind, tags, path=None):
    file = io.BytesIO() if path is None else path
    with AudioWriter(file, Storage(kind, RATE, 2), tags=tags) as writer:
        writer.write(np.zeros((2, 5_000)))
    return file, writer.warnings


def tags_of(file):
    if isinstance(file, io.BytesIO):
        file.seek(0)
    with AudioReader(file) as reader:
        assert reader.read_all().shape == (2, 5_000)
        return reader.info.tags


@pytest.mark.parametrize("kind", WRITABLE)
def test_common_tags_survive_in_every_format(kind):
    file, warnings = written(kind, TAGS)
    assert tags_of(file) == TAGS
    if kind == "wav":
        (warning,) = warnings
        assert warning.startswith(
            "W119 wav has no name for album_artist, composer, disc, isrc, bpm, lyrics, conductor,"
        )
        assert warning.endswith("; an ID3 chunk holds them, which few programs read")
    else:
        assert warnings == []


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(WRITABLE, 2)))
def test_common_tags_survive_from_format_to_format(first, second):
    file, _ = written(first, TAGS)
    assert tags_of(written(second, tags_of(file))[0]) == TAGS


@pytest.mark.parametrize("kind", WRITABLE)
def test_no_tags_are_no_tags(kind):
    file, warnings = written(kind, {})
    assert (tags_of(file), warnings) == ({}, [])


@pytest.mark.parametrize("kind", ["flac", "ogg", "opus"])
def test_repeated_values_stay_repeated(kind):
    file, _ = written(kind, REPEATED)
    data = file.getvalue()
    assert [data.count(b"ARTIST=" + name) for name in (b"Anna", b"Bela", b"Cora")] == [1, 1, 1]
    assert data.count(b"COMPOSER=A;B") == 1
    assert tags_of(file) == REPEATED


@pytest.mark.parametrize("kind", ["m4a", "alac", "mp3"])
def test_repeated_values_stand_together_where_there_is_place_for_one(kind):
    file, _ = written(kind, REPEATED)
    assert tags_of(file)["artist"] == "Anna; Bela; Cora"


def test_values_are_taken_from_the_file_not_from_what_joins_them():
    tags = with_repeated(
        {"artist": "A;B", "album_artist": "C"}, [("Artist", "A"), ("ARTIST", "B"), ("ALBUMARTIST", "C")]
    )
    assert tags == {"artist": "A\0B", "album_artist": "C"}


def test_wave64_has_no_place_for_tags(tmp_path):
    path, warnings = written("wav", {"title": "T", "isrc": "I"}, tmp_path / "a.w64")
    assert warnings == ["W119 w64 has no place for tags: title, isrc; flac has, and wav for most"]
    assert tags_of(path) == {}


@pytest.mark.parametrize("extension", [".wav", ".rf64", ".bwf"])
def test_kin_of_wav_keep_all_tags(extension, tmp_path):
    path, _ = written("wav", TAGS, tmp_path / f"a{extension}")
    broadcast = {"time_reference": "0"} if extension == ".bwf" else {}
    assert tags_of(path) == TAGS | broadcast
    with av.open(str(path)) as container:  # under the name of the ID3 frame, where other programs look for it
        assert container.metadata["TSRC"] == TAGS["isrc"]


def test_many_long_tags(tmp_path):
    """Longer than the padding that FFmpeg leaves in FLAC, and than a page of Ogg."""
    tags = {f"note {number}": "ä" * 1_000 for number in range(60)}
    for kind in ("flac", "ogg", "opus", "mp3", "m4a", "wav"):
        assert tags_of(written(kind, tags)[0]) == tags


def test_statistics_and_names_of_streams_are_not_tags_of_the_recording():
    technical = {
        "BPS": "1", "BPS-eng": "1", "DURATION": "0:1", "DURATION-eng": "0:1", "NUMBER_OF_FRAMES": "3",
        "NUMBER_OF_BYTES-eng": "3", "_STATISTICS_TAGS": "BPS", "_STATISTICS_WRITING_APP-eng": "mkvmerge",
        "SoundHandler": "x", "handler_name": "SoundHandler", "encoder": "Lavf", "language": "eng", "SOURCE_ID": "1",
    }  # fmt: skip
    assert clean_tags(technical | {"title": "T"}) == {"title": "T"}


def test_title_of_a_matroska_track_is_not_the_recordings(tmp_path):
    path = tmp_path / "a.mka"
    with av.open(str(path), "w", format="matroska") as container:
        container.metadata["title"] = "The concert"
        stream = container.add_stream("flac", rate=RATE, layout="stereo", format="s16")
        stream.time_base = Fraction(1, RATE)
        stream.metadata.update({"title": "Stereo mix", "language": "eng", "BPS": "1", "ARTIST": "nobody"})
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 9_600), np.int16), "s16", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with AudioReader(path) as reader:
        assert reader.info.tags == {"title": "The concert"}


def test_description_beside_a_comment_is_kept():
    assert clean_tags({"COMMENT": "a", "DESCRIPTION": "b"}) == {"comment": "a", "description": "b"}
    assert clean_tags({"DESCRIPTION": "b"}) == {"comment": "b"}


def test_mask_of_the_channels_stays_in_flac(tmp_path):
    """FFmpeg keeps it in a comment of its own."""
    path = tmp_path / "a.flac"
    with AudioWriter(path, Storage("flac", RATE, 3, channel_layout="2.1"), tags={"title": "T"}) as writer:
        writer.write(np.zeros((3, 100)))
    with av.open(str(path)) as container:
        assert container.streams.audio[0].layout.name == "2.1"
    with AudioReader(path) as reader:
        assert reader.info.tags == {"title": "T"}


@pytest.mark.parametrize("kind", WRITABLE)
def test_tags_that_no_header_holds_are_left_out(kind):
    file, warnings = written(kind, {"title": "T", "lyrics": "x" * 20_000_000, "artist": "A"})
    assert "W119 too long, left out: lyrics; shorten the tags" in warnings
    assert tags_of(file) == {"title": "T", "artist": "A"}


@pytest.mark.parametrize("kind", WRITABLE)
def test_names_and_values_that_are_no_text_do_no_harm(kind):
    file, _ = written(kind, {"title": "a\udcffb", "naïve = ü": "x", "artist": "A"})
    tags = tags_of(file)
    assert (tags["title"], tags["artist"]) == ("a?b", "A")
    assert list(tags.values()).count("x") == 1
