"""Folders of synthetic songs and noises, and a dataset built from them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.corpora.sources import Source, assign_splits
from concertclean.dataset.build import Plan, build
from concertclean.dataset.store import Store

RATE = 8000


def song(seed, seconds=4.0, rate=RATE, channels=2):
    """Three tones of a chord, never silent, `(time, channel)`."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    tones = [np.sin(2 * np.pi * rng.uniform(100, 1500) * time + rng.uniform(0, 6)) for _ in range(3 * channels)]
    return 0.2 * np.array(tones).reshape(channels, 3, -1).sum(axis=1).T


def hiss(seed, seconds=3.0, rate=RATE, channels=2):
    return 0.2 * np.random.default_rng(seed).uniform(-1, 1, (round(seconds * rate), channels))


@pytest.fixture
def write(tmp_path):
    """Writes `(time, channel)` samples to a file below the test's folder."""

    def save(name, samples, rate=RATE, subtype="PCM_24"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, subtype=subtype)
        return path

    return save


@pytest.fixture
def make_sources(write):
    """Songs by three artists and noises of three places, a file each; more of a role on request."""

    def make(songs=3, noises=3, responses=0):
        plan = [("clean", "song", song, songs), ("noise", "noise", hiss, noises), ("response", "room", hiss, responses)]
        return [
            Source(
                path=write(
                    f"in/{name}{number}.wav", maker(10 * number + len(name), 0.2 if role == "response" else 4.0)
                ),
                name=f"{name}{number}",
                role=role,
                group=f"{name} group {number}",
                split=None,
                licence="CC0",
                title=f"{name} {number}",
                category="hiss" if role == "noise" else "",
                spans=(),
            )
            for role, name, maker, n in plan
            for number in range(n)
        ]

    return make


@pytest.fixture
def make_store(make_sources, tmp_path):
    """A built dataset."""

    def make(task="concert", folder="dataset", sources=None, **changes):
        plan = {"sample_rate": RATE, "workers": 1, "validation_items": 0, "test_items": 0, **changes}
        sources = make_sources(responses=1) if sources is None else sources
        build(Plan(folder=tmp_path / folder, task=task, sources=assign_splits(sources), **plan))
        return Store(tmp_path / folder)

    return make


@pytest.fixture
def dataset_folder(tmp_path) -> Path:
    return tmp_path / "dataset"
