"""Pictures: whichever is broken, mislabelled or too large, the music is written, and a warning says what is missing."""

import io
import struct

import av
import numpy as np
import pytest

from concertclean.audio_io import covers
from concertclean.audio_io.formats import FORMATS, Cover, Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.tags import picture_mime
from concertclean.audio_io.writer import AudioWriter

WITH_COVER = [name for name, entry in FORMATS.items() if entry.is_writable and entry.holds_cover]
RATE = 48_000
CUT_JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0"


def written(kind, cover, path=None):
    file = io.BytesIO() if path is None else path
    with AudioWriter(file, Storage(kind, RATE, 2), cover=cover, tags={"title": "T"}) as writer:
        writer.write(np.zeros((2, 5_000)))
    return file, writer.warnings


def read(file):
    if isinstance(file, io.BytesIO):
        file.seek(0)
    with AudioReader(file) as reader:
        return reader.info, reader.read_all()


@pytest.mark.parametrize(
    ("data", "mime", "fault"),
    [
        (CUT_JPEG, "image/jpeg", "the JPEG picture is damaged"),
        (b"\x89PNG\r\n\x1a\n", "image/png", "the PNG picture is damaged"),
        (b"\x89PNG" + bytes(200), "image/png", "the PNG picture is damaged"),
        (b"", "image/jpeg", "the JPEG picture is damaged"),
        (b"GIF89a" + bytes(50), "image/gif", "image/gif is not JPEG or PNG"),
        (bytes(300), "application/octet-stream", "application/octet-stream is not JPEG or PNG"),
    ],
)
@pytest.mark.parametrize("kind", WITH_COVER)
def test_picture_that_cannot_be_shown_is_left_out(kind, data, mime, fault):
    file, warnings = written(kind, Cover(data, mime))
    assert warnings == [f"W111 the cover was left out: {fault}"]
    info, waveform = read(file)
    assert (info.cover, info.tags, waveform.shape) == (None, {"title": "T"}, (2, 5_000))


@pytest.mark.parametrize("kind", WITH_COVER)
def test_mislabelled_picture_is_left_out(kind, jpeg):
    """A JPEG that calls itself PNG."""
    file, warnings = written(kind, Cover(jpeg, "image/png"))
    assert warnings == ["W111 the cover was left out: the PNG picture is damaged"]
    assert read(file)[1].shape == (2, 5_000)


@pytest.mark.parametrize("kind", WITH_COVER)
def test_picture_that_is_too_large_is_left_out(kind, cover, monkeypatch):
    monkeypatch.setitem(covers._LARGEST_BYTES, kind, len(cover.data) - 1)
    file, warnings = written(kind, cover)
    assert len(warnings) == 1
    assert warnings[0].startswith(f"W111 the cover was left out: it has 0.00 MB, {kind} holds")
    assert read(file)[1].shape == (2, 5_000)


def test_flac_takes_no_picture_longer_than_its_block(jpeg):
    _, warnings = written("flac", Cover(jpeg + bytes(2**24), "image/jpeg"))
    assert warnings == ["W111 the cover was left out: it has 16.78 MB, flac holds 16.75 MB"]


@pytest.mark.parametrize("kind", WITH_COVER)
def test_large_picture_within_the_limit_is_kept(kind, jpeg, tmp_path):
    """Bytes after the end of a JPEG are allowed, and kept."""
    large = Cover(jpeg + bytes(range(256)) * 40_000, "image/jpeg")
    path, warnings = written(kind, large, tmp_path / f"a{FORMATS[kind].extensions[0]}")
    assert warnings == []
    info, waveform = read(path)
    assert info.cover == large
    assert waveform.shape == (2, 5_000)


@pytest.mark.parametrize("kind", ["mp3", "m4a", "alac"])
def test_picture_that_ffmpeg_refuses_after_all_is_left_out(kind, cover, monkeypatch):
    """Whatever the reason: the blame is the picture's, not the sample rate's."""

    def refuse(container, encoding):
        if encoding.cover is not None:
            raise av.error.InvalidDataError(22, "no")

    monkeypatch.setattr("concertclean.audio_io.encoder.add_cover", refuse)
    file, warnings = written(kind, cover)
    assert warnings == [f"W111 the cover was left out: {kind} refuses it"]
    assert read(file)[1].shape == (2, 5_000)


def flac_with(pictures):
    """A FLAC file with several pictures, as `(type, data)`, written by hand around FFmpeg's."""
    file, _ = written("flac", None)
    data = file.getvalue()
    blocks = b""
    for kind, picture in pictures:
        mime = picture_mime(picture).encode()
        block = (
            struct.pack(">II", kind, len(mime)) + mime + struct.pack(">IIIIII", 0, 8, 8, 24, 0, len(picture)) + picture
        )
        blocks += b"\x06" + len(block).to_bytes(3, "big") + block
    return io.BytesIO(data[:42] + blocks + data[42:])  # after the signature and the first block


@pytest.mark.parametrize("order", [[4, 3, 5], [3, 4], [5, 4, 3]])
def test_front_cover_is_the_front_cover(order, jpeg, large_cover):
    """3 is the front cover, 4 the back, 5 a leaflet."""
    file = flac_with([(kind, jpeg if kind == 3 else large_cover.data) for kind in order])
    info, _ = read(file)
    assert info.cover == Cover(jpeg, "image/jpeg")


def test_without_a_front_cover_the_first_picture_is_it(jpeg, large_cover):
    info, _ = read(flac_with([(4, large_cover.data), (5, jpeg)]))
    assert info.cover == large_cover


def test_picture_and_tags_share_the_header_of_flac(jpeg):
    """Each would fit alone."""
    large = Cover(jpeg + bytes(2**24 - 2**20), "image/jpeg")
    for tags, n_warnings in (({"lyrics": "x" * 1_000}, 0), ({"lyrics": "x" * 2**21}, 1)):
        file = io.BytesIO()
        with AudioWriter(file, Storage("flac", RATE, 2), cover=large, tags=tags) as writer:
            writer.write(np.zeros((2, 5_000)))
        assert [warning[:4] for warning in writer.warnings] == ["W111"] * n_warnings
        info, waveform = read(file)
        assert info.tags == tags
        assert (info.cover == large) == (not n_warnings)
        assert waveform.shape == (2, 5_000)
