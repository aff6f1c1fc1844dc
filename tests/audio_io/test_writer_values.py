"""What lies beyond full scale, and beyond sense, in every format: cut and counted, or kept and said; never infinite."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.audio_io.formats import FORMATS, Storage, supported_sample_rate
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.errors import OutputError

LOSSY = ["mp3", "m4a", "opus", "ogg"]
LOSSLESS = ["wav", "flac", "alac"]
RATE = 48_000
LARGEST = float(np.finfo(np.float32).max)


def written(path, waveform, kind, **options):
    with AudioWriter(path, Storage(kind, RATE, len(waveform), **options)) as writer:
        for start in range(0, waveform.shape[1], 4_000):
            writer.write(waveform[:, start : start + 4_000])
    return writer.ceiling


@pytest.mark.parametrize("spike", [1e6, 1e10, 3e38, 1e300])
@pytest.mark.parametrize("kind", LOSSY + LOSSLESS)
def test_spike_beyond_sense_is_cut_and_counted(kind, spike, noise, tmp_path, read_whole):
    """LAME ends the process at 1e10; FFmpeg's AAC refuses the block."""
    path = tmp_path / f"a{FORMATS[kind].extensions[0]}"
    waveform = noise(9_000)
    waveform[:, 4_500] = spike, -spike
    ceiling = written(path, waveform, kind)
    assert (ceiling.n_cut, ceiling.n_loud) == (2, 0)
    assert ceiling.remark("output", "turn it down") == [
        "W105 output would clip: 2 samples above full scale were cut; turn it down"
    ]
    found = read_whole(path)
    assert found.shape == (2, 9_000)
    assert np.abs(found).max() <= (1.0 if kind in LOSSLESS else 3.0)
    assert [path.name] == [entry.name for entry in tmp_path.iterdir()]


@pytest.mark.parametrize("kind", LOSSY)
def test_lossy_formats_keep_what_overshoots_and_say_who_cuts_it(kind, tone, tmp_path, read_whole):
    path = tmp_path / f"a.{kind}"
    waveform = tone(500, 20_000, sample_rate=RATE, level=1.5)
    n_loud = int((np.abs(waveform) > 1).sum())
    ceiling = written(path, waveform, kind)
    assert (ceiling.n_cut, ceiling.n_loud) == (0, n_loud)
    (remark,) = ceiling.remark("output", "turn it down")
    assert f"{n_loud} samples are above full scale: {kind} keeps them, most players cut them" in remark
    assert "were cut" not in remark
    assert np.abs(read_whole(path)).max() == pytest.approx(1.5, rel=0.1)


def test_music_within_full_scale_is_not_remarked_on(noise, tmp_path):
    for kind in LOSSY + LOSSLESS:
        ceiling = written(io.BytesIO(), noise(5_000, level=1.0), kind)
        assert ceiling.remark("output", "turn it down") == []


@pytest.mark.parametrize(("bits", "largest"), [(None, LARGEST), (32, LARGEST), (64, 1e300)])
def test_floating_point_keeps_all_but_infinity(bits, largest, tmp_path):
    """1e300 is a number of 64 bits and infinite in 32."""
    path = tmp_path / "a.wav"
    ceiling = written(path, np.array([[1e300, -1e300, 4.0]]), "wav", bit_depth=bits, is_float=True)
    assert soundfile.read(path)[0].tolist() == [largest, -largest, 4.0]
    assert ceiling.n_cut == (0 if bits == 64 else 2)
    assert soundfile.info(path).subtype == ("DOUBLE" if bits == 64 else "FLOAT")


def test_64_bit_floats_are_stored_bit_for_bit(tmp_path, read_whole):
    waveform = np.random.default_rng(0).standard_normal((2, 5_000))
    written(tmp_path / "a.wav", waveform, "wav", bit_depth=64, is_float=True)
    assert np.array_equal(read_whole(tmp_path / "a.wav"), waveform)
    assert np.array_equal(soundfile.read(tmp_path / "a.wav")[0].T, waveform)


# Extensions that promise a container


