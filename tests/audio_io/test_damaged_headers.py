"""Headers as crashed recorders, net radio and taggers leave them: all of the sound, or a clear refusal."""

import io
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.audio_io.av_decoder import AvDecoder
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.soundfile_decoder import SoundfileDecoder
from concertclean.audio_io.source import AudioBytes
from concertclean.errors import AudioFileError
from concertclean.restore.denoise import denoise
from tests.audio_io.sound_bytes import PCM, chunk, encoded, fmt, riff, stored, tones, with_bytes

N = len(PCM)
DATA = PCM.tobytes()
ALL = b"\xff" * 4


def _ds64(size: int) -> bytes:
    return b"ds64" + struct.pack("<IQQQI", 28, size, size, size, 0)


def _aiff(**places: bytes) -> bytes:
    content = stored(PCM, "AIFF")
    offsets = {"form": 4, "frames": content.index(b"COMM") + 10, "sound": content.index(b"SSND") + 4}
    for name, new in places.items():
        content = with_bytes(content, offsets[name], new)
    return content


def _sized(kind: str, mark: bytes, offset: int, new: bytes) -> bytes:
    content = stored(PCM, kind)
    return with_bytes(content, content.index(mark) + offset, new)


UNSIZED = {
    "data 0": riff(36 + 2 * N, fmt() + b"data\0\0\0\0" + DATA),
    "both 0": riff(0, fmt() + b"data\0\0\0\0" + DATA),
    "of the header alone": riff(36, fmt() + b"data\0\0\0\0" + DATA),
    "RIFF of all ones, data 0": riff(0xFFFF_FFFF, fmt() + b"data\0\0\0\0" + DATA),
    "filler before data": riff(
        4088, chunk(b"JUNK", bytes(28)) + fmt() + chunk(b"FLLR", bytes(4008)) + b"data\0\0\0\0" + DATA
    ),
    "RIFX": riff(0, fmt(order=">") + b"data\0\0\0\0" + PCM.byteswap().tobytes(), b"RIFX"),
    "RF64, sizes 0": b"RF64" + ALL + b"WAVE" + _ds64(0) + fmt() + b"data" + ALL + DATA,
    "RF64, sizes of all ones": b"RF64" + ALL + b"WAVE" + _ds64(2**64 - 1) + fmt() + b"data" + ALL + DATA,
    "RF64, size beyond sense": b"RF64" + ALL + b"WAVE" + _ds64(2**63 - 1) + fmt() + b"data" + ALL + DATA,
    "RF64, data 0": b"RF64" + ALL + b"WAVE" + _ds64(0) + fmt() + b"data\0\0\0\0" + DATA,
    "RF64 without ds64": b"RF64" + ALL + b"WAVE" + fmt() + b"data" + ALL + DATA,
    "BW64, sizes 0": b"BW64" + ALL + b"WAVE" + _ds64(0) + fmt() + b"data" + ALL + DATA,
    "AIFF, sound 0": _aiff(form=bytes(4), sound=bytes(4)),
    "AIFF, sound of the header alone": _aiff(sound=struct.pack(">I", 8)),
    "AIFF, all 0": _aiff(form=struct.pack(">I", 46), frames=bytes(4), sound=struct.pack(">I", 8)),
    "CAF, data 0": _sized("CAF", b"data", 4, bytes(8)),
    "CAF, data of the header alone": _sized("CAF", b"data", 4, struct.pack(">Q", 4)),
    "AU, 0": with_bytes(stored(PCM, "AU"), 8, bytes(4)),
}

STREAMED = {
    "WAV of all ones": riff(0xFFFF_FFFF, fmt() + b"data" + ALL + DATA),
    "W64, 0": _sized("W64", b"data", 16, bytes(8)),
    "CAF, to the end": _sized("CAF", b"data", 4, b"\xff" * 8),
    "AU, to the end": with_bytes(stored(PCM, "AU"), 8, ALL),
    "BW64, right": b"BW64" + ALL + b"WAVE" + _ds64(2 * N) + fmt() + b"data" + ALL + DATA,
}  # fmt: skip


def read(content: bytes) -> tuple[np.ndarray, list[str]]:
    with AudioReader(io.BytesIO(content)) as reader:
        waveform = reader.read_all()
        return waveform, reader.warnings


