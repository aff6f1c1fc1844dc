"""`concertclean debleed` as a person or a script meets it: files, exit codes, what is printed where."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from tests.bleed import bands

RATE = bands.SAMPLE_RATE
Program = Callable[..., Any]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def make(name: str, waveform: np.ndarray, subtype: str = "FLOAT", rate: int = RATE) -> Path:
        soundfile.write(tmp_path / name, waveform.T, rate, subtype)
        return tmp_path / name

    return make


@pytest.fixture
def band(write: Callable[..., Path]) -> np.ndarray:
    """Two stems whose mixture is in a.wav and b.wav."""
    stems = bands.band(2, seconds=2)
    for name, microphone in zip("ab", bands.matrix(2, 0.2, 0.4) @ stems, strict=True):
        write(f"{name}.wav", microphone)
    return stems


def read(*paths: str) -> np.ndarray:
    return np.stack([soundfile.read(path)[0] for path in paths])


def test_bleed_is_reduced_and_told(program, band):
    ended = program("debleed", "a.wav", "b.wav", "-o", "clean", "--removed", "--json")
    assert ended.code == 0
    told = json.loads(ended.out)
    assert told["method"] == "linear"
    assert [track["output"] for track in told["tracks"]] == ["clean/a_clean.wav", "clean/b_clean.wav"]
    assert "bleed has no delay" in ended.err
    found = read("clean/a_clean.wav", "clean/b_clean.wav")
    assert (bands.sdr(band, found) - bands.sdr(band, read("a.wav", "b.wav"))).min() > 20
    removed = read("clean/a_clean_removed.wav", "clean/b_clean_removed.wav")
    assert np.allclose(found + removed, read("a.wav", "b.wav"), rtol=0, atol=1e-6)


def test_device_and_threads(program, band):
    before = torch.get_num_threads()
    ended = program("debleed", "a.wav", "b.wav", "--model", "kamir", "--device", "cpu", "--threads", "1", "-o", "clean")
    assert ended.code == 0, ended.err
    assert torch.get_num_threads() == before
    ended = program("debleed", "a.wav", "b.wav", "--device", "abacus", "-o", "other")
    assert ended.code == 2
    assert "abacus" in ended.err
    assert not Path("other").exists()
    ended = program("debleed", "a.wav", "b.wav", "--threads", "-1")
    assert ended.code == 2
    assert "threads" in ended.err


def test_stereo_keeps_its_image(program, write):
    stems = bands.band(2, seconds=2)
    mixture = bands.matrix(2, 0.2, 0.4) @ stems
    for name, microphone in zip("ab", mixture, strict=True):
        write(f"{name}.wav", np.stack([microphone, 0.5 * microphone]))
    assert program("debleed", "a.wav", "b.wav", "--model", "linear").code == 0
    left, right = soundfile.read("a_clean.wav")[0].T
    assert np.allclose(right, 0.5 * left, rtol=0, atol=1e-6)
    assert bands.sdr(stems[:1], left[None]) > bands.sdr(stems[:1], mixture[:1]) + 20


@pytest.mark.parametrize("model", ["linear", "kamir"])
def test_silence_stays(program, write, model):
    for name in "ab":
        write(f"{name}.wav", np.zeros((1, 3000)))
    ended = program("debleed", "a.wav", "b.wav", "--model", model)
    assert ended.code == 0
    assert "is silent" in ended.err
    assert not read("a_clean.wav", "b_clean.wav").any()


def test_a_microphone_without_bleed_keeps_every_sample(program, write):
    stems = bands.band(2, seconds=1)
    for name, stem in zip("ab", stems, strict=True):
        write(f"{name}.wav", stem)
    ended = program("debleed", "a.wav", "b.wav")
    assert "no bleed was found" in ended.err
    assert np.array_equal(read("a_clean.wav", "b_clean.wav"), read("a.wav", "b.wav"))


def test_linear_on_late_bleed_says_so(program, write):
    for name, microphone in zip("ab", bands.delayed(bands.band(2, seconds=2), 0.2, 0.5).sum(axis=1), strict=True):
        write(f"{name}.wav", microphone)
    assert "ms late, which linear does not model" in program("debleed", "a.wav", "b.wav", "--model", "linear").err


class TestRefused:
    def refused(self, program: Program, *words: str) -> str:
        ended = program("debleed", *words)
        assert ended.code == 2
        assert not list(Path().glob("*clean*"))
        return ended.err

    def test_one_track(self, program, band):
        assert "a.wav: one track alone cannot be compared; give two or more" in self.refused(program, "a.wav")

    def test_another_length(self, program, band, write):
        write("c.wav", bands.band(1, seconds=1))
        told = self.refused(program, "a.wav", "c.wav")
        assert "c.wav: 22050 samples where a.wav has 44100; export all tracks from the same start" in told

    def test_a_length_that_no_file_declares_truly(self, program, band):
        """A file cut off in the middle declares more than it has; it is found before anything is written."""
        data = Path("b.wav").read_bytes()
        Path("b.wav").write_bytes(data[: len(data) // 2])
        assert "samples where" in self.refused(program, "a.wav", "b.wav")

    def test_another_rate(self, program, band, write):
        write("c.wav", bands.band(1), rate=44_100)
        assert "c.wav: has 44100 Hz, a.wav has 22050 Hz; convert" in self.refused(program, "a.wav", "c.wav")

    def test_other_channels(self, program, band, write):
        write("c.wav", np.repeat(bands.band(1, seconds=2), 2, axis=0))
        assert "c.wav: has 2 channels, a.wav has 1 channels" in self.refused(program, "a.wav", "c.wav")

    def test_a_track_that_would_be_written_over(self, program, band, write):
        write("a_clean.wav", bands.band(1, seconds=2))
        ended = program("debleed", "a.wav", "a_clean.wav")
        assert ended.code == 2
        assert "a_clean.wav: another track would be written there" in ended.err

    def test_an_unknown_method(self, program, band):
        ended = program("debleed", "a.wav", "b.wav", "--model", "magic")
        assert ended.code == 6
        assert "choose from auto, linear, kamir, mira, fastmira" in ended.err


def test_nothing_is_overwritten_unless_asked(program, band):
    Path("b_clean.wav").write_bytes(b"mine")
    ended = program("debleed", "a.wav", "b.wav", "--model", "linear")
    assert ended.code == 9
    assert Path("b_clean.wav").read_bytes() == b"mine"
    assert not Path("a_clean.wav").exists()
    assert not list(Path().glob(".*.part"))
    assert program("debleed", "a.wav", "b.wav", "--model", "linear", "--overwrite").code == 0
    assert len(read("a_clean.wav", "b_clean.wav")) == 2


def test_nothing_clips_unless_it_is_asked_for(program, write):
    """The loud track exceeds full scale; both are scaled alike, or it is cut and counted as by `denoise`."""
    for name, stem, peak in zip("ab", bands.band(2, seconds=2), (2.0, 0.5), strict=True):
        write(f"{name}.wav", stem * peak / np.abs(stem).max())
    common = ("debleed", "a.wav", "b.wav", "--format", "flac", "--model", "linear")
    ended = program(*common, "-o", "rescaled")
    assert ended.code == 0, ended.err
    assert "W105 output would clip: all tracks rescaled by -" in ended.err
    rescaled = read("rescaled/a_clean.flac", "rescaled/b_clean.flac")
    assert np.abs(rescaled).max() == pytest.approx(10 ** (-0.1 / 20), abs=1e-4)
    ended = program(*common, "--clip", "warn", "-o", "cut")
    assert ended.code == 0, ended.err
    assert "samples above full scale were cut; set clip to rescale or limit" in ended.err
    assert np.abs(read("cut/a_clean.flac", "cut/b_clean.flac")).max() == pytest.approx(1.0, abs=1e-6)
    assert program(*common, "--clip", "sometimes", "-o", "other").code == 2
    assert not Path("other").exists()
