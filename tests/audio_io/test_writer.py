"""Writing: exact samples, exact place, tags and picture kept, all or nothing."""

import io
import os
import tracemalloc
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import soundfile
import tinytag

from concertclean.audio_io.formats import FORMATS, Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.errors import OutputError
from concertclean.files import atomic

WRITABLE = [name for name, entry in FORMATS.items() if entry.is_writable]
N = 44_137
CLICK = 20_000
TAGS = {
    "title": "Träumerei",
    "artist": "Ünïcode & Söhne",
    "album": "Live",
    "date": "1999",
    "track": "3/9",
    "genre": "Jazz",
    "comment": "second night",
}


def _path(tmp_path: Path, kind: str) -> Path:
    return tmp_path / f"out{FORMATS[kind].extensions[0]}"


STORED = {field.name for field in fields(Storage)}


def _rate(kind: str) -> int:
    return 48_000 if kind == "opus" else 44_100


def _write(path, waveform, kind, block=10_000, **options):
    kept = {name: options.pop(name) for name in list(options) if name not in STORED}
    storage = Storage(kind, **{"sample_rate": _rate(kind), "channels": len(waveform), **options})
    with AudioWriter(path, storage, **kept) as writer:
        for start in range(0, waveform.shape[1], block):
            writer.write(waveform[:, start : start + block])
    return writer


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", WRITABLE)
def test_click_keeps_its_place_and_the_file_its_length(kind, channels, impulse, tone, tmp_path, read_whole):
    """Lag 0 and not a sample more or less, in every format that can be written."""
    path = _path(tmp_path, kind)
    clicked = impulse(CLICK, N, channels=channels) + tone(440, N, level=0.02, channels=channels)
    _write(path, clicked, kind, block=1_001)
    waveform = read_whole(path)
    assert waveform.shape == (channels, N)
    assert np.argmax(np.abs(waveform), axis=1).tolist() == [CLICK] * channels
    with AudioReader(path) as reader:
        assert reader.info.n_samples == N


@pytest.mark.parametrize("n_samples", [1, 2, 1_000, 1_024])
@pytest.mark.parametrize("kind", [name for name in WRITABLE if name != "mp3"])
def test_short_recordings_keep_their_length(kind, n_samples, noise, tmp_path, read_whole):
    path = _path(tmp_path, kind)
    _write(path, noise(n_samples), kind)
    assert read_whole(path).shape == (2, n_samples)


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("wav", 16), ("wav", 24), ("wav", 32), ("flac", 16), ("flac", 24), ("alac", 16), ("alac", 24)],
)
def test_lossless_formats_give_back_every_bit(kind, bits, grid_noise, tmp_path, read_whole):
    """Samples on the grid are not dithered, so an untouched recording stays untouched."""
    path = _path(tmp_path, kind)
    waveform = grid_noise(bits)
    _write(path, waveform, kind, bit_depth=bits)
    assert np.array_equal(read_whole(path), waveform)
    with AudioReader(path) as reader:
        assert (reader.info.bit_depth, reader.info.is_float, reader.info.is_lossless) == (bits, False, True)
        assert reader.info.container == FORMATS[kind].extensions[0].removeprefix(".")


def test_float_wav_keeps_what_exceeds_full_scale(noise, tmp_path, read_whole):
    path = tmp_path / "float.wav"
    waveform = noise(1_000, level=4.0)
    _write(path, waveform, "wav", is_float=True)
    assert np.array_equal(read_whole(path), waveform.astype(np.float32).astype(np.float64))
    with AudioReader(path) as reader:
        assert (reader.info.bit_depth, reader.info.is_float) == (32, True)


@pytest.mark.parametrize(("asked", "stored"), [(None, 24), (8, 16), (20, 24), (32, 24)])
def test_depth_never_sinks_below_what_was_asked_for_where_flac_has_it(asked, stored, tmp_path, noise):
    path = tmp_path / "depth.flac"
    _write(path, noise(100), "flac", bit_depth=asked)
    with AudioReader(path) as reader:
        assert reader.info.bit_depth == stored


def test_integers_are_clipped_and_never_wrapped(tmp_path, read_whole):
    for bits in (16, 24, 32):
        path = tmp_path / f"{bits}.wav"
        _write(path, np.array([[1.5, -1.5, 1.0, -1.0]]), "wav", bit_depth=bits)
        top = 1 - 2.0 ** (1 - bits)
        assert read_whole(path).tolist() == [[top, -1.0, top, -1.0]]


