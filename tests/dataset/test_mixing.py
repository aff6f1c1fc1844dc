"""Items: the same for the same number, at the ratio that was asked, and by the law."""

import numpy as np
import pytest

from concertclean.config.mixing import MixingLaw
from concertclean.dataset.excerpts import filled
from concertclean.dataset.mixing import Mixer, draw_snr_db, mix
from concertclean.errors import ConfigError
from concertclean.synthesis import degradation
from concertclean.synthesis.shaping import rms
from tests.dataset.conftest import hiss

PLAIN = {
    "snr_db": (-5, 10), "level": "gain", "level_db": (0, 0), "speeds": (1, 1), "swap_share": 0, "mono_share": 0,
    "layers": (1, 1), "synthetic_share": 0, "moving_share": 0, "clean_share": 0, "noise_only_share": 0,
    "nearly_clean_share": 0,
}  # fmt: skip


def law(task="concert", **changes):
    return MixingLaw.model_validate({"task": task, **PLAIN, **changes})


def ratio_db(item):
    return 20 * np.log10(rms(item.clean) / rms(item.degraded - item.clean))


@pytest.mark.parametrize("task", ["concert", "gramophone", "reverb"])
def test_a_number_gives_the_same_item_again_and_another_one_another(make_store, task):
    store = make_store(task)
    every = law(task, room_share=0.5, phone_share=0.5, codec_share=0.5, band_limit_share=0.5, moving_share=0.5)
    items = [Mixer(store, every, "train", 3).item(number, 4000) for number in (7, 7, 8)]
    other_seed = Mixer(store, every, "train", 4).item(7, 4000)
    assert np.array_equal(items[0].degraded, items[1].degraded)
    assert np.array_equal(items[0].clean, items[1].clean)
    assert not np.array_equal(items[0].degraded, items[2].degraded)
    assert not np.array_equal(items[0].degraded, other_seed.degraded)
    channels = 2 if task == "concert" else 1
    for item in items:
        for waveform in (item.degraded, item.clean):
            assert waveform.shape == (channels, 4000)
            assert waveform.dtype == np.float32
            assert np.isfinite(waveform).all()


@pytest.mark.parametrize("asked", [-10.0, 0.0, 12.0])
def test_the_ratio_is_the_one_that_was_asked(make_store, asked):
    item = Mixer(make_store(), law(), "train", 0).item(0, 8000, asked)
    assert ratio_db(item) == pytest.approx(asked, abs=0.01)
    assert f"at {asked:.1f} dB" in item.description


def test_ratios_are_drawn_evenly_between_the_ends(make_store):
    mixer = Mixer(make_store(), law(), "train", 0)
    ratios = [ratio_db(mixer.item(number, 2000)) for number in range(200)]
    assert min(ratios) > -5.01
    assert max(ratios) < 10.01
    # The mean of 200 even draws from 15 dB: standard error 0.31 dB, three of them.
    assert np.mean(ratios) == pytest.approx(2.5, abs=0.95)


def test_kinds_of_items_come_as_often_as_the_law_says():
    rng = np.random.default_rng(0)
    shares = law(clean_share=0.2, noise_only_share=0.1, nearly_clean_share=0.3)
    drawn = np.array([draw_snr_db(rng, shares) for _ in range(4000)])
    # Four standard errors of a share of 0.3 in 4000 draws are 0.03.
    assert (drawn == np.inf).mean() == pytest.approx(0.2, abs=0.03)
    assert (drawn == -np.inf).mean() == pytest.approx(0.1, abs=0.03)
    assert ((drawn > 10) & (drawn <= 30)).mean() == pytest.approx(0.3, abs=0.03)
    assert ((drawn >= -5) & (drawn <= 10)).mean() == pytest.approx(0.4, abs=0.03)


def test_clean_only_and_noise_only_items(make_store):
    mixer = Mixer(make_store(), law(), "train", 0)
    clean, noise = mixer.item(0, 4000, np.inf), mixer.item(0, 4000, -np.inf)
    assert np.array_equal(clean.degraded, clean.clean)
    assert rms(clean.clean) > 0
    assert rms(noise.clean) == 0
    assert rms(noise.degraded) > 0


def test_sounds_come_from_the_asked_side_only(make_store):
    store = make_store()
    for split in ("train", "validation", "test"):
        (name,) = {entry.name for entry in store.select("clean", split)}
        mixer = Mixer(store, law(), split, 0)
        assert all(name in mixer.item(number, 1000).description for number in range(5))


