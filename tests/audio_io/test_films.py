"""Videos whose sound is replaced: everything else must be there again, and at the same time."""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from concertclean.audio_io.film_formats import film_format, sound_format
from concertclean.audio_io.formats import AudioInfo, Clock, Film, Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.errors import OutputError
from tests.audio_io import film_maker
from tests.audio_io.film_maker import RATE, Sound, clicks, make_film, packets, rotation, sound, turn

pytestmark = pytest.mark.skipif("libx264" not in av.codecs_available, reason="FFmpeg lacks encoders for the videos")


def copy(
    source: Path, target: Path, *, audio_stream: int | None = None, change: Callable[..., np.ndarray] = np.copy
) -> list[str]:
    """Write a video again with its own sound, changed, and return the warnings."""
    with AudioReader(source, audio_stream=audio_stream) as reader:
        info = reader.info
        container = film_format(info, "auto" if target.suffix == source.suffix else target.suffix[1:])
        name, _ = sound_format(info, str(container))
        film = Film(source, info.audio_stream, str(container), info.sample_rate, lambda: reader.clock)
        storage = Storage(name, info.sample_rate, info.channels, info.bit_depth, bit_rate=256_000, film=film)
        with AudioWriter(target, storage) as writer:
            for block in reader.blocks(info.sample_rate):
                writer.write(change(block))
            return writer.warnings


def lag(reference: np.ndarray, estimate: np.ndarray) -> int:
    """By how many samples the second comes later, of the first channel of each."""
    n_samples = max(reference.shape[1], estimate.shape[1])
    spectra = [np.fft.rfft(each[0], 2 * n_samples) for each in (reference, estimate)]
    similarity = np.fft.irfft(spectra[0].conj() * spectra[1])
    best = int(np.argmax(similarity))
    return best if best < n_samples else best - 2 * n_samples


def shift(source: Path, target: Path, *, number: int = 0, rate: int = RATE) -> float:
    """By how many samples the sound of the second video comes later on its clock."""
    (before, begin), (after, begin_after) = sound(source, number), sound(target, number)
    return lag(before, after) + float((begin_after - begin) * rate)


@pytest.fixture
def evening(tmp_path: Path) -> Path:
    """A phone's video, held upright, with two sounds, subtitles and chapters; the second sound is the default."""
    path = tmp_path / "evening.mp4"
    sounds = [
        Sound(0.1 * clicks(3.0), {"language": "eng"}),
        Sound(clicks(3.0), {"language": "deu"}, is_default=True),
    ]
    tags = {"title": "Evening", "location": "+48.1000+011.5000/", "creation_time": "2024-05-01T12:00:00.000000Z"}
    make_film(path, sounds, muxer="mp4", picture="libx264", titles="mov_text", chapters=True, tags=tags)
    turn(path)
    return path


def test_everything_but_the_sound_is_copied(evening: Path, tmp_path: Path) -> None:
    target = tmp_path / "clean.mp4"
    assert rotation(evening) == -90  # the video is what it should be
    assert copy(evening, target) == []
    for kind, number in (("video", 0), ("audio", 0), ("subtitle", 0)):
        before = packets(evening, kind, number)
        assert len(before) > 1
        assert packets(target, kind, number) == before
    assert rotation(target) == -90
    with av.open(str(evening)) as before, av.open(str(target)) as after:
        for each in (before, after):
            each.metadata.pop("encoder", None)
        assert after.metadata == before.metadata
        assert [chapter["metadata"]["title"] for chapter in after.chapters()] == ["Tuning", "Waltz"]
        assert [chapter["start"] * chapter["time_base"] for chapter in after.chapters()] == [0, 1]
        facts = [[_facts(stream) for stream in each.streams if stream.type != "data"] for each in (before, after)]
    assert facts[0] == facts[1]


def _facts(stream: object) -> tuple[object, ...]:
    codec = stream.codec_context  # type: ignore[attr-defined]
    names = ("type", "metadata", "disposition", "time_base", "start_time")
    return (None if codec is None else (codec.name, codec.codec_tag), *(getattr(stream, name) for name in names))


