"""Numbers that the documents repeat from the code, and where the code says that papers say it."""

import re
from pathlib import Path

import pytest

from concertclean.dataset.bleed import conditions
from concertclean.dataset.fixed import SECONDS
from concertclean.networks import kanunet_eca, tunet, two_stage_unet
from concertclean.networks.layers import two_stage_blocks
from concertclean.train import losses

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["docs/models.md", "recipes/README.md"])
def test_fixed_mixtures_are_as_long_as_the_code_makes_them(name):
    """Items of 6 s were called 8 s long."""
    stated = re.findall(r"mixtures of (\d+(?:\.\d+)?) s\b", (ROOT / name).read_text(encoding="utf-8"), re.IGNORECASE)
    assert stated
    assert {float(seconds) for seconds in stated} == {SECONDS}


@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        (two_stage_unet.__doc__, "Fig. 1 and 2 and section 3", "Fig. 1 to 3"),
        (two_stage_blocks.SupervisedAttention.__doc__, "Fig. 1", "Fig. 3"),
        (tunet.__doc__, "section 4.1", "section 3.2"),
        (losses.matrix_mse.__doc__, "section 5.1", "section 3.2"),
        (conditions.__doc__, "section 5.1", "section 4."),
        (kanunet_eca.__doc__, "Fig. 1 and 2", "README"),
    ],
)
def test_citations_name_the_right_places(text, right, wrong):
    assert right in text
    assert wrong not in text
