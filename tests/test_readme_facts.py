"""Numbers that README and recipes/README repeat from the code."""

import re
from pathlib import Path

import pytest

from concertclean.dataset.fixed import SECONDS

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["README.md", "recipes/README.md"])
def test_fixed_mixtures_are_as_long_as_the_code_makes_them(name):
    """Items of 6 s were called 8 s long."""
    stated = re.findall(r"mixtures of (\d+(?:\.\d+)?) s\b", (ROOT / name).read_text(encoding="utf-8"), re.IGNORECASE)
    assert stated
    assert {float(seconds) for seconds in stated} == {SECONDS}
