"""`denoise` of videos: they stay videos, unless sound alone is asked for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from tests.audio_io.film_maker import RATE, Sound, clicks, make_film, packets, rotation, sound, turn

Program = Callable[..., Any]
UNCHANGED = ("--model", "declick", "--strength", 0)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    sounds = [Sound(clicks(2.0), {"language": "eng"}), Sound(0.5 * clicks(2.0), {"language": "deu"}, is_default=True)]
    make_film(path, sounds, muxer="mp4", seconds=2.0, chapters=True)
    turn(path)
    return path


def test_a_video_stays_a_video(program: Program, clip: Path, tmp_path: Path) -> None:
    ended = program("denoise", clip, *UNCHANGED, "--json")
    assert ended.code == 0, ended.err
    target = tmp_path / "clip_clean.mp4"
    (record,) = json.loads(ended.out)
    assert (record["output"], record["output_format"], record["audio_stream"]) == (str(target), "mp4", 2)
    assert any(warning.startswith("W122 audio stream 2 of 2 is read (deu") for warning in record["warnings"])
    assert packets(target, "video") == packets(clip, "video")
    assert packets(target, "audio", 0) == packets(clip, "audio", 0)
    assert rotation(target) == -90
    with av.open(str(target)) as container:
        assert len(container.chapters()) == 2
    before, after = sound(clip, 1)[0], sound(target, 1)[0]
    assert before.shape == after.shape
    assert np.corrcoef(before[0], after[0])[0, 1] > 0.99


@pytest.mark.parametrize(("codec", "name"), [("flac", "flac"), ("mp3", "mp3float"), ("opus", "opus")])
def test_the_codec_of_the_sound_can_be_named(program: Program, clip: Path, codec: str, name: str) -> None:
    ended = program("denoise", clip, *UNCHANGED, "--codec", codec, "--json")
    assert ended.code == 0, ended.err
    with av.open(str(clip.with_name("clip_clean.mp4"))) as container:
        assert [stream.codec_context.name for stream in container.streams.audio] == ["aac", name]
    (record,) = json.loads(ended.out)
    assert not any(warning.startswith("W123") for warning in record["warnings"])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--codec", "pcm", "--format", "webm"), "webm does not hold pcm; choose opus"),
        (("--codec", "flac", "--format", "wav"), "a codec is for the sound of a whole video"),
        (("--codec", "wma"), "codec"),
    ],
)
def test_a_codec_that_cannot_be_is_refused(
    program: Program, clip: Path, words: tuple[str, ...], complaint: str
) -> None:
    ended = program("denoise", clip, *UNCHANGED, *words)
    assert ended.code == 2
    assert complaint in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--format", "wav"), "clip_clean.wav"),
        (("-o", "sound.flac"), "sound.flac"),
        (("--start", "0.5"), "clip_clean.wav"),
        (("-o", "other.mkv"), "other.mkv"),
        (("--format", "mov", "-o", "out/"), "out/clip_clean.mov"),
        (("--format", "keep"), "clip_clean.mp4"),
    ],
)
def test_what_is_written(program: Program, clip: Path, tmp_path: Path, words: tuple[str, ...], name: str) -> None:
    ended = program("denoise", clip, *UNCHANGED, *words)
    assert ended.code == 0, ended.err
    if name.endswith(("wav", "flac")):
        assert soundfile.info(tmp_path / name).samplerate == RATE
    else:
        frames = [digest for _, _, digest in packets(tmp_path / name, "video")]
        assert frames == [digest for _, _, digest in packets(clip, "video")]
    assert ("W123 only the sound is written" in " ".join(ended.err.split())) == (words[0] == "--start")


def test_what_was_removed_is_sound_alone(program: Program, clip: Path, tmp_path: Path) -> None:
    """A recording of the same name must not meet it."""
    soundfile.write(tmp_path / "clip.wav", np.zeros((RATE, 2)), RATE)
    assert program("denoise", clip, "clip.wav", *UNCHANGED, "--removed", "-o", "out").code == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "clip_mp4_clean.mp4", "clip_mp4_clean_removed.wav", "clip_wav_clean.wav", "clip_wav_clean_removed.wav",
    ]  # fmt: skip
    removed, rate = soundfile.read(tmp_path / "out/clip_mp4_clean_removed.wav")
    assert rate == RATE
    assert not removed.any()


def test_a_format_of_videos_is_for_videos(program: Program, clip: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros(RATE), RATE)
    ended = program("denoise", "song.wav", "--format", "mp4")
    assert ended.code == 2
    assert "mp4 is for videos, and this has no picture; choose wav, flac or m4a" in " ".join(ended.err.split())
    ended = program("denoise", clip, "--format", "mp4", "--duration", 1, "-o", "part.mp4")
    assert ended.code == 2
    assert "mp4 is for whole videos, from file to file" in " ".join(ended.err.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "song.wav"]


def test_a_sound_that_is_not_there_is_named_with_the_others(program: Program, clip: Path) -> None:
    ended = program("denoise", clip, "--audio-stream", 3)
    assert ended.code == 5
    message = " ".join(ended.err.split())
    assert "has 2 audio streams, no number 3; choose 1 to 2: 1 is eng, stereo; 2 is deu, stereo, default" in message


def test_the_recording_is_spared(program: Program, clip: Path, tmp_path: Path) -> None:
    before = clip.read_bytes()
    assert program("denoise", clip, *UNCHANGED, "-o", clip, "--overwrite").code == 9
    assert clip.read_bytes() == before
    (tmp_path / "clip_clean.mp4").write_bytes(b"mine")
    ended = program("denoise", clip, *UNCHANGED)
    assert ended.code == 9
    assert "--overwrite replaces it, --skip-existing leaves" in " ".join(ended.err.split())
    assert (tmp_path / "clip_clean.mp4").read_bytes() == b"mine"


def test_a_page_compares_the_sound_that_was_restored(program: Program, clip: Path, tmp_path: Path) -> None:
    ended = program("denoise", clip, "--model", "dehum", "--audio-stream", 1, "--report", "-o", "out/")
    assert ended.code == 0, ended.err
    assert len(list((tmp_path / "out").glob("*.html"))) == 1


def test_a_plan_shows_the_video(program: Program, clip: Path, tmp_path: Path) -> None:
    ended = program("denoise", clip, *UNCHANGED, "--dry-run", "--json")
    (record,) = json.loads(ended.out)
    assert record["output"] == str(tmp_path / "clip_clean.mp4")
    assert record["duration_seconds"] == pytest.approx(2.0, abs=0.1)
    assert record["stages"] == ["declick"]
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
