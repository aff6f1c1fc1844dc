"""The table of Yazhou Li, from songs of seconds to what was published beside them."""

import numpy as np
import pytest
import soundfile
import torch

from concertclean.config.training import SeparateTrainingSettings
from concertclean.dataset.bleed.build import BleedPlan, build_bleed
from concertclean.errors import ModelError, NoInputError
from concertclean.evaluate.separation import StemScores
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.reproduce import ddae
from concertclean.reproduce.catalogue import find_table
from concertclean.reproduce.table import Request, grid
from concertclean.train.separation import train_separator
from concertclean.weights.file_format import save_weights
from tests.reproduce.songs_of_notes import write_song

RATE = 44_100
LOW_RATE = 4000
PUBLISHED = [[6.73, None, None, None], [-1.16, None, None, None], [-1.33, None, None, None]]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two songs for training, one for tests, a noise and a room."""
    folder = tmp_path_factory.mktemp("ddae") / "musdb"
    for side, number in (("train", 0), ("train", 3), ("test", 1)):
        write_song(folder / side / f"song{number}", LOW_RATE, 2.0, transpose=number)
    rng = np.random.default_rng(0)
    for kind in ("noise", "response"):
        (folder / kind).mkdir()
    soundfile.write(folder / "noise" / "hiss.wav", 0.1 * rng.standard_normal(RATE), RATE)
    tail = rng.standard_normal(RATE // 5) * np.exp(-np.arange(RATE // 5) / 2000)
    soundfile.write(folder / "response" / "hall.wav", 0.1 * np.concatenate([[3.0], tail]), RATE)
    return folder


def saved(path, architecture, config):
    torch.manual_seed(0)
    state = ARCHITECTURES[architecture].build(**config).state_dict()
    save_weights(path, state, architecture=architecture, config=config, provenance={})
    return path


@pytest.fixture(scope="module")
def weights(corpus, tmp_path_factory):
    """A separator trained for a moment, and a DDAE as it begins."""
    folder = tmp_path_factory.mktemp("weights")
    build_bleed(BleedPlan(folder / "data", [corpus / "train"], LOW_RATE, 1.0, ("low",), held_back=[corpus / "test"]))
    small = {**ARCHITECTURES["open_unmix"].small_config, "hidden": 24, "sample_rate": LOW_RATE, "channels": 1}
    small["instruments"] = ["bass", "drums", "other", "vocals"]
    values = {
        "name": "separator",
        "network": {"architecture": "open_unmix", "config": small},
        "data": {"dataset": folder / "data", "seconds": 0.5, "workers": 0, "batch": 4},
        "mixing": {"task": "separate"},
        "optimizer": {"learning_rate": 1e-2, "warmup": 0},
        "run": {"steps": 40, "precision": "fp32", "ema_decay": 0.0, "validate_every": 0},
    }  # fmt: skip
    settings = SeparateTrainingSettings.model_validate(values)
    separator = train_separator(settings, folder / "run", lambda step: None, lambda remark: None)
    denoiser = saved(folder / "ddae.safetensors", "ddae", {**ARCHITECTURES["ddae"].small_config, "sample_rate": RATE})
    return {"Wave-U-Net": separator, "DDAE": denoiser}


def test_vocals_of_clean_noisy_and_denoised_mixtures(corpus, weights, tmp_path):
    found = find_table("ddae", "table1").make(Request(corpus, tmp_path, weights=weights))
    assert found.columns == ("SDR", "ISR", "SIR", "SAR")
    assert [row.name for row in found.rows] == ["clean", "noisy", "denoised"]
    assert [row.published for row in found.rows] == PUBLISHED
    assert all(np.isfinite(row.ours).all() for row in found.rows)
    clean, noisy, denoised = (row.ours[0] for row in found.rows)
    assert clean > max(noisy, denoised)
    assert noisy < 20 * np.log10(1 / 0.9)  # vocals at a tenth of their level
    difference = found.rows[2].ours[2] - found.rows[1].ours[2]
    assert any(f"published: SIR +4.3 dB from noisy to denoised, here {difference:+.1f} dB" in r for r in found.remarks)
    assert "2 of 2 songs are shorter than 2,000,000 samples and were taken whole" in found.remarks
    assert grid(found)[0] == ["system", "SDR", "SDR, published", "ISR", "SIR", "SAR"]


def test_a_noisy_mixture_is_reverberant_with_noise_and_everything_times_a_tenth(corpus, weights, tmp_path, monkeypatch):
    """A room that only delays changes nothing, so what is left is the law of the levels."""
    for name in ("train", "noise", "response"):
        (tmp_path / name).mkdir()
    (tmp_path / "train" / "song").symlink_to(corpus / "train" / "song0")
    soundfile.write(tmp_path / "response" / "delay.wav", np.eye(1, 500, 100)[0], RATE)
    hum = 0.3 * np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)
    soundfile.write(tmp_path / "noise" / "hum.wav", hum, RATE, subtype="FLOAT")
    mixtures = []

    def score(separator, stems, sample_rate, *, mixture):
        mixtures.append((sum(stems.values()), mixture[0]))
        return {"vocals": StemScores(1.0, 1.0, 1.0, 1.0)}

    monkeypatch.setattr(ddae, "score_separator", score)
    monkeypatch.setattr(ddae, "_FIRST", 1000)
    monkeypatch.setattr(ddae, "_LAST", 21_000)
    find_table("ddae", "table1").make(Request(tmp_path, tmp_path, weights={"Wave-U-Net": weights["Wave-U-Net"]}))
    (truth, clean), (_, noisy) = mixtures
    assert np.allclose(clean, truth, atol=1e-9)
    assert clean.shape == (20_000,)
    expected = 0.1 * (clean + hum[:20_000] / hum.max() * 10 ** (-1 / 20))
    assert np.allclose(noisy, expected, atol=1e-5)


def test_rows_without_weights_are_said(corpus, weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = find_table("ddae", "table1").make(Request(corpus, tmp_path))
    assert [row.ours for row in found.rows] == [[None] * 4] * 3
    assert [row.published for row in found.rows] == PUBLISHED
    for name, recipe in (("DDAE", "ddae"), ("Wave-U-Net", "wave-unet-separator")):
        assert any(remark.startswith(f"{name}: not run, runs/paper-{recipe}/") for remark in found.remarks)
    separator = {"Wave-U-Net": weights["Wave-U-Net"]}
    found = find_table("ddae", "table1").make(Request(corpus, tmp_path, weights=separator, n_items=1))
    assert found.rows[0].ours[0] > found.rows[1].ours[0]
    assert found.rows[2].ours == [None] * 4
    assert any(remark.startswith("songs scored here: 1,") for remark in found.remarks)


def test_data_that_do_not_fit(corpus, weights, tmp_path):
    request = Request(tmp_path, tmp_path, weights={"Wave-U-Net": weights["Wave-U-Net"]})
    write_song(tmp_path / "song", LOW_RATE, 0.3)
    with pytest.raises(NoInputError, match="noise: contains no recording; put one there"):
        find_table("ddae", "table1").make(request)
    (tmp_path / "song" / "vocals.wav").unlink()
    with pytest.raises(NoInputError, match="no song has all of bass, drums, other, vocals"):
        find_table("ddae", "table1").make(request)
    small = {**ARCHITECTURES["open_unmix"].small_config, "instruments": ["bass", "drums"], "channels": 1}
    other = saved(tmp_path / "other.safetensors", "open_unmix", small)
    with pytest.raises(ModelError, match="finds bass, drums; train it for vocals"):
        find_table("ddae", "table1").make(Request(corpus, tmp_path, weights={"Wave-U-Net": other}))
