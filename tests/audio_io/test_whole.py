"""A waveform goes to a file and comes back."""

import numpy as np
import pytest

from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.whole import write_waveform
from concertclean.errors import OutputError


@pytest.mark.parametrize("name", ["a.wav", "new/folder/a.flac"])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_is_written_is_read(noise, tmp_path, name, channels):
    waveform = noise(70_000, channels=channels)
    write_waveform(tmp_path / name, waveform, 48_000)
    with AudioReader(tmp_path / name) as reader:
        found = reader.read_all()
        assert reader.info.sample_rate == 48_000
        assert reader.read_all().shape == (channels, 0)
    assert found == pytest.approx(waveform, abs=2**-23)


def test_sixteen_bits_and_float32_are_taken(noise, tmp_path):
    write_waveform(tmp_path / "a.wav", noise(10).astype(np.float32), 44_100, bit_depth=16)
    with AudioReader(tmp_path / "a.wav") as reader:
        assert reader.info.bit_depth == 16


def test_nothing_is_replaced_unless_it_is_allowed(noise, tmp_path):
    write_waveform(tmp_path / "a.wav", noise(10), 44_100)
    with pytest.raises(OutputError):
        write_waveform(tmp_path / "a.wav", noise(20), 44_100)
    write_waveform(tmp_path / "a.wav", noise(20), 44_100, overwrite=True)
    with AudioReader(tmp_path / "a.wav") as reader:
        assert reader.read_all().shape == (2, 20)


def test_another_ending_is_a_mistake(noise, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.wav or \.flac"):
        write_waveform(tmp_path / "a.mp3", noise(10), 44_100)