def test_dither_turns_harmonics_into_noise(tone, tmp_path, read_whole):
    """A tone of one step's amplitude: rounded, its fifth harmonic stands out; dithered, it sinks into noise.

    Rounded, it is pulses from 30° to 150°, whose harmonics go with cos(n·30°)/n: the fifth has 0.04 of the
    power of the first. Two uniform noises and the rounding add up to 3/12 step², spread over all the bins.
    """
    n_samples, cycles, step = 2**16, 1_001, 2.0**-15
    waveform = tone(cycles, n_samples, sample_rate=n_samples, level=step, channels=1)
    path = tmp_path / "dither.wav"
    _write(path, waveform, "wav", bit_depth=16)

    def fifth_harmonic(samples):
        power = np.abs(np.fft.rfft(samples)) ** 2
        return power[5 * cycles] / power[cycles]

    dithered = read_whole(path)[0]
    assert fifth_harmonic(np.round(waveform[0] / step)) == pytest.approx(0.04, rel=0.05)
    assert fifth_harmonic(dithered) < 15 / n_samples
    assert np.var(dithered - waveform[0]) / step**2 == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("kind", WRITABLE)
def test_same_samples_give_the_same_bytes_however_they_are_cut(kind, noise, tmp_path):
    outputs = []
    for block in (1_000, 7_777):
        file = io.BytesIO()
        _write(file, noise(N), kind, block=block, bit_depth=16, tags=TAGS)
        outputs.append(file.getvalue())
    assert outputs[0] == outputs[1]


def test_another_seed_gives_another_dither(noise):
    outputs = []
    for seed in (0, 1):
        file = io.BytesIO()
        _write(file, noise(1_000), "wav", bit_depth=16, seed=seed)
        outputs.append(file.getvalue())
    assert outputs[0] != outputs[1]


# Tags, picture, layout


@pytest.mark.parametrize("kind", WRITABLE)
def test_tags_come_back_and_technical_ones_do_not(kind, noise, tmp_path):
    path = _path(tmp_path, kind)
    technical = {"major_brand": "qt", "iTunSMPB": "0", "REPLAYGAIN_TRACK_GAIN": "-3 dB", "encoder": "old"}
    _write(path, noise(N), kind, tags=TAGS | technical)
    with AudioReader(path) as reader:
        assert reader.info.tags == TAGS
    tag = tinytag.TinyTag.get(path)
    assert (tag.title, tag.artist, tag.album) == (TAGS["title"], TAGS["artist"], TAGS["album"])
    assert (tag.genre, tag.year) == ("Jazz", "1999")
    assert tag.track == 3 or kind == "wav"  # tinytag does not know IPRT
    assert b"REPLAYGAIN" not in path.read_bytes().upper()


@pytest.mark.parametrize("kind", [name for name in WRITABLE if FORMATS[name].holds_cover])
def test_cover_comes_back_byte_for_byte(kind, cover, noise, tmp_path, read_whole):
    path = _path(tmp_path, kind)
    writer = _write(path, noise(N), kind, cover=cover, tags=TAGS)
    assert writer.warnings == []
    with AudioReader(path) as reader:
        assert reader.info.cover == cover
        assert reader.info.tags == TAGS
    image = tinytag.TinyTag.get(path, image=True).images.any
    assert (image.data, image.mime_type) == (cover.data, cover.mime)
    assert read_whole(path).shape == (2, N)


@pytest.mark.parametrize("kind", ["ogg", "opus", "flac", "mp3", "m4a"])
def test_large_cover_and_no_tags(kind, large_cover, noise, tmp_path, read_whole):
    """Longer than a page of Ogg, which holds 65 025 bytes."""
    assert len(large_cover.data) > 200_000
    path = _path(tmp_path, kind)
    _write(path, noise(N), kind, cover=large_cover)
    with AudioReader(path) as reader:
        assert reader.info.cover == large_cover
        assert reader.info.tags == {}
    assert read_whole(path).shape == (2, N)


def test_cover_that_wav_cannot_hold_is_reported(cover, noise, tmp_path):
    writer = _write(tmp_path / "out.wav", noise(10), "wav", cover=cover)
    assert writer.warnings == ["W111 the cover was left out: wav has no place for it"]


@pytest.mark.parametrize("layout", ["5.1", "5.1(side)", None])
@pytest.mark.parametrize("kind", [name for name in WRITABLE if name != "mp3"])
def test_surround_keeps_channels_in_order(kind, layout, tone, tmp_path, read_whole):
    path = _path(tmp_path, kind)
    levels = 0.02 * 1.6 ** np.arange(6)
    waveform = tone(80, N, channels=6, level=1.0) * levels[:, None]  # 80 Hz passes the LFE channel too
    _write(path, waveform, kind, channel_layout=layout)
    with AudioReader(path) as reader:
        assert reader.info.channel_layout in {"5.1", layout}
    measured = np.std(read_whole(path)[:, 5_000:40_000], axis=1) * np.sqrt(2)
    assert measured == pytest.approx(levels, rel=0.35)  # libvorbis: LFE 31 % too loud


