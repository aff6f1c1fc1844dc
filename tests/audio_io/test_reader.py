"""Reading: exact samples, exact place, defined answers for broken files."""

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from concertclean.audio_io.av_decoder import AvDecoder
from concertclean.audio_io.reader import AudioReader
from concertclean.errors import AudioFileError, NoInputError

N = 44_137
CLICK = 20_000

# muxer, codec, storage, suffix, samples by which the file may be longer than what went in
FOREIGN = {
    "m4a": ("ipod", "aac", "fltp", ".m4a", 44),
    "alac": ("ipod", "alac", "s16p", ".m4a", 0),
    "mp4": ("mp4", "aac", "fltp", ".mp4", 44),
    "mov": ("mov", "aac", "fltp", ".mov", 44),
    "mov_pcm": ("mov", "pcm_s24le", "s32", ".mov", 0),
    "3gp": ("3gp", "aac", "fltp", ".3gp", 44),
    "mkv_flac": ("matroska", "flac", "s16", ".mkv", 0),
    "mkv_aac": ("matroska", "aac", "fltp", ".mkv", 1024),
    "webm": ("webm", "libopus", "flt", ".webm", 0),
    "opus": ("ogg", "libopus", "flt", ".opus", 0),
    "mp3": ("mp3", "libmp3lame", "fltp", ".mp3", 0),
    "flac": ("flac", "flac", "s16", ".flac", 0),
    "wav": ("wav", "pcm_s16le", "s16", ".wav", 0),
    "aiff": ("aiff", "pcm_s16be", "s16", ".aiff", 0),
    "w64": ("w64", "pcm_s24le", "s32", ".w64", 0),
    "caf": ("caf", "pcm_s16be", "s16", ".caf", 0),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_click_keeps_its_place_and_the_length_its_value(kind, encode, impulse, tone, tmp_path, read_whole):
    """Lag 0 everywhere; the length to 1/1000 s where MP4 rounds it, to a frame where Matroska keeps none."""
    muxer, codec, storage, suffix, slack = FOREIGN[kind]
    rate = 48_000 if codec == "libopus" else 44_100
    path = tmp_path / f"click{suffix}"
    clicked = impulse(CLICK, N) + tone(440, N, level=0.02)
    encode(path, clicked, muxer=muxer, codec=codec, storage=storage, rate=rate)
    waveform = read_whole(path)
    assert np.argmax(np.abs(waveform), axis=1).tolist() == [CLICK, CLICK]
    assert abs(waveform.shape[1] - N) <= slack


def test_vorbis_and_mp3_of_libsndfile_are_aligned(tmp_path, impulse, tone, read_whole):
    for suffix, subtype in ((".ogg", "VORBIS"), (".mp3", "MPEG_LAYER_III")):
        path = tmp_path / f"click{suffix}"
        soundfile.write(path, (impulse(CLICK, N) + tone(440, N, level=0.02)).T, 44_100, subtype=subtype)
        waveform = read_whole(path)
        assert waveform.shape == (2, N)
        assert np.argmax(np.abs(waveform[0])) == CLICK


def test_raw_adts_is_late_by_the_delay_it_cannot_state(encode, impulse, tmp_path, read_whole):
    """ADTS has no place for the encoder's delay of 1024 samples: a known limit, not ours to guess."""
    path = tmp_path / "click.aac"
    encode(path, impulse(CLICK, N), muxer="adts", codec="aac", storage="fltp")
    assert np.argmax(np.abs(read_whole(path)[0])) == CLICK + 1024


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24), ("PCM_32", 32)])
def test_integers_are_read_exactly(subtype, bits, grid_noise, tmp_path, read_whole):
    expected = grid_noise(bits)
    path = tmp_path / "exact.wav"
    soundfile.write(path, (expected.T * 2.0**31).astype(np.int32), 48_000, subtype=subtype)
    assert np.array_equal(read_whole(path), expected)
    with AudioReader(path) as reader:
        assert (reader.info.bit_depth, reader.info.is_float, reader.info.is_lossless) == (bits, False, True)


@pytest.mark.parametrize("kind", ["flac", "alac"])
def test_24_bits_are_read_exactly_from_compressed_lossless(kind, grid_noise, encode, tmp_path, read_whole):
    expected = grid_noise(24)
    path = tmp_path / f"exact.{kind}"
    storage = {"flac": "s32", "alac": "s32p"}[kind]
    encode(path, expected, muxer={"flac": "flac", "alac": "ipod"}[kind], codec=kind, storage=storage)
    assert np.array_equal(read_whole(path), expected)
    with AudioReader(path) as reader:
        assert reader.info.bit_depth == 24