def test_only_the_chosen_sound_changes(evening: Path, tmp_path: Path) -> None:
    copy(evening, tmp_path / "clean.mp4", audio_stream=1, change=np.negative)
    assert packets(tmp_path / "clean.mp4", "audio", 1) == packets(evening, "audio", 1)
    before, after = sound(evening, 0)[0], sound(tmp_path / "clean.mp4", 0)[0]
    assert np.corrcoef(before[0], after[0])[0, 1] < -0.9


_CASES = {
    "mp4": ("mp4", "aac", "fltp", RATE), "mov": ("mov", "aac", "fltp", 44_100),
    "mkv": ("matroska", "aac", "fltp", RATE),
    "m4v": ("mp4", "alac", "s16p", 44_100), "avi": ("avi", "libmp3lame", "fltp", 44_100),
    "mkv opus": ("matroska", "libopus", "flt", RATE), "mkv flac": ("matroska", "flac", "s16", 44_100),
    "mov pcm": ("mov", "pcm_s16le", "s16", RATE), "avi pcm": ("avi", "pcm_s16le", "s16", RATE),
    "webm": ("webm", "libopus", "flt", RATE), "3gp": ("3gp", "aac", "fltp", RATE),
}  # fmt: skip


@pytest.mark.parametrize("case", _CASES)
@pytest.mark.parametrize("start_seconds", [0.0, 0.25])
def test_sound_stays_with_the_picture(case: str, start_seconds: float, tmp_path: Path) -> None:
    """To the sample; Matroska counts in milliseconds, and rounds the delay of Opus, too."""
    muxer, codec, storage, rate = _CASES[case]
    source, target = (tmp_path / f"{name}.{case.split(maxsplit=1)[0]}" for name in ("before", "after"))
    waveform = clicks(2.0, rate)
    one = Sound(waveform, start_seconds=start_seconds, codec=codec, storage=storage, rate=rate)
    make_film(source, [one], muxer=muxer, seconds=2.5, picture="libvpx-vp9" if muxer == "webm" else "mpeg4")
    assert copy(source, target) == []
    assert packets(target, "video") == packets(source, "video")
    is_rounded = muxer in ("matroska", "webm") and start_seconds
    assert abs(shift(source, target, rate=rate)) <= (0.001 * rate if is_rounded else 0.5)
    with AudioReader(source) as before, AudioReader(target) as after:
        assert after.info.codec == before.info.codec
        first, second = before.read_all(), after.read_all()
    delay = lag(first, second)
    assert delay in (0, 1024)  # an MP4 that begins late keeps the encoder's delay, and begins so much earlier
    assert delay == 0 or start_seconds
    if codec in ("flac", "alac", "pcm_s16le"):
        np.testing.assert_array_equal(second, first)


def test_lossless_sound_in_blocks_is_that_of_the_recording(tmp_path: Path) -> None:
    make_film(tmp_path / "a.mkv", [Sound(clicks(2.0), codec="flac", storage="s32")], muxer="matroska")
    copy(tmp_path / "a.mkv", tmp_path / "b.mkv")
    np.testing.assert_array_equal(sound(tmp_path / "b.mkv")[0], sound(tmp_path / "a.mkv")[0])


def test_sound_that_pauses_keeps_in_step(tmp_path: Path) -> None:
    """A camera that lost sound writes no packets; what comes later must not move forward."""
    whole, source, target = (tmp_path / f"{name}.mkv" for name in ("whole", "gap", "clean"))
    make_film(whole, [Sound(clicks(3.0), codec="pcm_s16le", storage="s16")], muxer="matroska")
    with av.open(str(whole)) as before, av.open(str(source), "w") as after:
        streams = {stream.index: after.add_stream_from_template(stream, opaque=True) for stream in before.streams}
        lost = before.streams.audio[0]
        for packet in before.demux():
            is_lost = packet.stream is lost and packet.dts is not None and 1.0 <= packet.pts * packet.time_base < 1.5
            if packet.dts is not None and not is_lost:
                packet.stream = streams[packet.stream.index]
                after.mux(packet)
    copy(source, target)
    with AudioReader(source) as reader:
        n_found = reader.read_all().shape[1]
        assert len(reader.clock.gaps) == 1
        assert not any("W103" in warning for warning in reader.warnings)
    n_lost = sound(whole)[0].shape[1] - n_found
    assert n_lost > 0.4 * RATE
    restored, reference = sound(target)[0], sound(whole)[0]
    late = slice(2 * RATE, 3 * RATE)
    assert abs(lag(reference[:, late], restored[:, late])) <= 0.001 * RATE
    assert not restored[:, round(1.1 * RATE) : round(1.4 * RATE)].any()