def test_levels_by_rms_and_by_gain(make_store):
    store = make_store()
    by_rms = Mixer(store, law(level="rms", level_db=(-30, -30)), "train", 0).item(0, 8000)
    assert 20 * np.log10(rms(by_rms.degraded)) == pytest.approx(-30, abs=0.01)
    plain = Mixer(store, law(), "train", 0).item(0, 8000)
    louder = Mixer(store, law(level_db=(6, 6)), "train", 0).item(0, 8000)
    gain = 10 ** (6 / 20)
    assert np.allclose(louder.degraded, plain.degraded * gain, atol=1e-6)
    assert np.allclose(louder.clean, plain.clean * gain, atol=1e-6)


def test_channels_are_swapped_and_made_equal(make_store):
    store = make_store()
    plain, swapped, mono = (
        Mixer(store, law(**shares), "train", 0).item(1, 4000, np.inf).clean
        for shares in ({}, {"swap_share": 1}, {"mono_share": 1})
    )
    assert not np.array_equal(plain[0], plain[1])
    assert np.array_equal(swapped, plain[::-1])
    assert np.allclose(mono[0], plain.mean(axis=0), atol=1e-6)
    assert np.array_equal(mono[0], mono[1])


def test_a_room_is_kept_by_concerts_and_removed_by_reverb(make_store):
    for task, is_kept in (("concert", True), ("reverb", False)):
        store = make_store(task, folder=task)
        dry = Mixer(store, law(task), "train", 0).item(0, 8000, 60.0)
        wet = Mixer(store, law(task, room_share=1), "train", 0).item(0, 8000, 60.0)
        changed = rms(wet.clean - dry.clean) > 0.03 * rms(dry.clean)
        assert changed == is_kept
        assert rms(wet.degraded - dry.clean) > 0.03 * rms(dry.clean)


def test_favourites_are_drawn_more_often(make_store, make_sources):
    from dataclasses import replace

    sources = [replace(source, split="train") for source in make_sources()]
    store = make_store(sources=sources)
    mixer = Mixer(store, law(favourites={"song group 1": 8.0}), "train", 0)
    names = [mixer.item(number, 500).description for number in range(200)]
    share = np.mean(["song1" in name for name in names])
    # 8 of 10; four standard errors.
    assert share == pytest.approx(0.8, abs=0.115)


@pytest.mark.parametrize(
    ("task", "given", "complaint"),
    [
        ("concert", {"noises": 0}, "no noise for train"),
        ("reverb", {"responses": 0}, "no impulse responses"),
    ],
)
def test_what_is_missing_is_told(make_store, make_sources, task, given, complaint):
    store = make_store(task, sources=make_sources(**given))
    with pytest.raises(ConfigError, match=complaint):
        Mixer(store, law(task), "train", 0)


def test_a_side_without_music_is_told(make_store, make_sources):
    store = make_store(sources=make_sources(songs=1))
    with pytest.raises(ConfigError, match="no clean music for test"):
        Mixer(store, law(), "test", 0)


def test_gramophone_items_need_no_recorded_noise(make_store, make_sources):
    store = make_store("gramophone", sources=make_sources(noises=0))
    item = Mixer(store, law("gramophone"), "train", 0).item(0, 8000, 3.0)
    assert ratio_db(item) == pytest.approx(3.0, abs=0.01)


def test_mixing_with_silence_leaves_the_other_as_it_is(noise):
    sound, silence = noise(1000).astype(np.float32), np.zeros((2, 1000), np.float32)
    for degraded, clean, expected in (
        (*mix(sound, silence, 0.0), (sound, sound)),
        (*mix(silence, sound, 0.0), (sound, silence)),
    ):
        assert np.array_equal(degraded, expected[0])
        assert np.array_equal(clean, expected[1])


def test_short_noise_is_repeated_without_dips_or_clicks(noise):
    short = noise(9000, seed=1).astype(np.float32)
    long = filled(short, 100_000)
    assert long.shape == (2, 100_000)
    assert np.array_equal(long[:, :6000], short[:, :6000])
    levels = np.sqrt(np.square(long.reshape(2, -1, 1000)).mean(axis=2))
    # Joints of equal power: blocks of 1000 samples of uniform noise differ by a few percent anyway.
    assert levels.min() > 0.9 * levels.mean()
    assert levels.max() < 1.1 * levels.mean()