@pytest.mark.parametrize(
    ("container", "subtype", "codec", "bits"),
    [
        ("AIFF", "PCM_24", "pcm_s24le", 24),
        ("CAF", "PCM_24", "pcm_s24le", 24),
        ("RF64", "PCM_24", "pcm_s24le", 24),
        ("W64", "PCM_16", "pcm_s16le", 16),
        ("AU", "PCM_32", "pcm_s32le", 32),
        ("FLAC", "PCM_S8", "flac", 8),
    ],
)
def test_other_lossless_containers(container, subtype, codec, bits, grid_noise, tmp_path, read_whole):
    expected = grid_noise(bits)
    path = tmp_path / "other"
    stored = (expected.T * 2.0**31).astype(np.int32)
    soundfile.write(path, stored, 48_000, format=container, subtype=subtype)
    assert np.array_equal(read_whole(path), expected)
    with AudioReader(path) as reader:
        assert (reader.info.codec, reader.info.bit_depth, reader.info.n_samples) == (codec, bits, 20_000)


def test_alac_in_caf_is_read_to_its_last_sample(noise, tmp_path, read_whole):
    """FFmpeg alone stops 919 samples early. The noise is soft: libsndfile's encoder fails at full scale."""
    expected = np.round(noise(N) * 2.0**23) / 2.0**23
    path = tmp_path / "alac.caf"
    soundfile.write(path, (expected.T * 2.0**31).astype(np.int32), 44_100, subtype="ALAC_24")
    assert np.array_equal(read_whole(path), expected)
    with AudioReader(path) as reader:
        assert (reader.info.container, reader.info.codec, reader.info.bit_depth) == ("caf", "alac", 24)


@pytest.mark.parametrize(("subtype", "codec"), [("ALAW", "pcm_alaw"), ("MS_ADPCM", "adpcm_ms")])
def test_companded_wav_is_lossy(subtype, codec, tone, tmp_path, read_whole):
    path = tmp_path / "phone.wav"
    waveform = tone(440, N)
    soundfile.write(path, waveform.T, 44_100, subtype=subtype)
    assert np.abs(read_whole(path)[:, :N] - waveform).max() < 0.01
    with AudioReader(path) as reader:
        assert (reader.info.codec, reader.info.is_lossless, reader.info.bit_depth) == (codec, False, None)


def test_sound_of_a_film(encode, noise, silent_film, tmp_path, read_whole):
    """Pictures beside the sound change nothing, and are no cover."""
    sound, film, both = tmp_path / "sound.m4a", tmp_path / "film.mp4", tmp_path / "both.mp4"
    encode(sound, noise(N), muxer="ipod", codec="aac", storage="fltp")
    film.write_bytes(silent_film)
    with av.open(str(both), "w") as output, av.open(str(film)) as pictures, av.open(str(sound)) as music:
        for source in (pictures.streams.video[0], music.streams.audio[0]):
            stream = output.add_stream_from_template(source)
            stream.time_base = source.time_base
        for container, stream in zip((pictures, music), output.streams, strict=True):
            for packet in container.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    output.mux(packet)
    assert np.array_equal(read_whole(both)[:, :N], read_whole(sound)[:, :N])
    with AudioReader(both) as reader:
        assert (reader.info.container, reader.info.codec, reader.info.cover) == ("mp4", "aac", None)


def test_declared_length_that_is_far_too_short_is_not_believed(encode, noise, tmp_path):
    """What is longer than any padding is music: keep it."""
    path = tmp_path / "long.m4a"
    encode(path, noise(N), muxer="ipod", codec="aac", storage="fltp")
    with path.open("rb") as file:
        decoder = AvDecoder(file, "long.m4a")
        decoder._end = N - 10_000
        n_samples = sum(iter(lambda: decoder.decode(1).shape[1], 0))
        decoder.close()
    assert N <= n_samples < N + 4096


