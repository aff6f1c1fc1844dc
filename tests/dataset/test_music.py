"""Music of items: songs from their stems, voices on top, two pieces at once, and colours that both waveforms share."""

from dataclasses import replace

import numpy as np
import pytest

from concertclean.corpora.sources import Source
from concertclean.dataset.mixing import Mixer
from concertclean.dataset.music import Music, songs_of
from concertclean.synthesis.shaping import rms
from tests.dataset.conftest import RATE, song
from tests.dataset.test_mixing import law


@pytest.fixture
def stem_store(make_store, make_sources, write):
    """A song of four stems (two of them sung), and another piece; all train."""
    time = np.arange(6 * RATE) / RATE
    stems = {
        "lead": 0.2 * np.sin(2 * np.pi * 400 * time),
        "choir": 0.1 * np.sin(2 * np.pi * 600 * time),
        "bass": 0.3 * np.sin(2 * np.pi * 100 * time),
        "keys": 0.05 * np.sin(2 * np.pi * 1500 * time),
    }
    paths = {name: write(f"stems/{name}.wav", np.repeat(wave[:, None], 2, axis=1)) for name, wave in stems.items()}
    sung = Source(paths["lead"], "band/One vocals", "vocals", "band", "train", "CC0", "One", layers=(paths["choir"],))
    rest = Source(paths["bass"], "band/One backing", "backing", "band", "train", "CC0", "One", layers=(paths["keys"],))
    others = [replace(source, split="train") for source in make_sources(songs=1, noises=1)]
    return make_store(sources=[*others, sung, rest])


def level(waveform, hz):
    """Amplitude of a tone in the first channel."""
    time = np.arange(waveform.shape[1]) / RATE
    return 2 * abs(np.mean(waveform[0] * np.exp(-2j * np.pi * hz * time)))


def test_stems_of_one_role_are_summed_and_stay_aligned_at_their_levels(stem_store):
    (found,) = songs_of(stem_store, "train")
    assert found.vocals.title == found.backing.title == "One"
    assert found.n_samples == 6 * RATE
    settings = law(song_share=1, vocals_db=(0, 0), backing_db=(0, 0), a_cappella_share=0)
    music, name = Music(stem_store, settings, "train").draw(np.random.default_rng(0), RATE)
    assert name == "One"
    assert [level(music, hz) for hz in (400, 600, 100, 1500)] == pytest.approx([0.2, 0.1, 0.3, 0.05], abs=1e-3)


def test_singers_and_band_get_levels_of_their_own(stem_store):
    settings = law(song_share=1, vocals_db=(6, 6), backing_db=(-6, -6), a_cappella_share=0)
    music, _ = Music(stem_store, settings, "train").draw(np.random.default_rng(0), RATE)
    assert level(music, 400) == pytest.approx(0.2 * 10 ** (6 / 20), rel=0.01)
    assert level(music, 100) == pytest.approx(0.3 * 10 ** (-6 / 20), rel=0.01)
    alone = law(song_share=1, vocals_db=(0, 0), a_cappella_share=1)
    music, name = Music(stem_store, alone, "train").draw(np.random.default_rng(0), RATE)
    assert name == "One, vocals alone"
    assert level(music, 400) == pytest.approx(0.2, rel=0.01)
    assert level(music, 100) < 1e-3


def test_the_excerpt_is_where_somebody_sings(make_store, make_sources, write):
    """Vocals that rest for 29 of 30 seconds are found within a few tries more often than by chance."""
    vocals = np.zeros((30 * RATE, 2))
    vocals[10 * RATE : 16 * RATE] = song(1, seconds=6.0)
    backing = song(2, seconds=30.0)
    sources = [
        Source(write(f"s/{role}.wav", samples), role, role, "band", "train", "CC0", "One")
        for role, samples in (("vocals", vocals), ("backing", backing))
    ]
    store = make_store(sources=[*make_sources(), *sources])
    music = Music(store, law(song_share=1, a_cappella_share=1), "train")
    sung = [rms(music.draw(np.random.default_rng(seed), RATE)[0]) > 1e-3 for seed in range(40)]
    # By chance 7 of 30 excerpts; of six tries 1 - (23/30)^6 = 80 %, less three standard errors.
    assert np.mean(sung) > 0.6


@pytest.fixture
def voice_store(make_store, make_sources, write):
    """Music, and a voice: a tone of 1234 Hz."""
    tone = 0.5 * np.sin(2 * np.pi * 1234 * np.arange(4 * RATE) / RATE)
    source = Source(write("v/voice.wav", tone[:, None]), "voice", "voice", "singer", "train", "CC0", "voice")
    return make_store(sources=[*(replace(s, split="train") for s in make_sources()), source])


def test_a_voice_is_sung_over_other_music_at_its_level(voice_store):
    plain, _ = Music(voice_store, law(), "train").draw(np.random.default_rng(4), 2 * RATE)
    sung, name = Music(voice_store, law(sung_share=1, sung_db=(0, 0)), "train").draw(np.random.default_rng(4), 2 * RATE)
    assert name.endswith(", sung")
    assert level(sung, 1234) > 10 * level(plain, 1234)
    assert rms(sung - plain) == pytest.approx(rms(plain), rel=0.02)


def test_two_pieces_at_once(voice_store):
    rng = np.random.default_rng(4)
    _, name = Music(voice_store, law(dense_share=1), "train").draw(rng, RATE)
    assert " and " in name


def test_the_equaliser_colours_degraded_and_clean_alike(make_store):
    store = make_store()
    for settings in ({}, {"music_equaliser_share": 1}):
        item = Mixer(store, law(**settings), "train", 0).item(3, RATE, 0.0)
        noise = item.degraded - item.clean
        assert rms(noise) == pytest.approx(rms(item.clean), rel=0.01)
    plain, coloured = (
        Mixer(store, law(**settings), "train", 0).item(3, RATE, np.inf).clean
        for settings in ({}, {"music_equaliser_share": 1})
    )
    assert rms(coloured - plain) > 0.05 * rms(plain)


@pytest.mark.parametrize("share", ["song_share", "sung_share", "dense_share", "music_equaliser_share"])
def test_each_law_is_off_by_default_and_seeded(voice_store, share):
    assert getattr(law(), share) == 0
    mixer = Mixer(voice_store, law(**{share: 0.5}), "train", 7)
    first, second = (mixer.item(3, 4000) for _ in range(2))
    assert np.array_equal(first.degraded, second.degraded)
    assert np.array_equal(first.clean, second.clean)