def test_long_noise_is_cut():
    assert filled(np.ones((1, 100), np.float32), 30).shape == (1, 30)


def test_filling_from_a_single_sample_ends():
    assert filled(np.ones((1, 1), np.float32), 5).tolist() == [[1, 1, 1, 1, 1]]


def test_lost_band_is_restored_where_the_target_keeps_it(make_store):
    """Li et al. limit the band of what goes in; the music that should come out has all of it."""
    store = make_store()
    plain, both, restored = (
        Mixer(store, law(**changes), "train", 0).item(2, 8000, np.inf)
        for changes in ({}, {"band_limit_share": 1}, {"band_limit_share": 1, "band_limit_target": False})
    )
    assert np.array_equal(restored.clean, plain.clean)
    assert np.array_equal(restored.degraded, both.degraded)
    assert np.array_equal(both.clean, both.degraded)
    assert rms(restored.degraded - restored.clean) > 0.01 * rms(restored.clean)


def test_equaliser_and_room_change_both_sides_of_a_lost_band(make_store):
    """Between them remains the band alone: few decibels where there is sound, not a room or an equaliser."""
    store = make_store()
    changes = {"band_limit_share": 1, "band_limit_target": False, "music_equaliser_share": 1, "room_share": 1}
    mixer = Mixer(store, law(**changes), "train", 0)
    plain = Mixer(store, law(), "train", 0).item(2, 8000, np.inf)
    item = mixer.item(2, 8000, np.inf)
    assert rms(item.clean - plain.clean) > 0.03 * rms(plain.clean)
    assert not np.array_equal(item.clean, item.degraded)
    spectra = [np.abs(np.fft.rfft(each.mean(axis=0))) for each in (item.clean, item.degraded)]
    inner = slice(400, 2500)  # Hz at 8000 samples of 8000 Hz
    loud = spectra[0][inner] > 0.05 * spectra[0][inner].max()
    assert np.abs(20 * np.log10(spectra[1][inner][loud] / spectra[0][inner][loud])).mean() < 3


def test_only_narrow_bands_of_li_on_request(make_store, monkeypatch):
    drawn = []
    monkeypatch.setattr(degradation, "band_limit", lambda rng, music, rate, *, band: drawn.append(band) or music)
    for share in (0.0, 1.0):
        mixer = Mixer(make_store(folder=f"dataset {share}"), law(band_limit_share=1, wide_band_share=share), "train", 0)
        for number in range(10):
            mixer.item(number, 500, np.inf)
    assert [band.order == 5 for band in drawn] == [True] * 10 + [False] * 10


def test_law_of_a_reverberant_mixture_at_a_fixed_gain(make_store, make_sources, write):
    """The room takes all of the music, the noise keeps its stored level, and the sum is a tenth.

    The room is a click of 0.8 and an echo of 0.6, energy one, so that it keeps the level of music that is white.
    """
    room = np.zeros((300, 2))
    room[[0, 200]] = [[0.8], [0.6]]
    sources = make_sources(responses=1)
    for source in sources:
        if source.role == "response":
            write(source.path, room)
        if source.role == "clean":
            write(source.path, hiss(50 + int(source.name[-1])))
    store = make_store("reverb", sources=sources, channels=2)
    changes = {"room_share": 1, "room_dry": (0, 0), "noise_gain_db": -6.0206, "degraded_db": -20}
    quiet = {"colour_share": 0, "layer_mono_share": 0, "layer_swap_share": 0, "noise_speeds": (1, 1)}
    item = Mixer(store, law("reverb", **changes, **quiet), "train", 0).item(1, 4000)
    wet = 0.8 * item.clean
    wet[:, 200:] += 0.6 * item.clean[:, :-200]
    wet *= rms(item.clean) / rms(wet)
    noise = 10 * item.degraded - wet
    (entry,) = store.select("noise", "train")
    stored = np.asarray(store.samples(entry), np.float32).T / 32767
    fits = [k for k in range(stored.shape[1] - 4000) if np.allclose(noise[:, :3], stored[:, k : k + 3] / 2, atol=1e-3)]
    assert len(fits) == 1
    assert np.allclose(noise, 0.5 * stored[:, fits[0] : fits[0] + 4000], atol=1e-3)
    assert "at a gain of -6.0 dB" in item.description


def test_noise_of_discs_has_no_stored_level():
    with pytest.raises(ValueError, match="noise_gain_db is not for gramophone"):
        law("gramophone", noise_gain_db=0.0)