def test_float_and_double_beyond_full_scale_are_kept(noise, tmp_path, read_whole):
    waveform = noise(1000, level=3.0)
    for subtype, dtype in (("FLOAT", np.float32), ("DOUBLE", np.float64)):
        path = tmp_path / f"{subtype}.wav"
        soundfile.write(path, waveform.T, 44_100, subtype=subtype)
        assert np.array_equal(read_whole(path), waveform.astype(dtype).astype(np.float64))


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "m4a", "opus"])
def test_blocks_and_skips_land_on_the_same_samples_as_one_read(kind, noise, encode, tmp_path, read_whole):
    muxer, codec, storage, suffix, _ = FOREIGN[kind]
    path = tmp_path / f"whole{suffix}"
    rate = 48_000 if kind == "opus" else 44_100
    encode(path, noise(N), muxer=muxer, codec=codec, storage=storage, rate=rate)
    whole = read_whole(path)
    with AudioReader(path) as reader:
        blocks = list(reader.blocks(1_000))
    assert {block.shape[1] for block in blocks[:-1]} == {1_000}
    assert np.array_equal(np.concatenate(blocks, axis=1), whole)
    with AudioReader(path) as reader:
        first = reader.read(777)
        assert reader.skip(12_345) == 12_345
        rest = reader.read(10**6)
        assert reader.read(10).shape == (2, 0)
        assert reader.skip(10) == 0
        assert reader.warnings == []
    assert np.array_equal(first, whole[:, :777])
    assert np.array_equal(rest, whole[:, 777 + 12_345 :])


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "m4a", "opus"])
@pytest.mark.parametrize("opened", ["file", "stream"])
def test_rewound_it_reads_the_same_again(kind, opened, noise, encode, tmp_path):
    """Warnings too: those of the first time are not kept beside them."""
    muxer, codec, storage, suffix, _ = FOREIGN[kind]
    path = tmp_path / f"a{suffix}"
    encode(path, noise(N), muxer=muxer, codec=codec, storage=storage, rate=48_000)
    with AudioReader(path if opened == "file" else io.BytesIO(path.read_bytes())) as reader:
        first, warnings = reader.read_all(), list(reader.warnings)
        for n_read in (N, 1000):
            reader.rewind()
            assert np.array_equal(reader.read(n_read), first[:, :n_read])
        reader.rewind()
        assert np.array_equal(reader.read_all(), first)
        assert reader.warnings == warnings


def test_skip_stops_at_the_end(tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, np.zeros((100, 1)), 44_100)
    with AudioReader(path) as reader:
        assert reader.skip(60) == 60
        assert reader.skip(60) == 40
        assert reader.read(1).shape == (1, 0)


def test_stream_with_the_table_of_contents_at_the_end(encode, noise, tmp_path, read_whole):
    """PyAV cannot open such an m4a from a pipe: moov comes last."""

    class Pipe(io.RawIOBase):
        def __init__(self, data):
            self._data = io.BytesIO(data)

        def readable(self):
            return True

        def seekable(self):
            return False

        def readinto(self, buffer):
            return self._data.readinto(buffer)

    path = tmp_path / "late.m4a"
    encode(path, noise(N), muxer="ipod", codec="aac", storage="fltp")
    data = path.read_bytes()
    assert data.index(b"mdat") < data.index(b"moov")
    with AudioReader(io.BufferedReader(Pipe(data))) as reader:
        assert reader.info.path == "-"
        assert np.array_equal(reader.read(10**6), read_whole(path))


@pytest.mark.parametrize("kind", ["wav", "flac", "mp3", "opus"])
def test_other_formats_come_from_a_stream_too(kind, encode, noise, tmp_path, read_whole):
    muxer, codec, storage, suffix, _ = FOREIGN[kind]
    path = tmp_path / f"stream{suffix}"
    encode(path, noise(N), muxer=muxer, codec=codec, storage=storage, rate=48_000)
    with AudioReader(io.BytesIO(path.read_bytes())) as reader:
        assert np.array_equal(reader.read(10**6), read_whole(path))


def test_samples_that_are_no_numbers_become_silence(tmp_path):
    path = tmp_path / "nan.wav"
    samples = np.array([[0.5, np.nan, np.inf, -np.inf, 2.0]]).T
    soundfile.write(path, samples, 48_000, subtype="FLOAT")
    with AudioReader(path) as reader:
        assert reader.read(10).tolist() == [[0.5, 0.0, 0.0, 0.0, 2.0]]
        assert [warning[:18] for warning in reader.warnings] == ["W110 3 samples wer"]


def test_facts_about_an_m4a(encode, noise, tmp_path):
    path = tmp_path / "facts.m4a"
    encode(path, noise(N), muxer="ipod", codec="aac", storage="fltp")
    with AudioReader(path) as reader:
        info = reader.info
    assert (info.container, info.codec, info.channel_layout) == ("m4a", "aac", "stereo")
    assert (info.sample_rate, info.channels, info.bit_depth, info.is_lossless) == (44_100, 2, None, False)
    assert info.tags == {"title": "Foreign"}
    assert info.cover is None
    assert info.duration_seconds == pytest.approx(N / 44_100, abs=0.001)


