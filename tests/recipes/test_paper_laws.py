"""The mixing laws of the paper recipes: what is mixed is what was recorded, and nothing is added to it.

Every recipe in recipes/paper is drawn from a small dataset whose sounds are known. The music and the noise of an item
must each be one gain times one stretch of one source, channel by channel. Nothing else can be that: another speed or
direction, a second layer or surface, an equaliser or a filter, synthetic hiss, exchanged or equal channels, or a level
that moves. To cover another recipe, add its file.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import fftconvolve

from concertclean.config.mixing import BleedLaw, MixingLaw, SeparateLaw
from concertclean.config.training import read_recipe
from concertclean.corpora.sources import Source
from concertclean.dataset.bleed.build import BleedPlan, build_bleed, list_songs
from concertclean.dataset.bleed.mixer import BleedMixer
from concertclean.dataset.bleed.separation import SeparationMixer
from concertclean.dataset.build import Plan, build
from concertclean.dataset.mixing import Mixer
from concertclean.dataset.store import FULL_SCALE, Store
from concertclean.synthesis.shaping import rms

RECIPES = sorted((Path(__file__).parents[2] / "recipes" / "paper").glob("*.toml"))
RATE = 8000
N_ITEMS, N_SAMPLES = 200, 1000
INSTRUMENTS = ["vocals", "bass", "drums", "other"]
SOUNDS = {"clean": 2.1, "noise": 0.5, "response": 0.1}  # seconds of a file of each role
EXACT = 1e-3  # of the level: float32 leaves about 1e-6, the gentlest change there is some 1e-2


def sound(role, number):
    """Noise with swelling and channels of its own, `(time, channel)`; of responses it decays."""
    rng = np.random.default_rng((number, len(role)))
    time = np.arange(round(SOUNDS[role] * RATE))[:, None] / RATE
    waveform = rng.standard_normal((len(time), 2)) * (1 + 0.5 * np.sin(2 * np.pi * (3 + number) * time))
    return 0.1 * waveform * (np.exp(-40 * time) if role == "response" else 1)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """A dataset for each task, stereo unless gramophones are concerned."""
    folder = tmp_path_factory.mktemp("sounds")
    sources = []
    for role, n_files in (("clean", 2), ("noise", 2), ("response", 1)):
        for number in range(n_files):
            path = folder / f"{role}{number}.wav"
            soundfile.write(path, sound(role, number), RATE, subtype="FLOAT")
            sources.append(Source(path, path.name, role, path.stem, split="train", title=path.stem))

    @cache
    def store(task):
        plan = {"sample_rate": RATE, "workers": 1, "validation_items": 0, "test_items": 0, "synthetic_minutes": 0}
        build(Plan(folder=folder / task, task=task, sources=sources, **plan))
        return Store(folder / task)

    return store


@pytest.fixture(scope="module")
def bleed_dataset(tmp_path_factory):
    """One song of four stems to train on, and another that is held back."""
    folder = tmp_path_factory.mktemp("bands")
    for side in ("train", "test"):
        (folder / side / "song").mkdir(parents=True)
        for number, name in enumerate(INSTRUMENTS):
            level = (0.5, 1.0, 1.5, 2.0)[number]
            soundfile.write(folder / side / "song" / f"{name}.wav", level * sound("clean", number)[:, 0], RATE)
    plan = BleedPlan(folder / "data", [folder / "train"], RATE, 1.0, ["low"], held_back=[folder / "test"])
    build_bleed(replace(plan, natural_levels=True))
    return folder / "data"


def sounds(store, role):
    """All that is stored of a role, `(channel, time)` each."""
    entries = store.select(role, "train")
    return [np.asarray(store.samples(entry), np.float64).T / FULL_SCALE for entry in entries]


def closest(part, sources):
    """The stretch of one source that explains most of a part: its gain, waveform, what is left, and its start."""
    best = 0.0, np.zeros_like(part), np.inf, 0
    n_samples = part.shape[1]
    for source in (whole[: len(part)] for whole in sources):
        match = sum(fftconvolve(one, other[::-1], mode="valid") for one, other in zip(source, part, strict=True))
        energy = np.cumsum(np.pad(np.square(source).sum(axis=0), (1, 0)))
        start = int(np.argmax(np.square(match) / (energy[n_samples:] - energy[:-n_samples])))
        stretch = source[:, start : start + n_samples]
        gain = float((part * stretch).sum() / np.square(stretch).sum())
        left = rms(part - gain * stretch) / rms(part)
        if left < best[2]:
            best = gain, stretch, left, start
    return best


def require_plain_item(mixer, store, law, number):
    """Music and noise of an item are single stretches at single gains, its music in the room alone."""
    item = mixer.item(number, N_SAMPLES)
    gain, music, left, _ = closest(item.clean.astype(np.float64), sounds(store, "clean"))
    assert left < EXACT, f"{item.description}: the music was changed"
    low, high = law.level_db
    assert low - 0.01 <= 20 * np.log10(gain) <= high + 0.01, f"{item.description}: at another level"
    degraded = item.degraded.astype(np.float64) / 10 ** (law.degraded_db / 20)
    noise = mixer.item(number, N_SAMPLES, -np.inf).degraded.astype(np.float64)
    _, noise, left, _ = closest(noise, sounds(store, "noise"))
    assert left < EXACT, f"{item.description}: the noise was changed"
    if law.band_limit_share:
        return  # as much as can be known without the band
    if law.task == "reverb":
        (response,) = sounds(store, "response")
        direct = int(np.abs(response).max(axis=0).argmax())
        music = fftconvolve(music, response, axes=1)[:, direct : direct + N_SAMPLES]
    parts = np.stack([music.ravel(), np.broadcast_to(noise, music.shape).ravel()], axis=1)
    gains, *_ = np.linalg.lstsq(parts, degraded.ravel(), rcond=None)
    assert rms(degraded.ravel() - parts @ gains) < EXACT * rms(degraded), f"{item.description}: something was added"
    if law.noise_gain_db is None:
        ratio = 20 * np.log10(rms(parts[:, 0] * gains[0]) / rms(parts[:, 1] * gains[1]))
        assert law.snr_db[0] - 0.01 <= ratio <= law.snr_db[1] + 0.01, item.description


def require_plain_bands(folder, law, drawn=None):
    """Every stem is a stretch of its file at the stored level, and microphones add gains of the law, one of them 1."""
    names = INSTRUMENTS if law.stem is None else [law.stem]
    mixer = BleedMixer(folder, drawn or law, len(names), 0, instruments=names if law.stem is None else ())
    _, songs = list_songs(folder)
    files = {path.stem: np.load(path)[None] / FULL_SCALE for song in songs for path in song}
    for number in range(N_ITEMS):
        item = mixer.item(number, N_SAMPLES)
        for name, stem in zip(names, item.clean.astype(np.float64), strict=True):
            gain, _, left, start = closest(stem[None], [files[name]])
            assert left < EXACT, f"{item.description}: {name} was changed"
            assert gain == pytest.approx(1, abs=EXACT), f"{item.description}: {name} at another level"
        if law.stem is None:
            matrix = np.linalg.lstsq(item.clean.T, item.degraded.T, rcond=None)[0].T
            assert np.allclose(item.degraded, matrix @ item.clean, atol=1e-5), item.description
            assert np.diag(matrix) == pytest.approx(np.ones(len(names)), abs=EXACT)
            others = matrix[~np.eye(len(names), dtype=bool)]
            assert law.gains[0] - EXACT <= others.min() <= others.max() <= law.gains[1] + EXACT
            continue
        others = [file[0, start : start + N_SAMPLES] for name, file in files.items() if name != law.stem]
        bleed = (item.degraded - item.clean)[0]
        gains = np.linalg.lstsq(np.stack(others, axis=1), bleed, rcond=None)[0]
        assert rms(bleed - gains @ np.stack(others)) < 0.01 * rms(bleed), item.description
        assert law.gains[0] - EXACT <= gains.min() <= gains.max() <= law.gains[1] + EXACT, item.description


def require_plain_mixtures(folder, law, instruments):
    """Every stem is a stretch of its file at a gain of the law, and the mixture is their sum."""
    mixer = SeparationMixer(folder, law, instruments, 0)
    files = {path.stem: np.load(path)[None] / FULL_SCALE for song in list_songs(folder)[1] for path in song}
    for number in range(N_ITEMS):
        item = mixer.item(number, N_SAMPLES)
        for name, stem in zip(instruments, item.clean.astype(np.float64), strict=True):
            gain, _, left, _ = closest(stem, [files[name]])
            assert left < EXACT, f"{item.description}: {name} was changed"
            assert law.gains[0] - EXACT <= gain <= law.gains[1] + EXACT, f"{item.description}: {name} at another level"
        assert np.allclose(item.degraded, item.clean.sum(axis=0), atol=1e-6), item.description


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_items_of_a_paper_recipe_are_what_was_recorded(stores, bleed_dataset, path):
    law = read_recipe(path, []).mixing
    if isinstance(law, BleedLaw):
        return require_plain_bands(bleed_dataset, law)
    if isinstance(law, SeparateLaw):
        return require_plain_mixtures(bleed_dataset, law, read_recipe(path, []).network.config["instruments"])
    if not isinstance(law, MixingLaw):
        pytest.fail(f"{type(law).__name__}: unknown law; add a test of its items")
    store = stores(law.task)
    mixer = Mixer(store, law, "train", 0)
    assert law.level == "gain"
    for number in range(N_ITEMS):
        require_plain_item(mixer, store, law, number)


CHANGES = {
    "concert": [
        {"speeds": (1.05, 1.1)}, {"swap_share": 1}, {"mono_share": 1}, {"dense_share": 1}, {"layers": (2, 2)},
        {"moving_share": 1}, {"colour_share": 1}, {"layer_mono_share": 1}, {"layer_swap_share": 1},
        {"noise_speeds": (1.05, 1.1)}, {"reversed_share": 1}, {"parted_share": 1}, {"grain_share": 1},
        {"music_equaliser_share": 1}, {"noise_equaliser_share": 1}, {"phone_share": 1},
        {"room_share": 1}, {"clean_share": 1}, {"level_db": (6, 6)},
    ],
    "gramophone": [
        {"surface_speeds": (1.05, 1.1)}, {"second_surface_share": 1}, {"surface_reversed_share": 1},
        {"surface_alone_share": 0}, {"colour_share": 1}, {"transfer_share": 1}, {"synthetic_share": 1},
        {"noise_equaliser_share": 1},
    ],
}  # fmt: skip


@pytest.mark.parametrize("change", [{"levels_db": (3, 6)}, {"speeds": (1.05, 1.1)}, {"gains": (0.6, 0.8)}], ids=str)
@pytest.mark.parametrize("name", ["cae", "tunet"])
def test_every_change_of_stems_is_noticed(bleed_dataset, name, change):
    law = read_recipe(RECIPES[0].with_stem(name), []).mixing
    with pytest.raises(AssertionError):
        require_plain_bands(bleed_dataset, law, law.model_copy(update=change))


@pytest.mark.parametrize(
    ("task", "change"), [(task, change) for task, changes in CHANGES.items() for change in changes], ids=str
)
def test_every_augmentation_is_noticed(stores, task, change):
    """The check above finds each of the settings that the recipes turn off."""
    path = next(path for path in RECIPES if path.stem == {"concert": "unet", "gramophone": "two-stage"}[task])
    recipe = read_recipe(path, [])
    law = recipe.mixing.model_copy(update=change)
    store = stores(task)
    mixer = Mixer(store, law, "train", 0)

    def check():
        for number in range(6):
            require_plain_item(mixer, store, recipe.mixing, number)

    with pytest.raises(AssertionError):
        check()
