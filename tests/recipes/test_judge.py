"""The rows of `recipes/judge.py`."""

import runpy
from pathlib import Path

import numpy as np

from concertclean.train.validation import Judged, summary

row = runpy.run_path(str(Path(__file__).parents[2] / "recipes/judge.py"))["row"]


def test_a_row_has_what_validation_found() -> None:
    judged = [
        Judged(0.0, "applause", True, "a", 4.0, -16.0, -10.0),
        Judged(5.0, "shouts", False, "b", -0.6, -20.0, -12.0),
        Judged(np.inf, "", True, "c", 44.0, np.nan, np.nan),
        Judged(np.inf, "", False, "d", 30.0, np.nan, np.nan),
    ]
    assert row(summary(judged)) == [
        "4.0 / -0.6", "-16.0 / -20.0", "-10.0 / -12.0", "4.0, -0.6", "applause 4.0, shouts -0.6", "50 % (-0.6)",
        "37.0, 30.0",
    ]  # fmt: skip


def test_cells_are_empty_without_gains_and_without_clean_music() -> None:
    judged = [Judged(0.0, "boos", False, "a", 1.0, np.nan, np.nan)]
    assert row(summary(judged)) == ["1.0", "", "", "1.0", "boos 1.0", "0 % (1.0)", ""]