@pytest.mark.parametrize(
    ("extension", "start", "format"),
    [
        (".wav", b"RIFF", "WAVEX"),
        (".wave", b"RIFF", "WAVEX"),
        (".w64", b"riff", "W64"),
        (".W64", b"riff", "W64"),
        (".rf64", b"RF64", "RF64"),
    ],
)
@pytest.mark.parametrize("n_samples", [0, 1, 9_001])
def test_extension_says_what_is_in_the_file(extension, start, format, n_samples, grid_noise, tmp_path, read_whole):
    path = tmp_path / f"a{extension}"
    waveform = grid_noise(24, 9_001)[:, :n_samples]
    written(path, waveform, "wav", bit_depth=24)
    assert path.read_bytes()[:4] == start
    info = soundfile.info(path)
    assert (info.format, info.subtype, info.frames) == (format, "PCM_24", n_samples)
    assert np.array_equal(read_whole(path), waveform)


def test_broadcast_wave_has_its_chunk(noise, tmp_path):
    written(tmp_path / "a.bwf", noise(100), "wav")
    data = (tmp_path / "a.bwf").read_bytes()
    assert data[:4] == b"RIFF"
    assert b"bext" in data


# Full disks


@pytest.fixture
def full_temporary_folder(monkeypatch):
    """Temporary files that take no byte."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full.open("r+b"))


@pytest.mark.usefixtures("full_temporary_folder")
@pytest.mark.parametrize("to_pipe", [True, False])
def test_full_temporary_folder_is_blamed_itself(to_pipe, noise, tmp_path, capfd):
    target = io.BytesIO() if to_pipe else tmp_path / "a.ogg"
    kind = "flac" if to_pipe else "ogg"
    with pytest.raises(OutputError) as raised:
        written(target, noise(RATE), kind)
    assert str(raised.value).startswith(f"{tempfile.gettempdir()}: cannot be written (No space left on device)")
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")  # nothing about callbacks and dropped exceptions


def test_no_temporary_folder_at_all(noise, tmp_path, monkeypatch):
    def refuse():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OutputError, match="No usable temporary directory found"):
        written(tmp_path / "a.ogg", noise(100), "ogg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", LOSSY + LOSSLESS)
def test_full_disk_is_one_error_and_no_words_of_libraries(kind, noise, tmp_path, full_disk, capfd):
    path = tmp_path / f"a{FORMATS[kind].extensions[0]}"
    with pytest.raises(OutputError) as raised:
        written(path, noise(5 * RATE), kind)
    assert str(raised.value).startswith(f"{path}: cannot be written (No space left on device)")
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_encoder_that_cannot_even_stop_leaves_no_file(noise, tmp_path):
    def begin():
        with AudioWriter(tmp_path / "a.flac", Storage("flac", RATE, 2)) as writer:
            writer.write(noise(100))

            def refuse():
                raise RuntimeError("no")

            writer._encoder.abort = refuse
            raise KeyboardInterrupt

    with pytest.raises(RuntimeError):
        begin()
    assert list(tmp_path.iterdir()) == []


def test_sizes_are_stated_in_units_that_show_them(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 16_000}))
    with pytest.raises(OutputError, match=r"needs 1\.1 MB, the disk has 16 kB"):
        AudioWriter(tmp_path / "a.wav", Storage("wav", RATE, 1), n_samples=1_000)


# Rates


@pytest.mark.parametrize("kind", LOSSY + LOSSLESS)
@pytest.mark.parametrize("rate", [1_000, 7_999, 44_099, 48_001, 96_000, 384_000, 655_351, 768_000, 2**31])
def test_rate_is_stored_or_refused_before_work(kind, rate, noise, tmp_path):
    path = tmp_path / f"a{FORMATS[kind].extensions[0]}"
    waveform = noise(3_000)
    storage = Storage(kind, rate, 2)
    if supported_sample_rate(kind, rate) != rate:
        with pytest.raises(OutputError, match=f"{kind} cannot store {rate} Hz; write it at "):
            AudioWriter(path, storage)
        assert list(tmp_path.iterdir()) == []
        return
    writer = AudioWriter(path, storage)
    with writer:
        writer.write(waveform)
    with AudioReader(path) as reader:
        assert reader.info.sample_rate == rate
        assert reader.read_all().shape == (2, 3_000)