@pytest.mark.parametrize("samples", [0, 1])
@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_hardly_any_samples_are_a_recording_too(kind, samples, encode, tmp_path, read_whole):
    muxer, codec, storage, suffix, _ = FOREIGN[kind]
    path = tmp_path / f"tiny{suffix}"
    encode(path, np.full((2, samples), 0.25), muxer=muxer, codec=codec, storage=storage)
    assert read_whole(path).tolist() == [[0.25] * samples] * 2


def test_surround_keeps_its_layout_and_order(encode, tone, tmp_path, read_whole):
    waveform = tone(200, 48_000, channels=6, sample_rate=48_000) * np.arange(1, 7)[:, None]
    for muxer, codec, storage, suffix in (
        ("wav", "pcm_s16le", "s16", ".wav"),
        ("ipod", "aac", "fltp", ".m4a"),
        ("ogg", "libopus", "flt", ".opus"),
    ):
        path = tmp_path / f"surround{suffix}"
        encode(path, waveform, muxer=muxer, codec=codec, storage=storage, rate=48_000, layout="5.1")
        read = read_whole(path)
        with AudioReader(path) as reader:
            assert reader.info.channel_layout == "5.1"
        levels = np.std(read[:, 5_000:40_000], axis=1)
        assert np.argsort(levels).tolist() == [0, 1, 2, 3, 4, 5]


# Broken files


def _cut(path: Path, ratio: float = 0.5) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * ratio)])


@pytest.mark.parametrize("kind", ["mp3", "flac", "wav", "aiff", "mkv_aac"])
def test_file_cut_in_half_gives_what_it_has_and_says_so(kind, encode, noise, tmp_path):
    muxer, codec, storage, suffix, _ = FOREIGN[kind]
    path = tmp_path / f"cut{suffix}"
    encode(path, noise(10 * N), muxer=muxer, codec=codec, storage=storage)
    _cut(path)
    with AudioReader(path) as reader:
        decoded = reader.read(20 * N).shape[1]
        reader.read(1)
        assert 4 * N < decoded < 6 * N
        assert len(reader.warnings) == 1
        assert reader.warnings[0].startswith("W103 decoded shorter than declared: ")
        assert reader.warnings[0].endswith(f" of {10 * N / 44_100:.2f} s") or kind == "mkv_aac"


def test_raw_adts_cut_within_a_packet_says_so(encode, noise, tmp_path):
    path = tmp_path / "cut.aac"
    encode(path, noise(10 * N), muxer="adts", codec="aac", storage="fltp")
    _cut(path)
    with AudioReader(path) as reader:
        assert 4 * N < reader.read(20 * N).shape[1] < 6 * N
        assert reader.warnings[0].startswith("W103 the file ends inside a packet")


def test_wav_written_to_a_pipe_declares_no_length(tmp_path, noise):
    """A program that cannot seek leaves 0xFFFFFFFF in the header: no reason for a warning."""
    path = tmp_path / "piped.wav"
    soundfile.write(path, noise(1000).T, 44_100, subtype="PCM_16")
    data = bytearray(path.read_bytes())
    place = data.index(b"data") + 4
    data[4:8] = data[place : place + 4] = struct.pack("<I", 0xFFFF_FFFF)
    path.write_bytes(data)
    with AudioReader(path) as reader:
        assert reader.read(2000).shape == (2, 1000)
        assert reader.warnings == []


def test_damage_in_the_middle_is_an_error(encode, noise, tmp_path):
    path = tmp_path / "scratched.flac"
    encode(path, noise(10 * N), muxer="flac", codec="flac", storage="s16")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(data)
    with (
        AudioReader(path) as reader,
        pytest.raises(AudioFileError, match=r"scratched.flac: damaged at about"),
    ):
        reader.read(20 * N)


def test_damaged_mp3_packets_become_as_much_silence(encode, noise, tmp_path):
    path = tmp_path / "worn.mp3"
    encode(path, noise(10 * N), muxer="mp3", codec="libmp3lame", storage="fltp")
    with av.open(str(path)) as container:
        places = [packet.pos for packet in container.demux(audio=0) if packet.size]
    data = bytearray(path.read_bytes())
    for place in places[100:103]:
        data[place + 4 : place + 36] = b"\xfe" * 32  # side information: more values than a granule can hold
    path.write_bytes(data)
    with AudioReader(path) as reader:
        waveform = reader.read(20 * N)
        warnings = reader.warnings
    assert waveform.shape[1] == 10 * N
    assert any(w.startswith("W114 3 damaged packets") for w in warnings), warnings
    silent = np.abs(waveform).max(axis=0) == 0
    assert 2 * 1152 <= silent.sum() <= 4 * 1152
    assert abs(int(np.flatnonzero(silent)[0]) - 100 * 1152) < 3 * 1152


