"""Bands made from stems: which songs are found, what their microphones hear, what lies where."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import soundfile

from concertclean.config.mixing import BleedLaw
from concertclean.dataset.bleed.build import BleedPlan, build_bleed, list_sets, list_songs
from concertclean.dataset.bleed.conditions import CONDITIONS, GAINS, draw_matrix, images
from concertclean.dataset.bleed.mixer import BleedMixer
from concertclean.dataset.bleed.songs import find_songs, read_stems
from concertclean.errors import ConfigError, NoInputError
from tests.audio_io.sound_bytes import add, order_of, tones
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
        assert [(song.name, [stem.name for stem in song.stems]) for song in songs] == [
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

    def test_stem_files_are_songs_of_four_stems(self, tmp_path):
        """MUSDB18 holds mixture, drums, bass, other and vocals in one file; as files they would be one song's stems."""
        for number in range(2):
            write_stem_file(tmp_path / "train" / f"Band - Song {number}.stem.mp4")
        songs = find_songs(tmp_path)
        assert [song.name for song in songs] == ["Band - Song 0", "Band - Song 1"]
        names, stems = read_stems(songs[1], 44_100, 1.0, natural_levels=True)
        assert names == ("drums", "bass", "other", "vocals")
        assert order_of(stems, 44_100) == [1, 2, 3, 4]  # stream 0 is the mixture
        assert np.sqrt(np.square(stems).mean(axis=1)) == pytest.approx(np.full(4, 0.3 / 2**0.5), rel=0.05)

    def test_a_dataset_of_stem_files(self, tmp_path):
        for number in range(2):
            write_stem_file(tmp_path / "stems" / f"song {number}.stem.mp4")
        plan = BleedPlan(tmp_path / "data", [tmp_path / "stems"], RATE, 1.0, ["low"], natural_levels=True)
        assert build_bleed(plan) == []
        assert list_sets(plan.folder)[0].tracks == ("drums", "bass", "other", "vocals")
        (song,) = list_songs(plan.folder)[1]
        assert [path.stem for path in song] == ["bass", "drums", "other", "vocals"]

    def test_natural_levels_are_those_of_the_song(self, tmp_path):
        folder = write_song(tmp_path / "song", "loud", "quiet")
        soundfile.write(folder / "quiet.wav", read(folder / "quiet.wav") / 10, RATE, subtype="FLOAT")
        song = find_songs(tmp_path)[0]
        levels = [
            np.sqrt(np.square(read_stems(song, RATE, 2.0, natural_levels=kept)[1]).mean(axis=1)) for kept in (0, 1)
        ]
        assert levels[0] == pytest.approx([0.05, 0.05])
        assert levels[1] == pytest.approx([0.1, 0.01], rel=0.05)


def write_stem_file(path: Path) -> None:
    """Five stereo streams of AAC, each with a tone of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        streams = [container.add_stream("aac", rate=44_100, layout="stereo") for _ in range(5)]
        for stream, tone in zip(streams, tones(5, 3 * 44_100, 44_100), strict=True):
            convert = av.AudioResampler(format=stream.codec_context.format.name, layout="stereo", rate=44_100)
            add(container, stream, np.stack([tone, tone]), convert, "stereo", 44_100)


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
        with pytest.raises(ConfigError, match="choose from low, high, cae, delayed, room, shoebox, musdbr"):
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

    @pytest.mark.parametrize("names", [("drums", "vocals", "bass", "other"), ("bass", "drums", "other", "vocals")])
    def test_the_published_room(self, names, noise, monkeypatch):
        """The figures of its generator, whatever the order of the stems; a package that only notes them."""
        room = NotedRooms()
        monkeypatch.setitem(sys.modules, "pyroomacoustics", room)
        stems = noise(100, channels=4)
        heard, matrix = images(stems, "musdbr", RATE, np.random.default_rng(0), names)
        assert matrix is None
        assert room.sabine == (0.25, (13.5, 7.0, 7.0))
        assert {(room.size, room.rate, room.max_order) for room in room.made} == {((13.5, 7.0, 7.0), RATE, 21)}
        where = {
            "drums": ((3, 5, 1), (3, 4.5, 1)), "vocals": ((5.5, 5.5, 1), (5.5, 5, 1)),
            "bass": ((8, 5.5, 1), (8, 5, 1)), "other": ((10.5, 5, 1), (10.5, 4.5, 1)),
        }  # fmt: skip
        assert [tuple(one.source) for one in room.made] == [where[name][0] for name in names]
        assert [one.delay for one in room.made] == [1e-6] * 4
        assert all(
            [tuple(place) for place in one.microphones.T] == [where[name][1] for name in names] for one in room.made
        )
        assert np.allclose(heard[:, 2], stems[2] * np.arange(1, 5)[:, None])  # at the level that the room leaves

    def test_the_published_room_needs_its_four_stems(self, noise, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyroomacoustics", NotedRooms())
        with pytest.raises(ConfigError, match="musdbr has places for drums, vocals, bass, other, not for bass, drums"):
            images(noise(100), "musdbr", RATE, np.random.default_rng(0), ("bass", "drums"))

    def test_the_published_room_reverberates(self):
        """Own microphones at half a metre hear their instrument above the others, which come later."""
        pytest.importorskip("pyroomacoustics", reason="pyroomacoustics is not installed; it simulates the room")
        stems = bands.band(4, seconds=0.5)
        names = ("drums", "vocals", "bass", "other")
        heard, _ = images(stems, "musdbr", bands.SAMPLE_RATE, np.random.default_rng(0), names)
        assert heard.shape == (4, *stems.shape)
        power = np.square(heard).mean(axis=2)
        assert (power.argmax(axis=0) == np.arange(4)).all()


class NotedRooms:
    """Stands for pyroomacoustics: notes what it is asked for, and multiplies by the number of the microphone."""

    def __init__(self):
        self.made = []

    def inverse_sabine(self, seconds, size):
        self.sabine = seconds, tuple(size)
        return 0.3, 21

    def Material(self, absorption):  # noqa: N802
        return absorption

    def ShoeBox(self, size, *, fs, materials, max_order):  # noqa: N802
        room = SimpleNamespace(size=tuple(size), rate=fs, max_order=max_order)
        self.made.append(room)

        def add_source(place, *, signal, delay):
            room.source, room.signal, room.delay = place, signal, delay

        def add_microphone_array(places):
            room.microphones = places

        def simulate():
            signals = room.signal * np.arange(1, room.microphones.shape[1] + 1)[:, None]
            room.mic_array = SimpleNamespace(signals=np.pad(signals, ((0, 0), (0, 50))))

        room.add_source, room.add_microphone_array, room.simulate = add_source, add_microphone_array, simulate
        return room


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
    for condition in set(CONDITIONS) - {"shoebox", "musdbr"}:
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


def test_only_so_many_songs_become_test_sets(tmp_path):
    for name in ("a", "b", "c"):
        write_song(tmp_path / "held" / name, "bass", "drums", seconds=0.5)
    write_song(tmp_path / "stems" / "d", "bass", "drums", seconds=0.5)
    plan = BleedPlan(
        tmp_path / "data", [tmp_path / "stems"], 8000, conditions=["low"], held_back=[tmp_path / "held"], n_test=2
    )
    build_bleed(plan)
    assert [one.song for one in list_sets(plan.folder)] == ["a", "b"]
    assert len(list_songs(plan.folder)[1]) == 1
