"""The 2f-model on paper, and beside PEAQ's grade."""

import numpy as np
import pytest

from concertclean.metrics.peaq import peaq
from concertclean.metrics.two_f import two_f


@pytest.mark.parametrize(
    ("modulation_difference", "distorted_block", "score"),
    [
        (0.0, 1.0, 91.3858),  # 56.1345 / (1 + 0.8628²) - 27.1451 + 86.3515
        (20.0, 2.0, 50.5524),  # 56.1345 / (1 + 1.4268²) - 54.2902 + 86.3515
        (0.0, -0.5, 100.0),  # over the top
        (60.0, 4.0, 0.0),  # under the bottom
    ],
)
def test_score_is_the_published_formula(modulation_difference, distorted_block, score):
    movs = {"AvgModDiff1B": modulation_difference, "ADBB": distorted_block, "TotalNMRB": 99.0}
    assert two_f(movs) == pytest.approx(score, abs=1e-4)


def test_identity_is_best_and_worse_scores_lower(tone, noise):
    reference = tone(440, 48_000, sample_rate=48_000, channels=1)
    error = noise(48_000, channels=1)
    scores = [two_f(peaq(reference, reference + gain * error, 48_000).movs) for gain in (0.0, 0.01, 0.1, 1.0)]
    assert scores[0] == 100
    assert scores == sorted(scores, reverse=True)
    assert np.ptp(scores) > 50
