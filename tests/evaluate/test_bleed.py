"""Methods of bleed reduction on test bands: the SDR and the tables."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.dataset.bleed.build import BandSet, BleedPlan, build_bleed, list_sets
from concertclean.evaluate.bleed import Judged, judge, method_table, published_sdr, segment_sdr, track_table
from concertclean.metrics import bss_eval
from tests.bleed import bands

RATE = bands.SAMPLE_RATE


def test_the_sdr_is_that_of_version_4(noise):
    truth = noise(4 * 8000 + 100, channels=2)
    found = truth + 0.1 * noise(truth.shape[1], channels=2, seed=1) * np.linspace(0, 1, truth.shape[1])
    theirs = bss_eval.images(truth[:, None], found[:, None], 8000, n_taps=32).sdr
    ours = [segment_sdr(one, other, 8000) for one, other in zip(truth, found, strict=True)]
    assert ours == pytest.approx(np.nanmedian(theirs, axis=-1).ravel().tolist(), abs=1e-6)


def test_silence_and_identity_are_defined(noise):
    music = noise(3 * 8000)[0]
    assert segment_sdr(music, music, 8000) == pytest.approx(100)
    assert np.isnan(segment_sdr(0 * music, music, 8000))
    assert segment_sdr(music[:100], 2 * music[:100], 8000) == pytest.approx(0)


def test_published_scores_are_means_of_seconds(noise):
    """Ratios of 20, 0 and 60 dB in three seconds, whose median is 20."""
    music = noise(4 * 8000, seed=3)[0]
    error = np.repeat([0.1, 1.0, 0.001, 0.0], 8000) * music
    music[3 * 8000 :] = 0  # no reference, no score
    assert published_sdr(music, music + error, 8000) == pytest.approx((20 + 0 + 60) / 3)
    assert segment_sdr(music, music + error, 8000) == pytest.approx(20)
    silent = np.where(np.arange(len(music)) < 8000, 0.0, music + error)
    assert published_sdr(music, silent, 8000) == pytest.approx(30)  # museval scores no silent estimate
    assert np.isnan(published_sdr(0 * music, music, 8000))


def test_published_matrix_errors_are_squared_before_their_mean():
    found = [judged("linear", "low", (1.0, 1.0), 1.0, error) for error in (0.1, 0.3)]
    header, body = method_table(found)
    assert dict(zip(header, body[0], strict=True))["matrix error"] == "0.2000"
    assert dict(zip(header, body[0], strict=True))["published matrix error"] == "0.0500"


def judged(method, condition, gains, seconds, matrix_error=None):
    band = BandSet(condition, "song", ("bass", "drums"), None)
    after = tuple(10 + gain for gain in gains)
    published = (8.0, float("nan")), tuple(value - 3 for value in after)
    return Judged(method, band, (10.0, 10.0), after, (9.0, 9.0), after, matrix_error, seconds, *published)


def test_tables():
    found = [judged("kamir", "low", (2.0, 4.0), 8.0), judged("linear", "low", (30.0, 20.0), 2.0, 0.01)]
    header, body = method_table(found)
    assert dict(zip(header, body[1], strict=True)) == {
        "method": "linear", "condition": "low", "bands": "1", "SDR before": "10.0", "SDR gain, mean": "+25.0",
        "median": "+25.0", "whole, mean": "+26.0", "worst track": "+21.0", "matrix error": "0.0100",
        "published SDR before": "8.0", "published SDR": "32.0", "published matrix error": "0.0001",
        "time / kamir": "0.25",
    }  # fmt: skip
    assert track_table(found) == (
        ["track", "kamir, low", "linear, low"],
        [["bass", "+2.0", "+30.0"], ["drums", "+4.0", "+20.0"]],
    )
    assert method_table(found[1:])[1][0][-1] == ""  # nothing to compare with


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bleed")
    (folder / "stems" / "song").mkdir(parents=True)
    for name, stem in zip(("bass", "drums"), bands.band(2, seconds=3), strict=True):
        soundfile.write(folder / "stems" / "song" / f"{name}.wav", stem, RATE)
    build_bleed(BleedPlan(folder / "data", [folder / "stems"], RATE, 3.0, ("high",)))
    return folder / "data"


def test_linear_undoes_gains_and_knows_the_matrix(dataset):
    (found,) = judge(dataset, list_sets(dataset)[0], ["linear"])
    assert found.gains.min() > 20
    assert found.matrix_error < 0.02
    assert found.seconds > 0
