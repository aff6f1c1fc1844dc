"""Which sound of a film is read, and how long it is said to be."""

import io

import av
import numpy as np
import pytest

from concertclean.audio_io.reader import AudioReader
from concertclean.errors import AudioFileError
from tests.audio_io.sound_bytes import PCM, encoded, order_of, stored, tones

RATE = 48_000


def film(
    muxer: str,
    codec: str,
    *,
    default: int | None = None,
    n_sounds: int = 3,
    picture_seconds: float = 0.0,
    start: int = 0,
    n_samples: int = RATE,
) -> bytes:
    """A film whose sound number k is a tone of its own; the one marked as default is counted from 0."""
    file = io.BytesIO()
    with av.open(file, "w", format=muxer) as container:
        sounds = [container.add_stream(codec, rate=RATE, layout="mono") for _ in range(n_sounds)]
        for number, sound in enumerate(sounds):
            sound.metadata["language"] = ("eng", "fra", "deu")[number]
            is_default = default is None or number == default
            sound.disposition = av.stream.Disposition.default if is_default else av.stream.Disposition(0)
        picture = None
        if picture_seconds:
            picture = container.add_stream("mpeg4", rate=25)
            picture.width = picture.height = 64
            picture.pix_fmt = "yuv420p"
        container.start_encoding()
        if picture is not None:
            for number in range(round(25 * picture_seconds)):
                frame = av.VideoFrame(64, 64, "yuv420p")
                frame.pts = number
                container.mux(picture.encode(frame))
            container.mux(picture.encode(None))
        for sound, tone in zip(sounds, tones(n_sounds, n_samples, RATE), strict=True):
            storage = sound.codec_context.format.name
            convert = av.AudioResampler(format=storage, layout="mono", rate=RATE)
            frame = av.AudioFrame.from_ndarray(tone.astype(np.float32)[None], "flt", "mono")
            frame.sample_rate, frame.pts = RATE, start
            size = sound.codec_context.frame_size or 1024
            fifo = av.AudioFifo()
            for converted in convert.resample(frame):
                converted.pts = None
                fifo.write(converted)
            place = start
            while (part := fifo.read(size, partial=True)) is not None:
                part.pts, place = place, place + part.samples
                container.mux(sound.encode(part))
            container.mux(sound.encode(None))
    return file.getvalue()


def number_read(content: bytes, audio_stream: int | None = None) -> tuple[int, list[str]]:
    with AudioReader(io.BytesIO(content), audio_stream=audio_stream) as reader:
        waveform = reader.read_all()
        assert reader.info.audio_stream - 1 == order_of(waveform)[0]
        return order_of(waveform)[0], reader.warnings


@pytest.mark.parametrize("default", [0, 1, 2])
def test_the_sound_marked_as_default_is_read_and_reported(default):
    number, warnings = number_read(film("matroska", "flac", default=default))
    assert number == default
    language = ("eng", "fra", "deu")[default]
    assert warnings == [f"W122 audio stream {default + 1} of 3 is read ({language}, mono, default)"]


@pytest.mark.parametrize("muxer", ["matroska", "mp4"])
def test_the_first_is_read_where_several_are_or_none_is_default(muxer):
    assert number_read(film(muxer, "aac" if muxer == "mp4" else "flac"))[0] == 0
    assert number_read(film("matroska", "flac", default=9))[0] == 0


@pytest.mark.parametrize("wanted", [1, 2, 3])
@pytest.mark.parametrize(("muxer", "codec"), [("matroska", "flac"), ("mp4", "aac"), ("mov", "pcm_s16le")])
def test_another_sound_is_read_if_asked_for(muxer, codec, wanted):
    number, warnings = number_read(film(muxer, codec), wanted)
    assert number == wanted - 1
    assert warnings[0].startswith(f"W122 audio stream {wanted} of 3")


def test_a_sound_that_is_not_there_is_refused_with_those_that_are():
    content = film("matroska", "flac")
    for wanted in (0, 4):
        with pytest.raises(AudioFileError, match=f"-: has 3 audio streams, no number {wanted}; choose 1 to 3"):
            AudioReader(io.BytesIO(content), audio_stream=wanted)
    for kind in ("WAV", "FLAC"):
        with pytest.raises(AudioFileError, match="has 1 audio stream, no number 2; choose 1 to 1"):
            AudioReader(io.BytesIO(stored(PCM, kind)), audio_stream=2)


def test_one_sound_needs_no_word():
    with AudioReader(io.BytesIO(stored(PCM, "FLAC")), audio_stream=1) as reader:
        assert reader.read_all().shape == (1, len(PCM))
        assert reader.warnings == []
        assert (reader.info.audio_stream, reader.info.n_audio_streams) == (1, 1)


@pytest.mark.parametrize(("muxer", "codec"), [("matroska", "flac"), ("avi", "pcm_s16le"), ("mov", "pcm_s16le")])
@pytest.mark.parametrize("start", [0, RATE // 2])
def test_a_picture_that_outlasts_the_sound_is_no_reason_to_miss_sound(muxer, codec, start):
    content = film(muxer, codec, n_sounds=1, picture_seconds=3, start=start)
    with AudioReader(io.BytesIO(content)) as reader:
        assert reader.read_all().shape[1] == RATE
        assert reader.warnings == []


def test_a_film_cut_off_is_still_told():
    content = film("matroska", "flac", n_sounds=1, picture_seconds=3, n_samples=5 * RATE)
    with AudioReader(io.BytesIO(content[: len(content) // 2])) as reader:
        assert reader.read_all().shape[1] < 4 * RATE
        assert any(warning.startswith("W103") for warning in reader.warnings)


def test_opus_that_starts_later_than_0_is_whole():
    """A piece cut out of net radio keeps the time stamps of the whole."""
    source = encoded(tones(1, 4 * RATE), "ogg", "libopus", "mono")
    cut = io.BytesIO()
    with av.open(io.BytesIO(source)) as whole, av.open(cut, "w", format="ogg") as part:
        stream = part.add_stream_from_template(whole.streams.audio[0])
        for packet in whole.demux(whole.streams.audio[0]):
            if packet.size and packet.pts * packet.time_base >= 1:
                packet.stream = stream
                part.mux(packet)
    with AudioReader(io.BytesIO(cut.getvalue())) as reader:
        assert reader.read_all().shape[1] == pytest.approx(3 * RATE, abs=5000)
        assert reader.warnings == []
