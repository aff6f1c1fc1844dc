"""Noise of concert items: layers, clouds of grains, other sounds, and what each setting changes."""

from dataclasses import replace

import numpy as np
import pytest

from concertclean.corpora.sources import Source
from concertclean.dataset.crowds import Crowd
from concertclean.synthesis.shaping import rms
from tests.dataset.conftest import RATE, hiss
from tests.dataset.test_mixing import law


@pytest.fixture
def store(make_store, make_sources, write):
    """One crowd, and two kinds of other sounds: a bark and a word."""
    sources = [replace(source, split="train") for source in make_sources(noises=1)]
    for role, category in (("effect", "animal"), ("speech", "")):
        sources.append(Source(write(f"e/{role}.wav", hiss(5, 0.5)), role, role, role, "train", "CC0", role, category))
    return make_store(sources=sources)


def noise(store, seed=1, **changes):
    return Crowd(store, law(**changes), "train").draw(np.random.default_rng(seed), 2 * RATE)


def test_layers_have_names_and_come_at_any_number(store):
    names = {noise(store, seed, layers=(1, 3))[1].count(",") for seed in range(30)}
    assert names == {0, 1, 2}


def test_other_sounds_come_as_often_as_the_law_says(store):
    crowd, rng = Crowd(store, law(effect_share=0.4), "train"), np.random.default_rng(0)
    names = [crowd.draw(rng, RATE // 4)[1] for _ in range(300)]
    # Three standard errors of a share of 0.4 in 300 draws.
    assert np.mean([name == "other sounds" for name in names]) == pytest.approx(0.4, abs=0.085)


def test_without_other_sounds_the_law_draws_crowds(make_store):
    assert noise(make_store(), effect_share=1.0)[1].startswith("noise")


def test_a_cloud_is_made_of_recorded_layers_only(store):
    names = {noise(store, seed, grain_share=1.0)[1] for seed in range(10)}
    assert names == {"grains of noise0"}


def test_speeds_reverse_and_parting_change_the_layer_and_keep_its_level(store):
    plain, _ = noise(store)
    for change in ({"noise_speeds": (0.7, 0.7)}, {"reversed_share": 1}, {"parted_share": 1},
                   {"noise_equaliser_share": 1}):  # fmt: skip
        other, _ = noise(store, **change)
        assert other.shape == plain.shape
        assert np.isfinite(other).all()
        assert not np.array_equal(other, plain), change
        # One layer at 0.15 to 1 of an rms of one.
        assert 0.1 < rms(other) < 1.01


@pytest.mark.parametrize("change", ["grain_share", "effect_share", "reversed_share", "parted_share",
                                    "noise_equaliser_share"])  # fmt: skip
def test_each_is_off_by_default_and_seeded(store, change):
    assert getattr(law(), change) == 0
    first, second = (noise(store, 3, **{change: 0.5}) for _ in range(2))
    assert np.array_equal(first[0], second[0])


def test_speeds_must_be_positive_and_in_order():
    with pytest.raises(ValueError, match="noise_speeds begin at 0"):
        law(noise_speeds=(0, 1))
    with pytest.raises(ValueError, match="noise_speeds runs from 2"):
        law(noise_speeds=(2, 1))
