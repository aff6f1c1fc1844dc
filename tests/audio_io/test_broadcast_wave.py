"""Broadcast Wave: what field recorders and editors write beside the sound goes from WAV to WAV and moves with a cut."""

import struct

import numpy as np
import pytest
import soundfile

from concertclean.audio_io.formats import Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.wave_chunks import moved, read_chunks
from concertclean.audio_io.writer import AudioWriter
from concertclean.config.denoise import DenoiseSettings
from concertclean.restore.build import build_restorer
from concertclean.restore.pipeline import Denoiser

RATE = 48_000
REFERENCE = 5_000_000_000  # more than 32 bits
IXML = b"<?xml version='1.0'?><BWFXML><SCENE>12</SCENE></BWFXML>"


def bext(reference=REFERENCE):
    text = b"Take 7".ljust(256, b"\0") + b"Recorder".ljust(32, b"\0") + bytes(32) + b"2024-05-0620:00:00"
    return text + struct.pack("<Q", reference) + bytes(2 + 64 + 190) + b"A=PCM\r\n"


def cues(*samples):
    points = b"".join(struct.pack("<II4sIII", n + 1, sample, b"data", 0, 0, sample) for n, sample in enumerate(samples))
    return struct.pack("<I", len(samples)) + points


LABELS = b"adtl" + b"labl" + struct.pack("<II", 8, 1) + b"one\0"


def chunk(kind, data):
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) & 1)


@pytest.fixture
def take(tmp_path):
    """A Broadcast Wave file: bext before the sound, the rest behind, iXML of an odd length."""
    waveform = np.random.default_rng(0).integers(-20_000, 20_000, (2, RATE)).astype("<i2")
    body = chunk(b"bext", bext()) + chunk(b"fmt ", struct.pack("<HHIIHH", 1, 2, RATE, 4 * RATE, 4, 16))
    body += chunk(b"data", waveform.T.tobytes()) + chunk(b"cue ", cues(100, 20_000, 30_000)) + chunk(b"LIST", LABELS)
    body += chunk(b"LIST", b"INFO" + chunk(b"INAM", b"Concert\0")) + chunk(b"iXML", IXML) + chunk(b"junk", b"x")
    path = tmp_path / "take.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WAVE" + body)
    return path


def chunks_of(path):
    with path.open("rb") as file:
        return dict(read_chunks(file))


def denoised(source, target, **settings):
    given = DenoiseSettings(model="declick", strength=0, threads=1, **settings)
    return Denoiser(build_restorer(("declick",), given), given).run(source, target)


def test_chunks_are_read(take):
    with AudioReader(take) as reader:
        assert reader.info.chunks == (
            (b"bext", bext()),
            (b"cue ", cues(100, 20_000, 30_000)),
            (b"LIST", LABELS),
            (b"iXML", IXML),
        )
        assert reader.info.tags["title"] == "Concert"


@pytest.mark.parametrize("extension", [".wav", ".rf64", ".bwf"])
def test_chunks_go_from_wav_to_wav(extension, take, tmp_path):
    target = tmp_path / f"out{extension}"
    report = denoised(take, target)
    assert chunks_of(target) == {b"bext": bext(), b"cue ": cues(100, 20_000, 30_000), b"LIST": LABELS, b"iXML": IXML}
    assert target.read_bytes().count(b"bext") == 1
    assert np.array_equal(soundfile.read(target)[0], soundfile.read(take)[0])
    assert not [warning for warning in report.warnings if warning.startswith("W119")]
    data = target.read_bytes()
    size = data[20:28] if extension == ".rf64" else data[4:8]
    assert int.from_bytes(size, "little") == len(data) - 8
    with AudioReader(target) as reader:
        assert reader.info.tags["title"] == "Concert"
        assert reader.info.tags["time_reference"] == str(REFERENCE)


def test_times_move_with_the_start(take, tmp_path):
    denoised(take, tmp_path / "out.wav", start_seconds=0.25)
    found = chunks_of(tmp_path / "out.wav")
    assert found[b"bext"] == bext(REFERENCE + 12_000)
    assert found[b"cue "] == struct.pack("<I", 2) + b"".join(
        struct.pack("<II4sIII", name, sample, b"data", 0, 0, sample) for name, sample in ((2, 8_000), (3, 18_000))
    )
    assert found[b"iXML"] == IXML


def test_what_flac_has_no_place_for_is_reported(take, tmp_path):
    report = denoised(take, tmp_path / "out.flac", format="flac", start_seconds=0.25)
    (warning,) = [warning for warning in report.warnings if warning.startswith("W119")]
    assert warning == (
        "W119 flac has no place for broadcast extension (bext), cue points, names of cue points, iXML; wav has"
    )
    with AudioReader(tmp_path / "out.flac") as reader:
        assert reader.info.tags["time_reference"] == str(REFERENCE + 12_000)
        assert reader.info.chunks == ()


def test_damaged_chunks_are_no_reason_to_refuse(take, tmp_path):
    data = take.read_bytes()
    short = data.replace(chunk(b"bext", bext()), chunk(b"bext", b"short"))
    short = short.replace(chunk(b"cue ", cues(100, 20_000, 30_000)), chunk(b"cue ", b"\x09\0\0\0\x01"))
    path = tmp_path / "damaged.wav"
    path.write_bytes(short[:4] + struct.pack("<I", len(short) - 8) + short[8:])
    denoised(path, tmp_path / "out.wav", start_seconds=0.1)
    assert chunks_of(tmp_path / "out.wav")[b"bext"] == b"short"
    assert chunks_of(tmp_path / "out.wav")[b"cue "] == bytes(4)
    assert moved(((b"cue ", b""), (b"bext", b"")), 5) == ((b"cue ", bytes(4)), (b"bext", b""))


def test_chunks_survive_the_writer_alone(tmp_path):
    with AudioWriter(tmp_path / "a.wav", Storage("wav", RATE, 1), chunks=((b"iXML", IXML),)) as writer:
        writer.write(np.zeros((1, 3)))  # an odd number of bytes at 24 bits
    assert chunks_of(tmp_path / "a.wav") == {b"iXML": IXML}
    assert soundfile.info(tmp_path / "a.wav").frames == 3
