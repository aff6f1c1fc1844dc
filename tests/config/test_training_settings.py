"""Training settings: ranges that must hold, and what the mixing law refuses."""

import pytest

from concertclean.config.training import read_training_settings
from concertclean.errors import ConfigError

GOOD = """
name = "mine"
[network]
architecture = "kanunet_eca"
[data]
dataset = "data"
[mixing]
task = "concert"
snr_db = [-5, 10]
[loss]
name = "spectral"
[run]
steps = 1000
"""


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    return path


def test_what_is_not_given_has_its_default(good):
    settings = read_training_settings(good, ["run.steps=200"])
    assert (settings.run.steps, settings.optimizer.warmup, settings.loss.alpha) == (200, 150, 1.0)


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        ("mixing.snr_db=[10, -5]", "snr_db runs from 10.0 down to -5.0"),
        ("mixing.clean_share=0.9", "add up to more than 1"),
        ("mixing.speeds=[0, 1]", "must be positive"),
        ("mixing.layers=[3, 1]", "layers runs from 3 down to 1"),
        ("optimizer.warmup=1000", "optimizer.warmup is 1000, run.steps only 1000"),
        ("name=Mine!", "name: must fit the pattern"),
        ("loss.name=l1", "loss.name"),
        ("run.stepz=1", "run.stepz: unknown"),
        ("mixing.favourites.abba=0", "mixing.favourites"),
    ],
)
def test_wrong_settings_are_refused_in_words(good, assignment, complaint):
    with pytest.raises(ConfigError) as caught:
        read_training_settings(good, [assignment])
    assert complaint in str(caught.value)
    assert "got {" not in str(caught.value)  # all settings there are
    assert ": : " not in str(caught.value)
