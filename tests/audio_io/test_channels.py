"""Channels: every number and layout, in FFmpeg's order, from whatever container and codec."""

import io
import struct
import subprocess
import sys

import av
import numpy as np
import pytest

from concertclean.audio_io.formats import DEFAULT_LAYOUTS, layout_name
from concertclean.audio_io.reader import AudioReader
from concertclean.errors import AudioFileError
from tests.audio_io.sound_bytes import PCM, encoded, order_of, riff, stored, tones, with_bytes

# muxer, codec, options
KINDS = {
    "m4a": ("ipod", "aac", {}),
    "alac": ("ipod", "alac", {}),
    "flac": ("flac", "flac", {}),
    "mkv_flac": ("matroska", "flac", {}),
    "mkv_pcm": ("matroska", "pcm_s24le", {}),
    "opus": ("ogg", "libopus", {"mapping_family": "1"}),
    "wavpack": ("wv", "wavpack", {}),
    "tta": ("tta", "tta", {}),
    "wav": ("wav", "pcm_s16le", {}),
    "w64": ("w64", "pcm_s16le", {}),
    "aiff": ("aiff", "pcm_s16be", {}),
    "caf": ("caf", "pcm_s16be", {}),
    "caf_alac": ("caf", "alac", {}),
    "mov": ("mov", "pcm_s16le", {}),
}


def read(content: bytes) -> tuple[np.ndarray, str]:
    with AudioReader(io.BytesIO(content)) as reader:
        return reader.read_all(), reader.info.channel_layout


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("kind", KINDS)
def test_one_to_eight_channels_keep_their_order(kind, channels):
    muxer, codec, options = KINDS[kind]
    layout = DEFAULT_LAYOUTS[channels]
    if codec in {"aac", "alac"}:  # their encoders have fewer layouts
        layout = {4: "4.0", 7: "6.1(back)", 8: "7.1(wide)"}.get(channels, layout)
    waveform, found = read(encoded(tones(channels), muxer, codec, layout, options=options if channels > 2 else {}))
    assert len(waveform) == channels
    assert order_of(waveform) == list(range(channels))
    # FFmpeg 8 takes the padding of ALAC in CAF off twice
    assert waveform.shape[1] >= (11_712 if kind == "caf_alac" else 12_000)
    assert av.AudioLayout(found).nb_channels == channels


@pytest.mark.parametrize("channels", range(1, 9))
def test_vorbis_of_libsndfile_comes_in_ffmpegs_order(channels):
    """libsndfile keeps the order of Vorbis: centre second, LFE last."""
    waveform, layout = read(stored(tones(channels).T, "OGG", "VORBIS", 48_000))
    vorbis = {
        3: [0, 2, 1],
        5: [0, 2, 1, 3, 4],
        6: [0, 2, 1, 5, 3, 4],
        7: [0, 2, 1, 6, 5, 3, 4],
        8: [0, 2, 1, 7, 5, 6, 3, 4],
    }
    assert order_of(waveform) == vorbis.get(channels, list(range(channels)))
    assert layout == DEFAULT_LAYOUTS[channels]


@pytest.mark.parametrize("channels", [9, 12, 24])
@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_16"), ("OGG", "VORBIS"), ("W64", "PCM_24"), ("CAF", "FLOAT")]
)
def test_more_than_eight_channels_keep_the_order_of_the_file(kind, subtype, channels):
    waveform, layout = read(stored(tones(channels).T, kind, subtype, 48_000))
    assert order_of(waveform) == list(range(channels))
    assert layout


@pytest.mark.parametrize("channels", [9, 16])
def test_many_planar_channels_through_ffmpeg(channels):
    content = encoded(tones(channels), "matroska", "pcm_s16le", f"{channels} channels")
    assert order_of(read(content)[0]) == list(range(channels))


def test_hundreds_of_channels_are_refused_with_the_range():
    with pytest.raises(AudioFileError, match="-: its header gives 300 channels; 1 to 64 can be read"):
        read(stored(np.zeros((10, 300)), "WAV"))


def test_eight_planar_channels_do_not_end_the_process():
    """PyAV counted planes beyond its array; in a process of its own, because it would end this one."""
    code = (
        "import io, sys; from concertclean.audio_io.reader import AudioReader\n"
        "with AudioReader(sys.stdin.buffer) as reader: print(reader.read_all().shape)"
    )
    content = encoded(tones(8), "wv", "wavpack", "7.1")
    done = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode().strip()) == (0, "(8, 12000)"), done.stderr.decode()


def _extensible(channels: int, mask: int) -> bytes:
    """WAV with a mask of loudspeakers."""
    n = 22_050 // channels * channels
    fields = struct.pack("<HHIIHH", 0xFFFE, channels, 44_100, 88_200 * channels, 2 * channels, 16)
    fields += struct.pack("<HHI", 22, 16, mask) + bytes.fromhex("0100000000001000800000aa00389b71")
    body = b"fmt " + struct.pack("<I", len(fields)) + fields + b"data" + struct.pack("<I", 2 * n) + PCM[:n].tobytes()
    return riff(4 + len(body), body)


@pytest.mark.parametrize("mask", [0x1, 0x2, 0x4, 0x8, 0x100, 0x200, 0x8000_0000, 0])
def test_one_channel_is_mono_whatever_loudspeaker_the_header_names(mask):
    waveform, layout = read(_extensible(1, mask))
    assert (waveform.shape, layout) == ((1, 22_050), "mono")


@pytest.mark.parametrize("mask", [0x3, 0x5, 0x9, 0x30, 0x600, 0x6000_0000, 0x7, 0x1, 0])
def test_two_channels_are_stereo_whatever_loudspeakers_the_header_names(mask):
    """Also where the mask has more or fewer loudspeakers than there are channels."""
    waveform, layout = read(_extensible(2, mask))
    assert (waveform.shape, layout) == ((2, 11_025), "stereo")


@pytest.mark.parametrize(
    ("mask", "expected"), [(0x3F, "5.1"), (0x60F, "5.1(side)"), (0x8888_8883, "5.1"), (0x7F, "5.1")]
)
def test_odd_masks_of_six_are_the_usual_layout(mask, expected):
    assert read(_extensible(6, mask))[1] == expected


@pytest.mark.parametrize(
    ("name", "channels", "expected"),
    [
        ("1 channels (FL)", 1, "mono"),
        ("2 channels (FL+LFE)", 2, "stereo"),
        ("downmix", 2, "stereo"),
        ("5.1(side)", 6, "5.1(side)"),
        ("3 channels (FL+FR+SL)", 3, "3.0"),
        ("9 channels", 9, "9 channels"),
    ],
)
def test_names_of_odd_layouts(name, channels, expected):
    assert layout_name(name, channels) == expected


def test_an_order_of_its_own_becomes_ffmpegs():
    """Apple's tag 121 << 16 | 6 says left, right, centre, LFE ...; 124 << 16 | 6 centre, left, right, Ls, Rs, LFE."""
    content = encoded(tones(6), "caf", "pcm_s16be", "5.1")
    place = content.index(b"chan") + 12
    waveform, layout = read(with_bytes(content, place, struct.pack(">III", 124 << 16 | 6, 0, 0)))
    assert order_of(waveform) == [1, 2, 0, 5, 3, 4]
    assert layout in {"5.1", "5.1(side)"}