def test_sound_shorter_or_longer_than_the_picture_stays_so(tmp_path: Path) -> None:
    for seconds, name in ((1.0, "short"), (5.0, "long")):
        source, target = tmp_path / f"{name}.mp4", tmp_path / f"{name}_clean.mp4"
        make_film(source, [Sound(clicks(seconds))], muxer="mp4", seconds=3.0)
        copy(source, target)
        assert packets(target, "video") == packets(source, "video")
        assert sound(target)[0].shape[1] == sound(source)[0].shape[1]


def test_shape_of_pixels_and_tags_of_codecs_are_kept(tmp_path: Path) -> None:
    """The container may state another shape than the codec; players of one maker only know the tag hvc1."""
    source, target = tmp_path / "a.mov", tmp_path / "b.mov"
    with av.open(str(tmp_path / "plain.mov"), "w") as container:
        video = container.add_stream("libx264", rate=25, width=64, height=48)
        video.codec_context.codec_tag = "avc3"
        stream = container.add_stream("aac", rate=RATE, layout="stereo")
        for packet in film_maker._picture_packets(video, 1.0) + film_maker._sound_packets(Sound(clicks(1.0)), stream):
            container.mux(packet)
    with av.open(str(tmp_path / "plain.mov")) as before, av.open(str(source), "w") as after:
        copies = [after.add_stream_from_template(stream, opaque=True) for stream in before.streams]
        copies[0].codec_context.codec_tag = "avc3"
        copies[0].codec_context.sample_aspect_ratio = Fraction(4, 3)
        for packet in before.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                after.mux(packet)
    copy(source, target)
    for path in (source, target):
        with av.open(str(path)) as container:
            picture = container.streams.video[0]
            assert (picture.codec_context.codec_tag, picture.sample_aspect_ratio) == ("avc3", Fraction(4, 3))


@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_cover_and_attachments_are_kept(extension: str, tmp_path: Path) -> None:
    source, target = tmp_path / f"a.{extension}", tmp_path / f"b.{extension}"
    make_film(tmp_path / "plain.mp4", [Sound(clicks(1.0))], muxer="mp4", seconds=1.0)
    picture = av.CodecContext.create("png", "w")
    picture.width, picture.height, picture.pix_fmt, picture.time_base = 16, 16, "rgb24", Fraction(1, 25)
    cover = bytes(picture.encode(av.VideoFrame.from_ndarray(np.full((16, 16, 3), 200, np.uint8), "rgb24"))[0])
    (tmp_path / "cover.png").write_bytes(cover)
    with av.open(str(tmp_path / "plain.mp4")) as before, av.open(str(source), "w") as after:
        copies = [after.add_stream_from_template(stream, opaque=True) for stream in before.streams]
        if extension == "mkv":
            after.add_attachment("cover.png", "image/png", cover)
            after.add_attachment("font.ttf", "application/x-truetype-font", b"letters")
        else:
            with av.open(str(tmp_path / "cover.png")) as drawn:
                front = after.add_stream_from_template(drawn.streams.video[0])
                front.disposition = av.stream.Disposition.attached_pic
                packet = next(drawn.demux())
                packet.stream, packet.pts, packet.dts = front, 0, 0
                after.mux(packet)
        for packet in before.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                after.mux(packet)
    copy(source, target)
    with AudioReader(target) as reader:
        assert reader.info.cover is not None
        assert reader.info.cover.data == cover
        assert reader.info.is_film
    with av.open(str(target)) as container:
        letters = [bytes(stream.data) for stream in container.streams if stream.type == "attachment"]
        assert letters == ([b"letters"] if extension == "mkv" else [])


