"""Scores of files and of mixtures: the numbers mixed in come out, gains are differences, bad files are told."""

import math

import numpy as np
import pytest

from concertclean.dataset.fixed import FixedFiles
from concertclean.errors import AudioFileError
from concertclean.evaluate import methods
from concertclean.evaluate.pairs import PairFiles
from concertclean.evaluate.scoring import Request, score_files, score_mixture
from tests.evaluate.conftest import tones


@pytest.fixture
def mixture(save):
    """Tones under noise at a ratio, as a dataset holds them."""

    def make(ratio_db):
        clean = tones(3)
        noise = np.random.default_rng(3).standard_normal(clean.shape)
        noise *= np.sqrt(np.square(clean).mean() / np.square(noise).mean()) / 10 ** (ratio_db / 20)
        paths = save("degraded.flac", clean + noise), save("clean.flac", clean)
        return FixedFiles(f"{ratio_db:g} dB/0000", 0, ratio_db, *paths, kind="hiss", description="")

    return make


def test_files_score_what_was_mixed(triple):
    found = score_files(PairFiles("a", *triple()), Request(("snr", "sir")))
    assert found.scores["snr"] == pytest.approx(20, abs=0.05)
    assert found.gains["snr"] == pytest.approx(10, abs=0.05)
    assert found.seconds == 1.0


def test_without_a_noisy_one_there_are_no_gains_and_no_interference(triple):
    found = score_files(PairFiles("a", *triple()[:2], None), Request(("snr", "sir")))
    assert (found.gains, found.scores["sir"]) == ({}, None)
    assert "noisy recording" in found.remarks[0]


def test_an_identical_estimate_is_infinitely_good(triple):
    reference, _, noisy = triple()
    found = score_files(PairFiles("a", reference, reference, noisy), Request(("snr",)))
    assert (found.scores["snr"], found.gains["snr"]) == (math.inf, math.inf)


def test_a_file_that_cannot_be_read_is_an_error_to_be_told(triple, tmp_path):
    reference, _, _ = triple()
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    found = score_files(PairFiles("a", reference, tmp_path / "bad.wav", None), Request(("snr",)))
    assert isinstance(found, AudioFileError)
    assert "bad.wav: not an audio file" in str(found)


def test_a_mixture_is_judged_as_it_is_then_under_every_method(mixture, tiny_weights):
    request = Request(
        ("snr", "sisdr"), models=(str(tiny_weights["stereo"]),), baselines=("afftdn",), device="cpu", threads=1
    )
    before, gained, tool, model = score_mixture(mixture(5.0), request)
    assert [one.method for one in (before, gained, tool, model)] == [
        methods.UNPROCESSED, methods.ONE_GAIN, "afftdn", "stereo",
    ]  # fmt: skip
    assert before.scores["snr"] == pytest.approx(5.0, abs=0.01)
    assert before.gains == {}
    # The best gain makes g·s + g·n nearest to s: with g = 1/(1 + 10^-0.5) the SNR is 10·log10(1 + 10^0.5).
    assert gained.scores["snr"] == pytest.approx(10 * math.log10(1 + 10**0.5), abs=0.1)
    assert gained.gains["sisdr"] == pytest.approx(0.0, abs=1e-6)
    for one in (tool, model):
        assert one.gains["snr"] == pytest.approx(one.scores["snr"] - before.scores["snr"])
        assert (one.kind, one.ratio_db, one.name) == ("hiss", 5.0, "5 dB/0000")
    assert model.elapsed_seconds > 0
    # The one gain g leaves (1 - g)² of the music and g² of the noise.
    gain = 1 / (1 + 10**-0.5)
    assert gained.music_lost_db == pytest.approx(20 * math.log10(1 - gain), abs=0.3)
    assert gained.noise_left_db == pytest.approx(20 * math.log10(gain) - 5, abs=0.3)
    for one in (before, model, tool):
        assert -300 < one.music_lost_db < 10
        assert -300 < one.noise_left_db < 10


def test_the_parts_of_a_network_are_those_of_its_gains(mixture, tiny_weights):
    """They add up to the estimate, so their errors bound its error."""
    request = Request(("snr",), models=(str(tiny_weights["stereo"]),), device="cpu", threads=1)
    *_, model = score_mixture(mixture(0.0), request)
    error = 10 ** (-model.scores["snr"] / 20)
    lost, left = (10 ** (each / 20) for each in (model.music_lost_db, model.noise_left_db))
    assert abs(lost - left) - 0.02 < error < lost + left + 0.02


def test_clean_music_has_scores_and_no_gains(mixture):
    files = mixture(5.0)
    clean = FixedFiles("clean/0000", 0, math.inf, files.clean, files.clean, "hiss", "")
    before, gained = score_mixture(clean, Request(("snr",)))
    assert before.scores["snr"] == gained.scores["snr"] == math.inf
    assert before.gains == gained.gains == {}
