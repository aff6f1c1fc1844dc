"""Every layout of 1 to 8 channels, in every format: each channel comes back in its place, or none is written."""

import io

import av
import numpy as np
import pytest
import soundfile

from concertclean.audio_io.formats import DEFAULT_LAYOUTS, FORMATS, VORBIS_ORDER, Storage
from concertclean.audio_io.writer import AudioWriter
from concertclean.errors import OutputError

WRITABLE = [name for name, entry in FORMATS.items() if entry.is_writable]
RATE = 48_000
LAYOUTS = [
    "mono", "stereo", "2.1", "3.0", "3.0(back)", "4.0", "quad", "quad(side)", "3.1", "5.0", "5.0(side)", "4.1", "5.1",
    "5.1(side)", "6.0", "6.0(front)", "hexagonal", "6.1", "6.1(back)", "6.1(front)", "7.0", "7.0(front)", "7.1",
    "7.1(wide)", "7.1(wide-side)", "octagonal", "downmix", "FL", "FL+FC", "1 channels (FR)", "3 channels (FL+FR+LFE)",
    "6 channels (FL+FR+FC+LFE+BL+TC)", "ambisonic 1", *(f"{n} channels" for n in range(1, 9)), None,
]  # fmt: skip


def channels_of(layout):
    return 3 if layout is None else av.AudioLayout(layout).nb_channels


def places(waveform, rate=RATE):
    """For each channel, which tone it holds: the k-th is at 60 + 17 k Hz, all of which an LFE channel passes."""
    time = np.arange(waveform.shape[1]) / rate
    strengths = [np.abs(waveform @ np.exp(-2j * np.pi * (60 + 17 * k) * time)) for k in range(8)]
    return np.argmax(strengths, axis=0).tolist()


def tones(channels, n_samples=24_000):
    time = np.arange(n_samples) / RATE
    return np.stack([0.3 * np.sin(2 * np.pi * (60 + 17 * k) * time) for k in range(channels)])


def read_by_ffmpeg(file):
    """Samples packed by FFmpeg itself: PyAV cannot read the planes of eight channels."""
    parts = []
    with av.open(file) as container:
        count = container.streams.audio[0].codec_context.channels
        graph = av.filter.Graph()
        source = graph.add_abuffer(template=container.streams.audio[0])
        packed = graph.add("aformat", "sample_fmts=flt")
        sink = graph.add("abuffersink")
        source.link_to(packed)
        packed.link_to(sink)
        graph.configure()
        for frame in container.decode(audio=0):
            graph.push(frame)
            parts.append(graph.pull().to_ndarray().reshape(-1, count).T)
    return np.concatenate(parts, axis=1)


def attempt(file, storage):
    """A writer and no refusal, or the other way round."""
    try:
        return AudioWriter(file, storage), ""
    except OutputError as error:
        return None, str(error)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", WRITABLE)
def test_every_channel_comes_back_in_its_place(kind, layout):
    channels = channels_of(layout)
    file = io.BytesIO()
    writer, refusal = attempt(file, Storage(kind, RATE, channels, channel_layout=layout))
    if writer is None:
        assert channels > 2
        assert f"{kind} cannot store " in refusal
        assert "; set the format to wav or flac" in refusal
        assert not file.getvalue()
        assert kind not in ("wav", "flac")
        return
    with writer:
        writer.write(tones(channels))
    file.seek(0)
    assert places(read_by_ffmpeg(file)) == list(range(channels))
    if kind in ("m4a", "alac"):
        return
    file.seek(0)
    found = places(soundfile.read(file, always_2d=True)[0].T)
    stored = DEFAULT_LAYOUTS[channels] if kind in ("opus", "ogg") else None
    assert found == (VORBIS_ORDER[stored] if stored else list(range(channels)))


@pytest.mark.parametrize("kind", [kind for kind in WRITABLE if kind != "mp3"])
def test_usual_surround_is_written_by_every_format(kind):
    for channels, layout in ((3, "3.0"), (6, "5.1"), (6, "5.1(side)")):
        with AudioWriter(io.BytesIO(), Storage(kind, RATE, channels, channel_layout=layout)) as writer:
            writer.write(tones(channels, 2_000))


@pytest.mark.parametrize("kind", ["wav", "flac", "m4a", "opus", "ogg"])
def test_eight_channels(kind, tmp_path):
    path = tmp_path / f"a.{kind}"
    with AudioWriter(path, Storage(kind, RATE, 8)) as writer:
        writer.write(tones(8))
    assert places(read_by_ffmpeg(str(path))) == list(range(8))


@pytest.mark.parametrize(
    ("layout", "channels", "stored"),
    [("FL", 1, "mono"), ("downmix", 2, "stereo"), ("3 channels (FL+FR+LFE)", 3, "2.1")],
)
def test_odd_masks_are_what_their_number_says(layout, channels, stored, tmp_path):
    path = tmp_path / "a.flac"
    with AudioWriter(path, Storage("flac", RATE, channels, channel_layout=layout)) as writer:
        writer.write(tones(channels, 1_000))
    with av.open(str(path)) as container:
        assert container.streams.audio[0].layout.name == stored


def test_no_channels_are_an_error_of_ours(tmp_path):
    for rate, channels in ((RATE, 0), (0, 2)):
        with pytest.raises(OutputError, match="both must be at least 1"):
            AudioWriter(tmp_path / "a.wav", Storage("wav", rate, channels))


@pytest.mark.parametrize("n_samples", [1, 2, 15, 4_097, 8_207])
@pytest.mark.parametrize("is_known", [True, False])
def test_length_at_which_alac_would_end_the_process_is_an_error(n_samples, is_known, tmp_path):
    """FFmpeg asserts where the last frame holds one or two samples of six channels of noise."""

    def write():
        with AudioWriter(
            tmp_path / "a.m4a", Storage("alac", RATE, 6), n_samples=n_samples if is_known else None
        ) as writer:
            writer.write(np.random.default_rng(0).uniform(-1, 1, (6, n_samples)))

    with pytest.raises(OutputError, match=f"alac cannot store 6 channels of {n_samples} samples; set the format to"):
        write()
    assert list(tmp_path.iterdir()) == []