def test_cut_m4a_is_refused_with_name_fact_and_cure(encode, noise, tmp_path):
    path = tmp_path / "cut.m4a"
    encode(path, noise(N), muxer="ipod", codec="aac", storage="fltp")
    _cut(path)
    with pytest.raises(AudioFileError, match=r"cut\.m4a: .*damaged or cut off.*copy it again") as caught:
        AudioReader(path)
    assert not isinstance(caught.value, NoInputError)


@pytest.mark.parametrize("content", [b"bad\n", b"\0", b"no", b"fLaC", b"ID3"])
@pytest.mark.parametrize("name", ["a.flac", "a.mp3", "a.wav", "a.m4a", "a.ogg", "a.aac"])
def test_a_few_bytes_with_the_name_of_audio_are_refused(name, content, tmp_path):
    """FFmpeg once took four bytes named .flac for a FLAC stream without a format."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AudioFileError):
        AudioReader(tmp_path / name)


@pytest.mark.parametrize("name", ["text.m4a", "text.wav", "text.mp3"])
def test_text_with_the_name_of_audio_is_refused(name, tmp_path):
    path = tmp_path / name
    path.write_text("This is not music.\n" * 200)
    with pytest.raises(AudioFileError, match="not an audio file") as caught:
        AudioReader(path)
    assert not isinstance(caught.value, NoInputError)


def test_random_bytes_are_refused(tmp_path):
    path = tmp_path / "random.mp3"
    path.write_bytes(np.random.default_rng(0).bytes(100_000))
    with pytest.raises(AudioFileError):
        AudioReader(path)


@pytest.mark.parametrize("name", ["front.jpg", "front.m4a"])
def test_picture_is_refused(name, jpeg, tmp_path):
    path = tmp_path / name
    path.write_bytes(jpeg)
    with pytest.raises(AudioFileError, match="is a picture") as caught:
        AudioReader(path)
    assert not isinstance(caught.value, NoInputError)


def test_nothing_to_read(silent_film, tmp_path):
    film, empty = tmp_path / "film.mp4", tmp_path / "empty.wav"
    film.write_bytes(silent_film)
    empty.touch()
    for source, fact in (
        (tmp_path / "missing.wav", "does not exist"),
        (empty / "below.wav", "does not exist"),
        (tmp_path, "is a folder"),
        (empty, "is empty"),
        (io.BytesIO(), "is empty"),
        (film, "has no audio stream"),
    ):
        with pytest.raises(NoInputError, match=fact):
            AudioReader(source)


def test_names_that_mislead_ffmpeg(tmp_path, monkeypatch, noise, read_whole):
    """As names these would be a protocol, an option and a pattern; FFmpeg never sees them."""
    monkeypatch.chdir(tmp_path)
    for name in ("-i.mp3", "take%03d.mp3", "http:x.mp3", "Ünïcode ♪ and spaces.mp3", "n" * 246 + ".mp3"):
        with open(name, "wb") as file:
            soundfile.write(file, noise(N).T, 44_100, format="MP3")
        assert read_whole(Path(name)).shape == (2, N)


def test_impossible_name_is_refused():
    with pytest.raises(AudioFileError, match="cannot be opened"):
        AudioReader("nul\0.wav")


def test_negative_counts_are_programming_mistakes(tmp_path):
    path = tmp_path / "any.wav"
    soundfile.write(path, np.zeros((10, 1)), 44_100)
    with AudioReader(path) as reader:
        for call in (reader.read, reader.skip, lambda n: next(reader.blocks(n))):
            with pytest.raises(ValueError, match="n_samples is -1"):
                call(-1)


def test_samples_that_no_arithmetic_survives_become_silence(tmp_path):
    path = tmp_path / "absurd.wav"
    soundfile.write(path, np.array([[0.5, 1e300, -1e16, 1e10]]).T, 48_000, subtype="DOUBLE")
    with AudioReader(path) as reader:
        assert reader.read(10).tolist() == [[0.5, 0.0, 0.0, 1e10]]
        assert reader.warnings == ["W110 2 samples were NaN, infinite or beyond all sense and were replaced by silence"]