@pytest.mark.parametrize("kind", UNSIZED)
def test_sound_without_a_size_is_read_to_the_end_of_the_file(kind):
    waveform, warnings = read(UNSIZED[kind])
    assert waveform.shape == (1, N)
    assert np.array_equal(waveform[0], PCM / 2.0**15)
    (warning,) = warnings
    assert warning == "W121 the header gives no length, as after a crash of the recorder; read to the end of the file"


@pytest.mark.parametrize("kind", STREAMED)
def test_sizes_that_mean_to_the_end_need_no_warning(kind):
    waveform, warnings = read(STREAMED[kind])
    assert np.array_equal(waveform[0], PCM / 2.0**15)
    assert warnings == []


@pytest.mark.parametrize(
    "rest", [b"", chunk(b"LIST", b"INFOabcdef"), chunk(b"bext", bytes(602)) + chunk(b"id3 ", bytes(9))]
)
def test_no_sound_is_no_sound_where_only_chunks_follow(rest):
    waveform, warnings = read(riff(36 + len(rest), fmt() + b"data\0\0\0\0" + rest))
    assert waveform.shape == (1, 0)
    assert warnings == []


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "W64", "CAF", "OGG", "FLAC"])
@pytest.mark.parametrize("n_tags", [1, 2])
def test_tags_in_front_of_a_sound_file_are_passed_over(kind, n_tags):
    tag = b"ID3\3\0\0\0\0\1\12" + bytes(138)
    waveform, _ = read(n_tags * tag + stored(PCM, kind, "VORBIS" if kind == "OGG" else "PCM_16"))
    assert waveform.shape == (1, N)


def test_a_tag_that_claims_more_than_the_file_is_refused():
    with pytest.raises(AudioFileError, match="not an audio file"):
        read(b"ID3\3\0\0\x7f\x7f\x7f\x7f" + bytes(1000))


@pytest.mark.parametrize("n_links", [2, 5])
def test_every_link_of_a_vorbis_chain_is_read_to_its_last_sample(n_links):
    parts = [0.3 * np.sin(np.arange(9_001 + 100 * k) * 0.02 * (k + 1)) for k in range(n_links)]
    links = [stored(part, "OGG", "VORBIS") for part in parts]
    waveform, warnings = read(b"".join(links))
    expected = np.concatenate([soundfile.read(io.BytesIO(link))[0] for link in links])
    assert np.array_equal(waveform[0], expected)
    assert warnings == []


@pytest.mark.parametrize("codec", ["libopus", "flac"])
def test_chains_of_other_codecs_are_read_too(codec):
    link = encoded(tones(2), "ogg", codec, "stereo")
    alone, _ = read(link)
    assert alone.shape[1] == 12_000
    waveform, warnings = read(3 * link)  # links of one number, as `cat a.ogg a.ogg` makes them
    assert np.array_equal(waveform, np.concatenate(3 * [alone], axis=1))
    assert warnings == []


def test_a_chain_reads_the_same_in_blocks_after_a_skip_and_rewound():
    content = stored(PCM[:9_000], "OGG", "VORBIS") + stored(PCM[5_000:], "OGG", "VORBIS")
    whole, _ = read(content)
    with AudioReader(io.BytesIO(content)) as reader:
        assert reader.info.n_samples == whole.shape[1] == 9_000 + N - 5_000
        assert reader.skip(8_000) == 8_000
        assert np.array_equal(reader.read(3_000), whole[:, 8_000:11_000])
        reader.rewind()
        assert np.array_equal(reader.read_all(), whole)


def test_a_chain_whose_channels_change_is_refused():
    content = stored(PCM, "OGG", "VORBIS") + stored(np.stack([PCM, PCM], 1), "OGG", "VORBIS")
    with pytest.raises(AudioFileError, match=r"rate or channels change at 0\.5 s; cut the recording there"):
        read(content)


def test_a_chain_that_ends_in_the_headers_of_a_link_says_so():
    link = stored(PCM, "OGG", "VORBIS")
    waveform, warnings = read(link + link[:600])
    assert waveform.shape == (1, N)
    assert any(warning.startswith("W103") for warning in warnings)


