"""Items for the classifier: scenes in turn, from one side, the same for the same number."""

from dataclasses import replace

import numpy as np
import pytest

from concertclean.config.mixing import DetectLaw
from concertclean.corpora.sources import Source
from concertclean.dataset.scenes import Scenes
from concertclean.dsp.scene_images import SCENES
from concertclean.errors import ConfigError
from concertclean.synthesis.shaping import rms
from tests.dataset.conftest import RATE, hiss

LAW = DetectLaw(task="detect", level_db=(-20.0, -20.0))


@pytest.fixture
def store(make_store, make_sources, write):
    sources = [replace(source, split="train") for source in make_sources()]
    speech = Source(write("s/word.wav", hiss(3, 1.0)), "word", "speech", "speaker", "train", "CC0", "word")
    return make_store(sources=[*sources, speech])


def test_scenes_come_in_turn_with_their_index_and_their_level(store):
    scenes = Scenes(store, LAW, "train", seed=1)
    for number in range(8):
        item = scenes.item(number, RATE)
        assert item.kind == SCENES[number % 4]
        assert item.clean.tolist() == [[number % 4]]
        assert item.degraded.shape == (1, RATE)
        assert 20 * np.log10(rms(item.degraded)) == pytest.approx(-20, abs=0.1)
        assert np.array_equal(item.degraded, scenes.item(number, RATE).degraded)
    assert not np.array_equal(scenes.item(0, RATE).degraded, Scenes(store, LAW, "train", seed=2).item(0, RATE).degraded)


def test_a_side_without_speech_cannot_train_it(make_store):
    with pytest.raises(ConfigError, match="needs music, crowds and speech for train"):
        Scenes(make_store(), LAW, "train", seed=1)


def test_ranges_run_upwards():
    with pytest.raises(ValueError, match="crowd_db runs from 3"):
        DetectLaw(task="detect", crowd_db=(3.0, 2.0))
