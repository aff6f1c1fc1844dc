"""Lossy files are as long as what went in, whoever reads them: this program, libsndfile, FFmpeg.

FFmpeg removes the delay in front of AAC, but plays the padding that fills the last frame of an MP4: up to 1,023
samples. The edit list states the exact length, which other players and this program follow.
"""

import io

import av
import numpy as np
import pytest
import soundfile

from concertclean.audio_io.formats import Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter

KINDS = [
    ("mp3", 44_100), ("mp3", 22_050), ("mp3", 8_000), ("m4a", 44_100), ("opus", 48_000), ("ogg", 44_100), ("ogg", 8_000)
]  # fmt: skip
# Around the ends of frames, where padding moves to the next; 2,205 samples are 0.05 s.
FEW = [
    1, 2, 46, 47, 48, 575, 576, 577, 622, 623, 624, 1023, 1024, 1025, 1151, 1152, 1153, 1198, 1199, 1200, 2205, 2240,
    2241, 2350, 11_567,
]  # fmt: skip


def lengths_read(data, kind):
    """Lengths that each reader finds."""
    with AudioReader(io.BytesIO(data)) as reader:
        found = {"self": reader.read_all().shape[1]}
    with av.open(io.BytesIO(data)) as container:
        found["FFmpeg"] = sum(frame.samples for frame in container.decode(audio=0))
        stream = container.streams.audio[0]
        declared = stream.duration * stream.time_base * stream.rate
    if kind != "m4a":
        found["libsndfile"] = len(soundfile.read(io.BytesIO(data))[0])
    elif 0 <= found["FFmpeg"] - declared < 1024:
        found["FFmpeg"] = declared
    return found


def wrong_lengths(kind, rate, lengths, channels=2):
    waveform = np.random.default_rng(0).uniform(-0.3, 0.3, (channels, max(lengths)))
    wrong = {}
    for n_samples in lengths:
        file = io.BytesIO()
        with AudioWriter(file, Storage(kind, rate, channels)) as writer:
            writer.write(waveform[:, :n_samples])
        found = lengths_read(file.getvalue(), kind)
        if set(found.values()) != {n_samples}:
            wrong[n_samples] = found
    return wrong


@pytest.mark.parametrize(("kind", "rate"), KINDS)
def test_lossy_files_have_the_length_of_the_recording(kind, rate):
    few = [*FEW, *np.random.default_rng(1).integers(1, 9_000, 17).tolist()]
    assert wrong_lengths(kind, rate, few) == {}


@pytest.mark.long
@pytest.mark.parametrize(("kind", "rate"), [("mp3", 44_100), ("m4a", 44_100), ("opus", 48_000), ("ogg", 44_100)])
def test_two_thousand_lengths(kind, rate):
    lengths = [*range(1, 1_400), *np.random.default_rng(2).integers(1_400, 20_000, 601).tolist()]
    assert wrong_lengths(kind, rate, lengths, channels=1) == {}


@pytest.mark.parametrize("bit_rate", [8_000, 32_000, 320_000])
@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 24_000, 32_000, 44_100, 48_000])
@pytest.mark.parametrize("sound", ["silence", "tone"])
def test_short_mp3_is_recognised(sound, rate, bit_rate, tone, tmp_path, read_whole):
    """FFmpeg takes some files of a few frames for something else."""
    for n_samples in (5, 300, 1_200, 2_205, 2_400):
        path = tmp_path / f"{n_samples}.mp3"
        with AudioWriter(path, Storage("mp3", rate, 1, bit_rate=bit_rate)) as writer:
            writer.write(tone(200, n_samples, sample_rate=rate, level=0.3 * (sound == "tone"), channels=1))
        assert read_whole(path).shape == (1, n_samples)
        assert len(soundfile.read(path)[0]) == n_samples


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
def test_mp3_of_every_rate_begins_where_the_recording_does(rate, impulse, tone, tmp_path, read_whole):
    path = tmp_path / "a.mp3"
    with AudioWriter(path, Storage("mp3", rate, 1)) as writer:
        writer.write(impulse(3_000, 9_000, channels=1) + tone(200, 9_000, sample_rate=rate, level=0.02, channels=1))
    assert np.argmax(np.abs(read_whole(path)[0])) == 3_000
    assert np.argmax(np.abs(soundfile.read(path)[0])) == 3_000


def test_the_checksum_of_the_lame_tag_is_right(noise, tmp_path):
    """CRC-16 over all bytes of the first frame before it: here bit by bit from the polynomial, not by the table."""
    path = tmp_path / "a.mp3"
    with AudioWriter(path, Storage("mp3", 44_100, 2)) as writer:
        writer.write(noise(1_160))
    data = path.read_bytes()
    mark = data.find(b"Info")
    start = data.rfind(b"\xff\xfb", 0, mark)
    register = 0
    for byte in data[start : mark + 154]:
        for bit in range(8):
            feedback = (register ^ byte >> bit) & 1
            register = (register >> 1) ^ (0xA001 * feedback)
    assert int.from_bytes(data[mark + 154 : mark + 156], "big") == register