@pytest.mark.parametrize(("rate", "is_read"), [
    (1, False), (100, False), (999, False), (1000, True), (768_000, True), (768_001, False), (16_719_680, False),
    (2**31 - 1, False),
])  # fmt: skip
def test_rates_that_no_recording_has_are_refused_with_the_range(rate, is_read):
    content = riff(36 + 2 * N, fmt(rate=rate) + b"data" + struct.pack("<I", 2 * N) + DATA)
    if is_read:
        with AudioReader(io.BytesIO(content)) as reader:
            assert reader.info.sample_rate == rate
        return
    with pytest.raises(AudioFileError, match=rf"-: its header gives a sample rate of {rate} Hz; 1000 to 768000 Hz"):
        read(content)


@pytest.mark.parametrize(("rate", "is_read"), [(500, False), (999, False), (1000, True), (192_000, True)])
def test_rates_are_checked_also_where_ffmpeg_reads(rate, is_read):
    content = stored(PCM, "FLAC", rate=rate)
    if is_read:
        assert read(content)[0].shape == (1, N)
        return
    with pytest.raises(AudioFileError, match=rf"-: its header gives a sample rate of {rate} Hz; 1000 to 768000 Hz"):
        read(content)


def test_a_length_that_so_few_bytes_cannot_hold_is_not_believed():
    """36 bits of ones in a FLAC header are 18 days; the writer would refuse them for lack of disk space."""
    content = stored(PCM, "FLAC")
    place = content.index(b"fLaC") + 21
    content = with_bytes(content, place, bytes([content[place] | 0xF]) + ALL)
    with AudioReader(io.BytesIO(content)) as reader:
        assert reader.info.n_samples is None
        assert reader.read_all().shape == (1, N)
        assert reader.warnings == ["W103 decoded shorter than declared: 0.50 s of 1558264.78 s"]


def test_a_cut_wav_expects_what_it_has_and_says_what_it_lacks():
    with AudioReader(io.BytesIO(riff(3 * 10**9, fmt() + b"data" + struct.pack("<I", 3 * 10**9) + DATA))) as reader:
        assert reader.info.n_samples == N
        assert reader.read_all().shape == (1, N)
        assert reader.warnings == ["W103 decoded shorter than declared: 0.50 s of 34013.61 s"]


def test_a_codec_that_is_not_known_is_an_error_about_the_recording():
    unknown = b"fmt " + struct.pack("<IHHIIHH", 16, 0x1234, 1, 44_100, 88_200, 2, 16)
    with pytest.raises(AudioFileError, match="-: its codec is not known here; convert it to WAV or FLAC"):
        read(riff(36 + 2 * N, unknown + b"data" + struct.pack("<I", 2 * N) + DATA))


@pytest.mark.parametrize(
    ("rest", "is_told"),
    [
        (DATA[8192:], True),
        (b"TAG" + bytes(125), False),
        (bytes(10_000), False),
        (chunk(b"LIST", b"INFO" + bytes(6000)), False),
    ],
)
def test_much_behind_the_declared_sound_is_told(rest, is_told):
    """A recorder that updates its header now and then leaves such files; padding and tags are no sound."""
    waveform, warnings = read(riff(36 + 8192, fmt() + b"data" + struct.pack("<I", 8192) + DATA[:8192] + rest))
    assert waveform.shape == (1, 4096)
    expected = [f"W121 {len(rest)} bytes follow the sound that the header declares, and are not read; "]
    assert [warning[: len(expected[0])] for warning in warnings] == expected * is_told


def test_where_ffmpeg_stops_early_libsndfile_goes_on():
    """FFmpeg finds 4,608 of the 13,229 samples of this file, libsndfile all; nothing is lost or said."""
    path = Path(__file__).parents[1] / "data" / "stops_early.flac"
    expected = soundfile.read(path, dtype="int32")[0].T
    with AudioReader(path) as reader:
        assert isinstance(reader._decoder, AvDecoder)
        waveform = reader.read_all()
        assert waveform.shape == (2, 13_229)
        assert np.array_equal(waveform * 2.0**31, expected)
        assert reader.warnings == []
        reader.rewind()
        assert reader.skip(10_000) == 10_000
        assert np.array_equal(reader.read(5_000), waveform[:, 10_000:])


@pytest.mark.parametrize("kind", ["WAV", "CAF"])
def test_where_libsndfile_stops_early_ffmpeg_goes_on(kind, monkeypatch):
    decode = SoundfileDecoder.decode
    given = 0

    def stopping(self, limit):
        nonlocal given
        waveform = decode(self, min(limit, 5_000 - given))
        given += waveform.shape[1]
        return waveform

    monkeypatch.setattr(SoundfileDecoder, "decode", stopping)
    waveform, warnings = read(stored(PCM, kind))
    assert np.array_equal(waveform[0], PCM / 2.0**15)
    assert warnings == []


