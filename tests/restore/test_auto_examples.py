"""What the default command makes of real recordings: a phone in a hall, a disc of 1921, a clean band, silence.

`data/band.ogg` is 14 s of the sum of bass, clavinet, drums, horns and lead guitar of MDN's webaudio-examples (CC0-1.0).
"""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.restore.analyse import Diagnosis, analyse
from concertclean.restore.scenes import load_scenes

EXAMPLES = Path(__file__).parents[2] / "examples"
BAND = Path(__file__).parents[1] / "data" / "band.ogg"


@pytest.fixture(scope="module")
def look():
    classifier = load_scenes(offline=True)
    found: dict[Path, Diagnosis] = {}
    return lambda path: found.setdefault(path, analyse(path, classifier))


def test_a_phone_recording_has_a_crowd(look):
    found = look(EXAMPLES / "lets-go-fishin-with-crowd.m4a")
    assert (found.scene, found.model, found.is_doubtful) == ("crowd", "concert", False)


def test_a_disc_of_1921_is_a_disc(look):
    found = look(EXAMPLES / "st-louis-blues-1921.mp3")
    assert found.scene == "disc"
    assert found.model.startswith("dethump,decrackle")
    assert found.model.endswith("gramophone")


def test_a_clean_band_is_left_alone(look):
    found = look(BAND)
    assert (found.scene, found.model, found.hum_hz) == ("clean", "", None)
    assert found.measured.bandwidth_hz > 10_000


def test_silence_is_left_alone(look, tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros((44_100, 2)), 44_100)
    assert look(tmp_path / "silence.wav").model == ""
