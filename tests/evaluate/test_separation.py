"""Scores of separators, on songs and stems whose scores are known."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from concertclean.evaluate.separation import StemScores, mean_sdr, over_songs, score_separator, score_stems

RATE = 2000
NAMES = ("vocals", "drums")


@pytest.fixture
def truth():
    rng = np.random.default_rng(0)
    return {name: 0.1 * rng.standard_normal(3 * RATE) for name in ("vocals", "drums", "bass")}


class Leaky(nn.Module):
    """Knows the stems, and adds a tenth of the mixture to each, less what is there already."""

    sample_rate, channels, alignment, context = RATE, 1, 8, 0

    def __init__(self, truth, instruments):
        super().__init__()
        self.instruments, self.stems = instruments, len(instruments)
        self.truth = [torch.from_numpy(truth[name]).float() for name in instruments]

    def forward(self, waveform):
        stems = torch.stack(self.truth)[None, :, None]
        padded = nn.functional.pad(stems, (0, waveform.shape[-1] - stems.shape[-1]))
        return padded + 0.1 * (waveform[:, None] - padded)


def test_scores_of_a_known_error(truth):
    """Error and interference: two other stems at a tenth each, so 17 dB; nothing is an artifact."""
    found = score_separator(Leaky(truth, NAMES), truth, RATE, device="cpu")
    assert set(found) == set(NAMES)
    for name in NAMES:
        others = sum(np.square(stem).sum() for other, stem in truth.items() if other != name)
        expected = 10 * math.log10(np.square(truth[name]).sum() / (0.01 * others))
        assert found[name].sdr == pytest.approx(expected, abs=0.5)  # the median of three seconds, not the whole
    # The bass is not among the stems of the network, so the references do not contain it: half of the error remains.
    assert found["vocals"].sir == pytest.approx(20, abs=1.5)
    assert found["vocals"].sar == pytest.approx(20, abs=1.5)


def test_a_mixture_of_its_own(truth):
    """Noise in what is separated lowers the scores; the truth stays the same."""
    noise = 0.5 * np.random.default_rng(1).standard_normal(3 * RATE)
    model = Leaky(truth, NAMES)
    clean = score_separator(model, truth, RATE, device="cpu")
    noisy = score_separator(model, truth, RATE, mixture=sum(truth.values()) + noise, device="cpu")
    assert noisy["vocals"].sdr < clean["vocals"].sdr - 5
    assert noisy["vocals"].sar < clean["vocals"].sar - 5


def test_an_accompaniment_is_the_sum_of_what_has_no_name(truth):
    together = {**truth, "accompaniment": truth["drums"] + truth["bass"]}
    model = Leaky(together, ("accompaniment", "vocals"))
    found = score_separator(model, truth, RATE, device="cpu")
    assert found["accompaniment"].sdr == pytest.approx(23, abs=1)
    with pytest.raises(KeyError):
        score_separator(Leaky(truth, NAMES), {"vocals": truth["vocals"]}, RATE, device="cpu")


def test_stereo_stems(truth):
    stereo = {name: np.stack([stem, 0.5 * stem]) for name, stem in truth.items()}
    references = np.stack([stereo[name] for name in NAMES])
    assert score_stems(references, references, RATE, NAMES)["drums"].sdr == math.inf


def test_silent_stems_have_no_scores_and_do_not_matter_to_others(truth):
    references = np.stack([truth["vocals"], 0 * truth["drums"]])[:, None]
    noise = 0.01 * np.random.default_rng(2).standard_normal(references.shape)
    found = score_stems(references, references + noise, RATE, NAMES)
    assert math.isnan(found["drums"].sdr)
    assert found["vocals"].sdr == pytest.approx(20, abs=0.5)
    silent = score_stems(0 * references, references, RATE, NAMES)
    assert all(math.isnan(one.sar) for one in silent.values())
    short = score_stems(references[..., :100], references[..., :100], RATE, NAMES)
    assert math.isnan(short["vocals"].sdr)


def test_over_songs():
    def song(vocals, drums):
        return {"vocals": StemScores(*4 * [vocals]), "drums": StemScores(*4 * [drums])}

    songs = [song(1.0, math.nan), song(2.0, 8.0), song(6.0, math.nan)]
    assert over_songs(songs)["vocals"] == StemScores(2.0, 2.0, 2.0, 2.0)
    assert over_songs(songs, "mean")["vocals"].sar == 3.0
    assert over_songs(songs)["drums"].sdr == 8.0
    assert mean_sdr(over_songs(songs)) == 5.0
    assert mean_sdr(song(3.0, math.nan)) == 3.0
    assert math.isnan(mean_sdr(over_songs([song(math.nan, math.nan)])))