def test_where_both_stop_early_it_is_told():
    content = stored(PCM, "FLAC")
    waveform, warnings = read(content[: len(content) // 2])
    assert 0 < waveform.shape[1] < N
    assert [warning[:4] for warning in warnings] == ["W103"]


@pytest.mark.parametrize(("subtype", "bits"), [("FLOAT", "<u4"), ("DOUBLE", "<u8")])
def test_signalling_nan_is_silence_without_a_word_on_the_terminal(subtype: str, bits: str) -> None:
    """NaN that processors report when it is converted, which numpy passes on as a warning."""
    data = stored(np.full(4000, 0.25), "WAV", subtype)
    value = {"<u4": 0x7F800001, "<u8": 0x7FF0000000000001}[bits]
    size = np.dtype(bits).itemsize
    data = with_bytes(data, len(data) - 100 * size, np.array([value], bits).tobytes())
    decoder = AvDecoder(AudioBytes(io.BytesIO(data)), "nan.wav")
    decoded = np.concatenate([decoder.decode(4096) for _ in range(8)], axis=1)
    assert np.flatnonzero(np.isnan(decoded)).tolist() == [3900]
    decoder.close()


@pytest.mark.parametrize("codec", ["flac", "aac", "pcm_s16le"])
def test_a_header_without_its_sound_is_refused(codec: str, tmp_path: Path) -> None:
    """An empty result would pass for a restored recording."""
    data = encoded(tones(2), "matroska", codec, "stereo")
    path = tmp_path / "headers.mka"
    path.write_bytes(data[: data.index(b"\x1f\x43\xb6\x75") + 12])  # the head of the first cluster of packets
    with (
        AudioReader(path) as reader,
        pytest.raises(AudioFileError, match="nothing in it can be decoded; copy it again"),
    ):
        reader.read_all()
    with pytest.raises(AudioFileError, match="nothing in it can be decoded"):
        denoise(path, tmp_path / "out.wav", model="declick")
    assert list(tmp_path.iterdir()) == [path]


def ogg(codec: str) -> tuple[bytes, list[int]]:
    """Ten seconds of two channels in Ogg, and where its pages begin."""
    waveform = np.random.default_rng(0).uniform(-0.3, 0.3, (2, 480_000))
    data = (
        encoded(waveform, "ogg", codec, "stereo") if codec == "flac" else stored(waveform.T, "OGG", codec, rate=48_000)
    )
    return data, [match.start() for match in re.finditer(b"OggS", data)]


@pytest.mark.parametrize("damage", ["bit", "missing page", "lost bytes"])
@pytest.mark.parametrize("codec", ["VORBIS", "OPUS", "flac"])
def test_sound_behind_a_lost_page_is_refused(codec: str, damage: str) -> None:
    """Decoders leave a damaged page out: the music behind it moved forward, with nothing said."""
    data, pages = ogg(codec)
    place, after = pages[len(pages) // 2 : len(pages) // 2 + 2]
    seconds = int.from_bytes(data[pages[len(pages) // 2 - 1] + 6 :][:8], "little") / 48_000
    bad = {
        "bit": with_bytes(data, place + 300, bytes([data[place + 300] ^ 1])),
        "missing page": data[:place] + data[after:],
        "lost bytes": data[: place + 300] + data[place + 310 :],
    }[damage]
    with pytest.raises(AudioFileError, match=f"damaged at about {seconds:.1f} s; copy it again, or cut it there"):
        AudioReader(io.BytesIO(bad))


@pytest.mark.parametrize("codec", ["VORBIS", "OPUS", "flac"])
def test_ogg_that_is_cut_off_is_read_to_its_end(codec: str) -> None:
    data, pages = ogg(codec)
    with AudioReader(io.BytesIO(data[: pages[-3] + 200])) as reader:
        assert reader.read_all().shape[1] > 200_000


def test_net_radio_begins_with_any_page() -> None:
    """Headers, and then the pages from the moment on at which somebody began to listen."""
    data, pages = ogg("VORBIS")
    with AudioReader(io.BytesIO(data[: pages[2]] + data[pages[5] :])) as reader:
        assert reader.read_all().shape[1] > 200_000
