"""What is reported of a recording: how much went of its loud parts, and when that is a reason to warn."""

import numpy as np
import pytest

from concertclean.restore.results import harm_remarks, loud_reduction_db


def seconds(*rows):
    return np.array(rows, float)


def test_only_the_loud_parts_count():
    """A quiet second that vanishes does not matter; of the loud one half of the power went."""
    before = seconds([0, 0, 100, 0, 0, 100], [0, 0, 1, 0, 0, 1])
    after = seconds([0, 0, 50, 0, 0, 50], [0, 0, 0, 0, 0, 0])
    found = loud_reduction_db(before, after)
    assert found[2] == found[-1] == pytest.approx(3.01, abs=0.01)


def test_a_band_that_carries_nothing_does_not_count():
    before = seconds([5, 0, 95, 0, 0, 100])
    after = seconds([0.001, 0, 95, 0, 0, 95])
    assert loud_reduction_db(before, after)[0] == 0


@pytest.mark.parametrize("n_seconds", [0, 3])
def test_silence_lost_nothing(n_seconds):
    silence = np.zeros((n_seconds, 6))
    assert not loud_reduction_db(silence, silence).any()
    assert harm_remarks(loud_reduction_db(silence, silence), "concert") == []


@pytest.mark.parametrize(
    ("bands", "whole", "warns"),
    [
        ([3, 3, 3, 3, 3], 3, False),
        ([0, 9, 9, 9, 9], 9, True),
        ([0, 0, 0, 14, 0], 4, True),
        ([11, 0, 0, 0, 0], 7.9, False),
    ],
)
def test_it_warns_where_music_is_likely_to_have_gone(bands, whole, warns):
    found = harm_remarks(np.array([*bands, whole], float), "concert")
    assert bool(found) == warns
    for remark in found:
        assert remark.startswith("W116")
        assert "the preset 78rpm" in remark
        assert "listen to what was removed" in remark


def test_the_band_is_named_where_it_is_the_worst():
    (remark,) = harm_remarks(np.array([0, 0, 0, 14, 0, 9.0]), "gramophone")
    assert "9 dB of the loud parts" in remark
    assert "14 dB of them at 1000 to 2000 Hz" in remark
    assert "the model concert is for crowds" in remark