# What the codec cannot store


@pytest.mark.parametrize(
    ("kind", "rate", "cure"),
    [("opus", 44_100, 48_000), ("mp3", 96_000, 48_000), ("m4a", 192_000, 96_000)],
)
def test_rate_that_the_codec_lacks_names_the_next_one(kind, rate, cure, tmp_path):
    path = _path(tmp_path, kind)
    with pytest.raises(OutputError, match=f"cannot store {rate} Hz; write it at {cure} Hz"):
        AudioWriter(path, Storage(kind, rate, 2))
    assert list(tmp_path.iterdir()) == []


def test_more_channels_than_the_codec_has_are_refused(tmp_path):
    for kind, channels in (("mp3", 6), ("flac", 9), ("alac", 9)):
        with pytest.raises(OutputError, match=f"{channels} channels; set the format to wav"):
            AudioWriter(_path(tmp_path, kind), Storage(kind, 44_100, channels))
    with pytest.raises(OutputError, match=r"alac cannot store the channels of 2\.1; set the format to wav or flac"):
        AudioWriter(tmp_path / "a.m4a", Storage("alac", 44_100, 3, channel_layout="2.1"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", WRITABLE)
def test_recording_of_no_samples_is_a_file_or_an_error(kind, tmp_path, read_whole):
    path = _path(tmp_path, kind)
    if kind in {"wav", "flac"}:
        _write(path, np.zeros((2, 0)), kind)
        assert read_whole(path).shape == (2, 0)
    else:
        with pytest.raises(OutputError, match="cannot store a recording of 0 samples"):
            _write(path, np.zeros((2, 0)), kind)
        assert list(tmp_path.iterdir()) == []


def test_programming_mistakes_are_value_errors(tmp_path):
    options = {"format": "wav", "sample_rate": 44_100, "channels": 2}
    for wrong in (
        {"format": "aiff"},
        {"format": "xyz"},
        {"bit_depth": 0},
        {"channel_layout": "mono"},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            AudioWriter(tmp_path / "x.wav", Storage(**(options | wrong)))
    assert list(tmp_path.iterdir()) == []


# All or nothing


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bang_is_never_written(bad, noise, tmp_path):
    block = noise(100)
    block[0, 3:5] = bad
    with (
        pytest.raises(ValueError, match="2 NaN or infinite samples"),
        AudioWriter(tmp_path / "x.wav", Storage("wav", 44_100, 2)) as writer,
    ):
        writer.write(block)
    assert list(tmp_path.iterdir()) == []


def test_block_of_wrong_shape_is_refused(tmp_path):
    for block in (np.zeros(10), np.zeros((10, 2))):
        with (
            pytest.raises(ValueError, match="block has shape"),
            AudioWriter(tmp_path / "x.wav", Storage("wav", 44_100, 2)) as writer,
        ):
            writer.write(block)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("kind", WRITABLE)
def test_interrupted_writing_leaves_nothing(kind, error, noise, tmp_path):
    def begin():
        path = _path(tmp_path, kind)
        with AudioWriter(path, Storage(kind, _rate(kind), 2)) as writer:
            writer.write(noise(N))
            assert [entry.suffix for entry in tmp_path.iterdir()] == [".part"]
            raise error

    with pytest.raises(error):
        begin()
    assert list(tmp_path.iterdir()) == []


def test_existing_output_is_kept_unless_overwriting(noise, tmp_path, read_whole):
    path = tmp_path / "kept.wav"
    path.write_text("precious")
    with pytest.raises(OutputError, match=r"kept\.wav: already exists"):
        AudioWriter(path, Storage("wav", 44_100, 2))
    assert path.read_text() == "precious"
    _write(path, noise(100), "wav", overwrite=True)
    assert read_whole(path).shape == (2, 100)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("has_links", [True, False])
def test_output_made_by_another_while_writing_is_kept(has_links, noise, tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError("no hard links on this file system")

    if not has_links:
        monkeypatch.setattr(atomic.os, "link", refuse)
    path = tmp_path / "race.wav"

    def lose_the_race():
        with AudioWriter(path, Storage("wav", 44_100, 2)) as writer:
            writer.write(noise(100))
            path.write_text("precious")

    with pytest.raises(OutputError, match="already exists"):
        lose_the_race()
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_file_system_without_hard_links_gets_the_file_too(noise, tmp_path, monkeypatch, read_whole):
    def refuse(*_):
        raise PermissionError("no hard links on this file system")

    monkeypatch.setattr(atomic.os, "link", refuse)
    _write(tmp_path / "fat.wav", noise(100), "wav")
    assert read_whole(tmp_path / "fat.wav").shape == (2, 100)
    assert len(list(tmp_path.iterdir())) == 1


def test_directory_that_cannot_be_written(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for path, fact in (
        (file / "x.wav", "cannot be written"),
        (tmp_path / "missing" / "x.wav", "cannot be written"),
        (tmp_path, "is a directory"),
    ):
        with pytest.raises(OutputError, match=fact):
            AudioWriter(path, Storage("wav", 44_100, 2))
    assert list(tmp_path.iterdir()) == [file]


def test_full_disk_is_noticed_before_and_while_writing(noise, tmp_path, full_disk):
    with pytest.raises(OutputError, match="the disk has"):
        AudioWriter(tmp_path / "x.wav", Storage("wav", 44_100, 2), n_samples=2**60)
    with (
        pytest.raises(OutputError, match="cannot be written"),
        AudioWriter(tmp_path / "x.flac", Storage("flac", 44_100, 2)) as writer,
    ):
        writer.write(noise(10 * N))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["Ünïcode ♪ and spaces.wav", "-leading dash.wav", "take%03d.wav", "n" * 251 + ".wav"])
def test_difficult_names(name, noise, tmp_path, monkeypatch, read_whole):
    """The longest name has 255 bytes, all that a file system takes: the hidden file must not be longer."""
    monkeypatch.chdir(tmp_path)
    _write(Path(name), noise(100), "wav")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert read_whole(Path(name)).shape == (2, 100)


def test_output_has_the_permissions_of_the_umask(noise, tmp_path):
    previous = os.umask(0o022)
    try:
        _write(tmp_path / "shared.wav", noise(10), "wav")
    finally:
        os.umask(previous)
    assert (tmp_path / "shared.wav").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("kind", WRITABLE)
def test_pipe_gets_the_same_bytes_as_a_file(kind, noise, tmp_path):
    class Pipe(io.RawIOBase):
        """Takes bytes one after the other, and nothing else."""

        def __init__(self):
            self.data = b""

        def writable(self):
            return True

        def write(self, data):
            self.data += bytes(data)
            return len(data)

    pipe, path = Pipe(), _path(tmp_path, kind)
    _write(pipe, noise(N), kind)
    _write(path, noise(N), kind)
    assert pipe.data == path.read_bytes()


def test_broken_pipe_is_an_output_error(noise):
    class Broken(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            raise BrokenPipeError("gone")

    with pytest.raises(OutputError, match="standard output: cannot be written"):
        _write(Broken(), noise(100), "wav")


@pytest.mark.parametrize("kind", ["wav", "flac", "m4a", "ogg"])
def test_memory_does_not_grow_with_the_length(kind, noise, tmp_path):
    """Peak of Python's memory over one minute against ten seconds, reading and writing together."""
    block = noise(48_000)
    peaks = []
    for seconds in (5, 60):
        source, copy = tmp_path / f"{seconds}", tmp_path / f"{seconds}.copy"
        tracemalloc.start()
        with AudioWriter(source, Storage(kind, 48_000, 2)) as writer:
            for _ in range(seconds):
                writer.write(block)
        with (
            AudioReader(source) as reader,
            AudioWriter(copy, Storage(kind, 48_000, 2)) as writer,
        ):
            for read in reader.blocks(48_000):
                writer.write(read)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert soundfile.info(source).frames == seconds * 48_000 if kind != "m4a" else True
    assert peaks[1] < 1.2 * peaks[0] + 500_000


def test_a_cap_holds_for_tones_too(tmp_path):
    """Chords of overtones take twice the bit rate otherwise."""
    time = np.arange(4 * 48_000) / 48_000
    chord = sum(np.sin(2 * np.pi * k * pitch * time) / k for pitch in (110, 138, 165) for k in range(1, 80)) / 20
    rates = {}
    for is_capped in (False, True):
        path = tmp_path / f"{is_capped}.opus"
        with AudioWriter(path, Storage("opus", 48_000, 2, bit_rate=64_000, is_capped=is_capped)) as writer:
            writer.write(np.stack([chord, -chord]))
        rates[is_capped] = path.stat().st_size * 8 / 4
    assert rates[True] < 1.05 * 64_000
    assert rates[False] > 1.3 * 64_000
