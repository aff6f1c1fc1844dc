"""Bands made from stems: which songs are found, what their microphones hear, what lies where."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.config.mixing import BleedLaw
from concertclean.dataset.bleed.build import BleedPlan, build_bleed, list_sets, list_songs
from concertclean.dataset.bleed.conditions import CONDITIONS, GAINS, draw_matrix, images
from concertclean.dataset.bleed.mixer import BleedMixer
from concertclean.dataset.bleed.songs import find_songs, read_stems
from concertclean.errors import ConfigError, NoInputError
from tests.bleed import bands

RATE = 8000


def write_song(folder: Path, *names: str, seconds: float = 2.0) -> Path:
    folder.mkdir(parents=True)
    for seed, name in enumerate(names):
        waveform = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))
        soundfile.write(folder / f"{name}.wav", waveform, RATE)
    return folder


def read(path: Path) -> np.ndarray:
    return soundfile.read(path)[0]


class TestSongs:
    def test_folders_of_stems_without_their_mixture(self, tmp_path):
        write_song(tmp_path / "b" / "one", "vocals", "drums", "mixture")
        write_song(tmp_path / "a", "bass", "other")
        write_song(tmp_path / "alone", "vocals")
        songs = find_songs(tmp_path)
        assert [(song.name, [path.stem for path in song.stems]) for song in songs] == [
            ("a", ["bass", "other"]),
            ("one", ["drums", "vocals"]),
        ]
        with pytest.raises(NoInputError, match="one folder per song"):
            find_songs(tmp_path / "alone")

    def test_the_excerpt_is_where_every_stem_plays(self, tmp_path):
        folder = write_song(tmp_path / "song", "a", "b", "c", seconds=6)
        for name, quiet in (("a", slice(0, 2 * RATE)), ("b", slice(4 * RATE, None)), ("c", slice(None))):
            waveform = read(folder / f"{name}.wav")
            waveform[quiet] = 0
            soundfile.write(folder / f"{name}.wav", waveform, RATE)
        names, stems = read_stems(find_songs(tmp_path)[0], RATE, 2.0)
        assert names == ("a", "b")  # c is silent
        assert np.sqrt(np.square(stems).mean(axis=1)) == pytest.approx([0.05, 0.05])
        assert np.corrcoef(stems[0], read(folder / "a.wav")[2 * RATE : 4 * RATE])[0, 1] > 0.999


class TestImages:
    def test_gains_are_within_their_bounds(self, noise):
        stems = noise(1000, channels=4)
        for condition in ("low", "high", "cae"):
            heard, matrix = images(stems, condition, RATE, np.random.default_rng(0))
            low, high = GAINS[condition]
            others = matrix[~np.eye(4, dtype=bool)]
            assert low <= others.min() <= others.max() <= high
            assert np.allclose(heard.sum(axis=1), matrix @ stems, rtol=0, atol=1e-12)
            assert np.array_equal(np.diag(matrix), np.ones(4))

    def test_delays_are_those_of_a_stage(self, impulse):
        heard, matrix = images(impulse(0, 2000, level=1.0), "delayed", RATE, np.random.default_rng(0))
        assert matrix is None
        assert heard[0, 0].argmax() == heard[1, 1].argmax() == 0
        for late in (heard[0, 1], heard[1, 0]):
            assert RATE * 1e-3 <= late.argmax() <= RATE * 1e-2
            assert 0.01 <= late.max() <= 0.5

    def test_a_room_decays(self, impulse):
        heard, _ = images(impulse(0, RATE, level=1.0), "room", RATE, np.random.default_rng(0))
        tail = heard[0, 1]
        assert np.square(tail[400:800]).sum() > 4 * np.square(tail[1600:2000]).sum() > 0
        assert np.square(heard[0, 0]).sum() == pytest.approx(1.0, rel=1e-6)
        assert heard[0, 0, 0] > 0.97  # a close microphone is nearly dry

    def test_published_gains(self):
        matrix = draw_matrix(50, np.random.default_rng(0))
        others = matrix[~np.eye(50, dtype=bool)]
        assert others.mean() == pytest.approx(0.255, abs=0.01)
        assert 0.01 <= others.min() <= others.max() <= 0.5

    def test_unknown_and_uninstalled(self, noise, monkeypatch):
        with pytest.raises(ConfigError, match="choose from low, high, cae, delayed, room, shoebox"):
            images(noise(100), "hall", RATE, np.random.default_rng(0))
        monkeypatch.setitem(sys.modules, "pyroomacoustics", None)
        with pytest.raises(ConfigError, match=r"pip install 'concertclean\[rooms\]'"):
            images(noise(100), "shoebox", RATE, np.random.default_rng(0))

    def test_a_room_with_walls(self):
        pytest.importorskip("pyroomacoustics")
        stems = bands.band(2, seconds=1)
        heard, _ = images(stems, "shoebox", bands.SAMPLE_RATE, np.random.default_rng(0))
        power = np.square(heard).mean(axis=2)
        assert np.sqrt(power.diagonal()) == pytest.approx([0.1, 0.1])
        assert (power < 0.5 * power.diagonal()[:, None])[~np.eye(2, dtype=bool)].all()


class TestBuild:
    @pytest.fixture
    def plan(self, tmp_path):
        for number in range(4):
            write_song(tmp_path / "stems" / f"song{number}", "bass", "drums")
        return BleedPlan(tmp_path / "out", [tmp_path / "stems"], RATE, 1.0, ("low", "room"), 0.25)

    def test_what_lies_where(self, plan):
        assert build_bleed(plan) == []
        sets = list_sets(plan.folder)
        assert [one.condition for one in sets] == ["low", "room"]
        assert sets[0].tracks == ("bass", "drums")
        truth = np.stack([read(sets[0].reference(plan.folder, track)) for track in sets[0].tracks])
        heard = np.stack([read(sets[0].microphone(plan.folder, track)) for track in sets[0].tracks])
        assert np.allclose(heard, np.array(sets[0].matrix) @ truth, rtol=0, atol=1e-6)
        assert sets[1].matrix is None
        train = json.loads((plan.folder / "bleed.json").read_text())["train"]
        assert len(train) == 3
        assert sets[0].song not in train
        assert sorted(path.name for path in (plan.folder / "train" / train[0]).iterdir()) == ["bass.npy", "drums.npy"]

    def test_every_song_of_every_folder_is_used(self, plan):
        """The published script walks `test` alone, forgets the folder in its loop, and takes songs 30 to 50."""
        build_bleed(replace(plan, conditions=("low",), validation=0.34))
        listed = json.loads((plan.folder / "bleed.json").read_text())
        songs = [*listed["train"], *listed["validation"], *(one["song"] for one in listed["test"])]
        assert sorted(songs) == [f"song{number}" for number in range(4)]
        assert [len(listed[side]) for side in ("train", "validation", "test")] == [2, 1, 1]

    def test_songs_held_back_never_train(self, plan, tmp_path):
        write_song(tmp_path / "others" / "apart", "bass", "drums")
        build_bleed(replace(plan, held_back=[tmp_path / "others"]))
        assert {one.song for one in list_sets(plan.folder)} == {"apart"}
        assert len(list_songs(plan.folder)[1]) == 4
        assert list_songs(plan.folder, "validation")[1] == []

    def test_a_list_of_another_format(self, plan):
        build_bleed(plan)
        path = plan.folder / "bleed.json"
        path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
        with pytest.raises(ConfigError, match="its format is 1, this version reads 2"):
            list_sets(plan.folder)

    def test_every_band_has_a_room_of_its_own(self, plan):
        """The published script puts every song into the same room, with the same time of reverberation."""
        build_bleed(replace(plan, conditions=("room",), test=1.0))
        heard = [read(one.microphone(plan.folder, "bass")) for one in list_sets(plan.folder)]
        assert len(heard) == 4
        assert all(np.abs(one - heard[0]).max() > 1e-3 for one in heard[1:])

    def test_the_same_bytes_twice(self, plan, tmp_path):
        again = replace(plan, folder=tmp_path / "again")
        build_bleed(plan)
        build_bleed(again)
        for path in [*plan.folder.rglob("*.flac"), *plan.folder.rglob("*.npy")]:
            assert path.read_bytes() == (again.folder / path.relative_to(plan.folder)).read_bytes()

    def test_refused(self, plan):
        with pytest.raises(ConfigError, match="hall: unknown condition"):
            build_bleed(replace(plan, conditions=("hall",)))
        build_bleed(plan)
        with pytest.raises(ConfigError, match="already exists"):
            build_bleed(plan)
        with pytest.raises(ConfigError, match="build one"):
            list_sets(plan.stems[0])


def test_every_condition_is_reproducible():
    stems = bands.band(2, seconds=0.5)
    for condition in set(CONDITIONS) - {"shoebox"}:
        one, other = (images(stems, condition, RATE, np.random.default_rng(3))[0] for _ in range(2))
        assert np.array_equal(one, other)


@pytest.fixture
def bands_dataset(tmp_path):
    for number in range(3):
        write_song(tmp_path / "stems" / f"song {number}", "a", "b")
    plan = BleedPlan(tmp_path / "data", [tmp_path / "stems"], RATE, 1.0, ["low"], test=0.34)
    assert build_bleed(plan) == []
    return tmp_path / "data"


class TestDatasetsOfOthers:
    @pytest.mark.parametrize(
        "change",
        [
            {"train": ["../../stems"]},
            {"train": ["/etc"]},
            {"train": 5},
            {"test": [{"condition": "low", "song": "..", "tracks": ["a"], "matrix": None}]},
            {"test": [{"condition": "low", "song": "song 0", "tracks": ["..\\a"], "matrix": None}]},
            {"test": [{"condition": "low", "song": "song 0", "tracks": [], "matrix": None}]},
            {"test": [{"song": "song 0", "tracks": ["a"], "matrix": [["x"]]}]},
            {"sample_rate": 0},
            {"sample_rate": 1e999},
            {"surprise": 1},
        ],
        ids=str,
    )
    def test_list_with_foreign_names_or_wrong_values_is_refused(self, bands_dataset, change):
        path = bands_dataset / "bleed.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        with pytest.raises(ConfigError, match=r"bleed\.json: .*build one"):
            list_sets(bands_dataset)

    @pytest.mark.parametrize("data", [b"[]", b"5", b"{", b"\xff", b"[" * 100_000])
    def test_list_that_is_none_is_refused(self, bands_dataset, data):
        (bands_dataset / "bleed.json").write_bytes(data)
        with pytest.raises(ConfigError, match=r"bleed\.json: "):
            list_songs(bands_dataset)

    def test_songs_are_not_read_through_links(self, bands_dataset):
        song = next((bands_dataset / "train").iterdir())
        song.rename(bands_dataset.parent / "outside")
        song.symlink_to(bands_dataset.parent / "outside")
        with pytest.raises(ConfigError, match="symbolic link"):
            list_songs(bands_dataset)

    @pytest.mark.parametrize(
        "data", [b"", b"\x93NUMPY", b"PK\x05\x06" + bytes(18), b"no array", b"\x93NUMPY\x01\x00\x06\x00{[[[[\n"]
    )
    def test_stem_that_is_no_array_is_refused(self, bands_dataset, data):
        law = BleedLaw.model_validate({"task": "bleed"})
        for path in (bands_dataset / "train").rglob("*.npy"):
            path.write_bytes(data)
        mixer = BleedMixer(bands_dataset, law, 2, 0)
        with pytest.raises(ConfigError, match=r"\.npy: (cannot be read|holds)"):
            mixer.item(0, 100)


def test_song_that_cannot_be_read_or_stored_is_left_out(tmp_path):
    for name in ("one", "two", "three", "back\\slash"):
        write_song(tmp_path / "stems" / name, "a", "b")
    (tmp_path / "stems" / "one" / "b.wav").write_bytes(b"no audio")
    plan = BleedPlan(tmp_path / "data", [], RATE, 1.0, ["low"], held_back=[tmp_path / "stems"])
    failures = build_bleed(plan)
    assert len(failures) == 2
    assert "b.wav: not an audio file" in "\n".join(failures)
    assert sys.platform == "win32" or "contains a backslash" in "\n".join(failures)
    assert {one.song for one in list_sets(tmp_path / "data")} == {"two", "three"}
