"""What takes the place of a file: pipes, devices, sockets; and disks that fail while a library reads."""

import io
import os
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from concertclean.audio_io import source
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.source import AudioBytes
from concertclean.errors import AudioFileError, ConcertCleanError, NoInputError, OutputError
from tests.audio_io.sound_bytes import PCM, encoded, stored, tones

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no named pipes, no special files")
WAV = stored(PCM, "WAV")


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def fill(path, content: bytes) -> threading.Thread:
    writer = threading.Thread(target=path.write_bytes, args=(content,), daemon=True)
    writer.start()
    return writer


def test_a_named_pipe_is_read_like_standard_input(pipe):
    writer = fill(pipe, WAV)
    with AudioReader(pipe) as reader:
        assert np.array_equal(reader.read_all()[0], PCM / 2.0**15)
        assert reader.info.path == str(pipe)
        reader.rewind()
        assert reader.read_all().shape == (1, len(PCM))
    writer.join(5)


def test_a_named_pipe_gives_the_same_again_until_something_new_comes(pipe):
    """It is opened for its length, for the analysis and for the restoring, but filled once."""
    fill(pipe, WAV).join(0)
    for _ in range(3):
        with AudioReader(pipe) as reader:
            assert reader.read_all().shape == (1, len(PCM))
    writer = fill(pipe, stored(PCM[:100], "WAV"))
    time.sleep(0.2)  # until the writer waits for a reader
    with AudioReader(pipe) as reader:
        assert reader.read_all().shape == (1, 100)
    writer.join(5)


def test_a_pipe_of_the_shell_is_read(tmp_path):
    code = (
        "import sys; from concertclean.audio_io.reader import AudioReader\n"
        "print(AudioReader(sys.argv[1]).read_all().shape)"
    )
    reading_end, writing_end = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", code, f"/dev/fd/{reading_end}"], pass_fds=[reading_end], stdout=subprocess.PIPE
    ) as process:
        os.close(reading_end)
        os.write(writing_end, WAV[:1000])
        with open(writing_end, "wb") as rest:
            rest.write(WAV[1000:])
        assert process.communicate(timeout=20)[0].decode().strip() == f"(1, {len(PCM)})"


def test_a_pipe_that_nobody_fills_is_refused_and_not_waited_for(pipe, monkeypatch):
    monkeypatch.setattr(source, "_PATIENCE_SECONDS", 0.05)
    with pytest.raises(NoInputError, match="pipe: is a named pipe that nothing writes to; start the program"):
        AudioReader(pipe)


def test_an_empty_pipe_is_an_empty_file(pipe):
    fill(pipe, b"")
    with pytest.raises(NoInputError, match=r"nothing writes to|is empty"):
        AudioReader(pipe)


@pytest.mark.parametrize("device", ["/dev/null", "/dev/zero", "/dev/full", "/dev/tty"])
def test_devices_are_refused(device):
    with pytest.raises((AudioFileError, NoInputError), match=f"{device}: is a device or socket, not a recording"):
        AudioReader(device)


def test_sockets_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
        with pytest.raises(AudioFileError, match="s: is a device or socket"):
            AudioReader("s")


def test_a_full_temporary_folder_is_blamed_and_not_the_output(monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(source, "_Spool", lambda max_size: Full())
    with pytest.raises(OutputError, match=r"the temporary folder .*: cannot hold a copy of standard input .*TMPDIR"):
        AudioReader(io.BytesIO(WAV))


class Failing(io.BytesIO):
    """A disk that fails after some bytes."""

    def __init__(self, content: bytes, good: int, error: BaseException) -> None:
        super().__init__(content)
        self.good, self.error = good, error

    def read(self, size=-1):
        if self.tell() + max(size, 0) > self.good:
            raise self.error
        return super().read(size)


CONTENTS = {
    "WAV": stored(np.random.default_rng(0).standard_normal(200_000) / 9, "WAV"),
    "OGG": stored(np.random.default_rng(0).standard_normal(200_000) / 9, "OGG", "VORBIS"),
    "FLAC": stored(np.random.default_rng(0).standard_normal(200_000) / 9, "FLAC"),
    "MKV": encoded(tones(2, 100_000), "matroska", "pcm_s16le", "stereo"),
}


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("good", [0.01, 0.5, 0.9])
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), ValueError("I/O operation on closed file")])
def test_a_disk_that_fails_is_an_error_and_nothing_is_printed(kind, good, error, monkeypatch, capfd):
    content = CONTENTS[kind]
    failing = Failing(content, round(good * len(content)), error)
    monkeypatch.setattr("concertclean.audio_io.reader.open_source", lambda _: failing)
    with pytest.raises(AudioFileError, match=r"a\.wav: cannot be read .*; check the disk it lies on"):
        AudioReader("a.wav").read_all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", CONTENTS)
def test_an_interruption_while_a_library_reads_is_not_lost(kind, monkeypatch, capfd):
    content = CONTENTS[kind]
    failing = Failing(content, len(content) // 2, KeyboardInterrupt())
    monkeypatch.setattr("concertclean.audio_io.reader.open_source", lambda _: failing)
    with pytest.raises(KeyboardInterrupt):
        AudioReader("a.wav").read_all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "error", [MemoryError(), KeyError("9 channels"), OverflowError("too large"), RuntimeError("x")]
)
def test_what_libraries_raise_is_an_error_about_the_recording(error, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr("concertclean.audio_io.soundfile_decoder.SoundfileDecoder.decode", fail)
    with (
        AudioReader(io.BytesIO(WAV)) as reader,
        pytest.raises(AudioFileError, match=r"-: cannot be decoded \(.+\); try it"),
    ):
        reader.read(10)


def test_a_part_of_a_file_with_bytes_replaced():
    part = AudioBytes(io.BytesIO(b"0123456789abcdef"), 4, 8, [(0, b"XY"), (6, b"ZZ")])
    assert part.read() == b"XY6789ZZ"
    part.seek(1)
    assert part.read(3) == b"Y67"
    assert part.seek(-1, os.SEEK_END) == 7
    assert part.read(10) == b"Z"
    assert part.read(10) == b""
    assert (part.seek(-100), part.seek(100), part.read(1)) == (0, 100, b"")


def test_thousand_damaged_files_end_in_samples_or_our_errors():
    """Bytes changed, cut and doubled at random, seeded; nothing but our errors, and never more than was there."""
    rng = np.random.default_rng(1)
    kinds = [
        stored(PCM[:3000], "WAV"), stored(PCM[:3000], "AIFF"), stored(PCM[:3000], "W64"), stored(PCM[:3000], "CAF"),
        stored(PCM[:3000], "AU"), stored(PCM[:3000], "OGG", "VORBIS"), stored(PCM[:3000], "FLAC"),
        b"ID3\3\0\0\0\0\0\12" + bytes(10) + stored(PCM[:3000], "RF64"), 2 * stored(PCM[:2000], "OGG", "VORBIS"),
    ]  # fmt: skip
    for number in range(1000):
        content = bytearray(kinds[number % len(kinds)])
        for _ in range(rng.integers(1, 6)):
            place = int(rng.integers(0, min(len(content), 200)))
            content[place] = int(rng.choice([0, 1, 127, 128, 255, rng.integers(256)]))
        if rng.random() < 0.2:
            content = content[: rng.integers(4, len(content))]
        try:
            with AudioReader(io.BytesIO(bytes(content))) as reader:
                assert reader.read_all().shape[1] < 10**7
        except ConcertCleanError:
            pass
