"""A diagnosis: what is measured, what is heard, what is proposed, and what happens to the doubtful."""

from typing import Any

import numpy as np
import pytest
import soundfile

from concertclean.dsp.diagnosis import Measured
from concertclean.dsp.scene_images import SCENES
from concertclean.restore.analyse import Diagnosis, analyse, propose
from concertclean.restore.auto import remarks

RATE = 44_100


class Hears:
    """A classifier that knows what it will hear."""

    sample_rate = RATE

    def __init__(self, *, once: dict[str, float] | None = None, **probabilities: float) -> None:
        self.answers = [once] * (once is not None) + [probabilities]
        self.seen: list[np.ndarray] = []

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        answer = self.answers[min(len(self.seen), len(self.answers) - 1)] or {}
        self.seen.append(waveform)
        return np.array([answer.get(scene, 0.0) for scene in SCENES])


def music(seconds: float = 10.0, channels: int = 2) -> np.ndarray:
    """Notes that change twice a second, `(time, channel)`."""
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(round(2 * seconds)):
        time = np.arange(RATE // 2) / RATE
        parts.append(np.sin(2 * np.pi * rng.uniform(200, 900) * time) * np.exp(-4 * time))
    return 0.3 * np.repeat(np.concatenate(parts)[:, None], channels, axis=1)


@pytest.fixture
def save(tmp_path):
    def write(samples, name="a.wav"):
        soundfile.write(tmp_path / name, samples, RATE, subtype="PCM_24")
        return tmp_path / name

    return write


def test_clean_music_is_left_alone(save):
    found = analyse(save(music()), Hears(clean=0.9, crowd=0.1))
    assert (found.scene, found.model, found.is_doubtful) == ("clean", "", False)
    assert found.hum_hz is None
    assert found.clicks_per_second < 2
    assert found.measured.channels == "mono in stereo"
    assert "no crowd and no disc" in found.reason


def test_hum_is_found_with_its_pitch_and_mended(save):
    samples = music()
    time = np.arange(len(samples)) / RATE
    hum = sum(0.05 / k * np.sin(2 * np.pi * 50 * k * time) for k in (1, 2, 3, 4))
    found = analyse(save(samples + hum[:, None]), Hears(clean=1.0))
    assert found.hum_hz == pytest.approx(50.0, abs=0.1)
    assert found.hum_partials >= 3
    assert found.model == "dehum"
    assert "hum of 50.0 Hz" in found.reason


def test_clicks_are_counted_and_mended(save):
    samples = music()
    samples[RATE // 3 :: RATE // 5] += 0.8  # five a second
    found = analyse(save(np.clip(samples, -1, 1)), Hears(clean=1.0))
    assert found.clicks_per_second == pytest.approx(5, abs=1)
    assert found.model == "declick"


@pytest.mark.parametrize(
    ("heard", "scene", "model"),
    [
        ({"crowd": 0.9, "clean": 0.1}, "crowd", "concert"),
        ({"clean": 0.7, "crowd": 0.3}, "clean", ""),
        ({"once": {"crowd": 0.9, "clean": 0.1}, "clean": 0.9, "crowd": 0.1}, "crowd", "concert"),  # between the songs
        ({"disc": 0.8, "clean": 0.2}, "disc", "dethump,decrackle,dehum"),
        ({"speech": 1.0}, "speech", ""),
    ],
)
def test_what_is_heard_decides(save, heard, scene, model):
    found = analyse(save(music()), Hears(**heard))
    assert found.scene == scene
    assert found.model.startswith(model)
    assert bool(found.model) == bool(model)


def test_silence_is_silence_without_asking_the_classifier(save):
    classifier = Hears(crowd=1.0)
    found = analyse(save(np.zeros((RATE, 2))), classifier)
    assert (found.scene, found.model, classifier.seen) == ("silence", "", [])
    assert not found.is_doubtful


def test_opposite_channels_do_not_cancel(save):
    samples = music()
    samples[:, 1] *= -1
    classifier = Hears(clean=1.0)
    found = analyse(save(samples), classifier)
    assert found.measured.channels == "opposite"
    assert all(np.abs(window).max() > 0.01 for window in classifier.seen)


def test_of_a_long_recording_six_stretches_are_looked_at(save):
    found = analyse(save(np.tile(music(50.0), (3, 1))), classifier := Hears(clean=1.0))
    assert found.seconds == pytest.approx(72, abs=0.01)
    assert len(classifier.seen) == 18


@pytest.mark.parametrize("n_samples", [1, 100, RATE])
def test_short_recordings_are_recordings(save, n_samples):
    found = analyse(save(music()[3000 : 3000 + n_samples]), Hears(clean=1.0))
    assert found.seconds == pytest.approx(n_samples / RATE)


def test_a_crowd_with_hum_needs_both():
    assert propose("crowd", 50.0, 0.0)[0] == "dehum,concert"
    assert propose("clean", 60.0, 9.0) == ("dehum,declick", "hum of 60.0 Hz; 9 clicks a second")


def diagnosis(**changes: Any) -> Diagnosis:
    measured = Measured(20_000.0, -60.0, -50.0, 0.0, "stereo")
    known = {"seconds": 10.0, "scene": "clean", "probabilities": {"clean": 0.9, "crowd": 0.1}, "clicks_per_second": 0.0,
             "hum_hz": None, "hum_partials": 0, "measured": measured, "model": "", "reason": "why"}  # fmt: skip
    return Diagnosis(**{**known, **changes})


def test_what_is_left_alone_and_what_is_doubtful_is_reported():
    (left,) = remarks(diagnosis())
    assert left.startswith("W117 left as it is: why")
    (doubtful,) = remarks(diagnosis(model="concert", probabilities={"crowd": 0.55, "clean": 0.4, "disc": 0.05}))
    assert doubtful.startswith("W118 not sure what this is: crowd (55 %) or clean (40 %)")
    assert remarks(diagnosis(model="concert")) == []