def test_what_a_container_cannot_hold_is_reported(evening: Path, tmp_path: Path) -> None:
    assert copy(evening, tmp_path / "clean.avi") == [
        "W123 avi has no place for subtitle stream 3 (mov_text): left out",
        "W123 avi has no place for chapters: left out",
    ]
    assert [digest for _, _, digest in packets(tmp_path / "clean.avi", "video")] == [
        digest for _, _, digest in packets(evening, "video")
    ]
    with pytest.raises(OutputError, match=r"webm has no place for its video stream 0 \(h264\); set the format to mkv"):
        copy(evening, tmp_path / "clean.webm")
    assert sorted(os.listdir(tmp_path)) == ["clean.avi", "evening.mp4"]


def test_an_interrupted_video_leaves_nothing(evening: Path, tmp_path: Path) -> None:
    def stop(block: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(evening, tmp_path / "clean.mp4", change=stop)
    assert os.listdir(tmp_path) == ["evening.mp4"]


def test_a_video_cut_off_is_copied_as_far_as_it_goes(tmp_path: Path) -> None:
    source, target = tmp_path / "a.mkv", tmp_path / "b.mkv"
    make_film(source, [Sound(clicks(3.0))], muxer="matroska")
    data = source.read_bytes()
    source.write_bytes(data[: len(data) * 2 // 3])
    copy(source, target)
    before = packets(source, "video")
    assert 10 < len(before) < 75
    assert packets(target, "video") == before


def test_a_video_becomes_the_same_bytes_twice(evening: Path, tmp_path: Path) -> None:
    for name in ("one.mp4", "two.mp4"):
        copy(evening, tmp_path / name)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_another_decoder_finds_the_sound_at_the_same_time(evening: Path, tmp_path: Path) -> None:
    copy(evening, tmp_path / "clean.mp4")
    found = []
    for path in (evening, tmp_path / "clean.mp4"):
        words = ["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:a:1", "-f", "f32le", "-ac", "1", "-"]
        data = subprocess.run(words, capture_output=True, check=True).stdout
        found.append(np.frombuffer(data, np.float32)[None])
    assert lag(*found) == 0


_INFO = AudioInfo("a", "mp4", "aac", RATE, 2, "stereo", None, False, False, None, None, is_film=True)


@pytest.mark.parametrize(
    ("container", "codec", "is_lossless", "channels", "expected"),
    [
        ("mp4", "aac", False, 2, ("m4a", None)),
        ("mkv", "vorbis", False, 2, ("m4a", "vorbis cannot be written into mkv")),
        ("webm", "vorbis", False, 2, ("opus", "vorbis cannot be written into webm")),
        ("mp4", "ac3", False, 6, ("m4a", "ac3 cannot be written here")),
        ("3gp", "amr_nb", False, 1, ("m4a", "amr_nb cannot be written here")),
        ("mov", "pcm_s24le", True, 2, ("wav", None)),
        ("mkv", "truehd", True, 8, ("flac", "truehd cannot be written here")),
        ("mov", "flac", True, 2, ("alac", "flac cannot be written into mov")),
        ("avi", "ac3", False, 6, ("wav", "ac3 cannot be written here")),
    ],
)
def test_codec_of_the_new_sound(
    container: str, codec: str, is_lossless: bool, channels: int, expected: tuple[str, str | None]
) -> None:
    info = replace(_INFO, codec=codec, is_lossless=is_lossless, channels=channels)
    assert sound_format(info, container) == expected


@pytest.mark.parametrize(
    ("container", "wanted", "expected"),
    [("mov", "auto", "mov"), ("mpegts", "keep", "mkv"), ("mp4", "mkv", "mkv"), ("mp4", "wav", None)],
)
def test_container_of_the_new_video(container: str, wanted: str, expected: str | None) -> None:
    assert film_format(replace(_INFO, container=container), wanted) == expected
    assert film_format(replace(_INFO, container=container, is_film=False), wanted) is None


def test_sound_alone_has_no_clock(tmp_path: Path) -> None:
    with AudioWriter(tmp_path / "a.wav", Storage("wav", RATE, 1)) as writer:
        writer.write(np.zeros((1, 100)))
    with AudioReader(tmp_path / "a.wav") as reader:
        assert reader.clock == Clock()
        assert not reader.info.is_film
