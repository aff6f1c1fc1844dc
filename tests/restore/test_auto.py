"""`--model auto`: one look, one denoiser a model, streams read twice, the recording spared."""

import io

import numpy as np
import pytest
import soundfile

from concertclean.config.denoise import DenoiseSettings
from concertclean.errors import OutputError
from concertclean.restore.auto import AutoDenoiser
from concertclean.restore.build import build_restorer
from concertclean.restore.pipeline import Denoiser
from tests.restore.test_analyse import RATE, diagnosis


@pytest.fixture
def clicky(tmp_path):
    """A tone with a click in it."""
    time = np.arange(2 * RATE) / RATE
    samples = 0.2 * np.sin(2 * np.pi * 300 * time)
    samples[RATE] = 0.9
    soundfile.write(tmp_path / "in.wav", samples, RATE, subtype="PCM_24")
    return tmp_path / "in.wav"


@pytest.fixture
def auto():
    """Declicks what is said to need it; counts what it makes and looks at."""
    made, looked = [], []

    def run(model, **changes):
        def make(name):
            made.append(name)
            settings = DenoiseSettings(model=name)
            return Denoiser(build_restorer((name,) if name else (), settings), settings)

        def look(source):
            looked.append(source if not hasattr(source, "read") else source.read())
            return diagnosis(model=model, **changes)

        denoiser = AutoDenoiser(make, look)
        denoiser.made, denoiser.looked = made, looked
        return denoiser

    return run


def read(path):
    return soundfile.read(path)[0]


def test_it_does_what_the_diagnosis_proposes(auto, clicky, tmp_path):
    report = auto("declick").run(clicky, tmp_path / "out.wav")
    assert abs(read(tmp_path / "out.wav")[RATE]) < 0.25
    assert report.stages == ("declick",)
    assert report.model == "declick"
    assert (report.diagnosis["path"], report.diagnosis["scene"]) == (str(clicky), "clean")
    assert not [warning for warning in report.warnings if warning.startswith("W117")]


def test_a_clean_recording_is_left_alone_to_the_bit_and_it_says_so(auto, clicky, tmp_path):
    report = auto("").run(clicky, tmp_path / "out.wav")
    assert np.array_equal(read(tmp_path / "out.wav"), read(clicky))
    assert report.warnings[0].startswith("W117 left as it is: why")


def test_a_model_is_made_once(auto, clicky, tmp_path):
    denoiser = auto("declick")
    for number in range(3):
        denoiser.run(clicky, tmp_path / f"{number}.wav")
    assert denoiser.made == ["declick"]
    assert len(denoiser.looked) == 3


def test_a_stream_is_read_twice(auto, clicky, tmp_path):
    denoiser = auto("declick")
    denoiser.run(io.BytesIO(clicky.read_bytes()), tmp_path / "out.wav")
    assert denoiser.looked == [clicky.read_bytes()]
    assert abs(read(tmp_path / "out.wav")[RATE]) < 0.25


def test_the_recording_is_never_its_own_result(auto, clicky):
    denoiser = auto("declick")
    with pytest.raises(OutputError, match="the output is the recording itself"):
        denoiser.run(clicky, clicky, overwrite=True)
    assert denoiser.looked == []
