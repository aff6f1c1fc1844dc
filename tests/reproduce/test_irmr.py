"""Tables of Rajesh and Rajan, from songs of seconds to what was published beside them."""

import tomllib

import numpy as np
import pytest
import soundfile
import tomli_w
import torch

from concertclean.errors import ConfigError, ModelError, NoInputError
from concertclean.networks.architectures import ARCHITECTURES
from concertclean.reproduce import bands, downstream, irmr, reducers
from concertclean.reproduce.catalogue import find_table
from concertclean.reproduce.recipes import paper_recipe
from concertclean.reproduce.table import Request, grid
from concertclean.weights.file_format import save_weights
from tests.reproduce.songs_of_notes import write_song

STEMS = ("bass", "drums", "other", "vocals")
LOW_RATE = 4000
CONDITIONS = ("low gains", "high gains", "all gains", "delayed", "room")


def random_weights(path, architecture, config):
    torch.manual_seed(0)
    network = ARCHITECTURES[architecture].build(**config)
    save_weights(path, network.state_dict(), architecture=architecture, config=config, provenance={})
    return path


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Random weights for the rows that need some; a CAE for every stem but one."""
    folder = tmp_path_factory.mktemp("weights")
    small = {name: dict(ARCHITECTURES[name].small_config) for name in ("tunet", "cae")}
    cae = random_weights(folder / "cae.safetensors", "cae", small["cae"])
    tunet = random_weights(folder / "tunet.safetensors", "tunet", small["tunet"] | {"instruments": list(STEMS)})
    return {"t-UNet": tunet, **{f"CAE, {name}": cae for name in STEMS}}


@pytest.fixture(scope="module")
def figures(tmp_path_factory, given):
    """A request for the figures: MUSDB18 of one test song, at a rate at which MIRA takes little time."""
    folder = tmp_path_factory.mktemp("irmr")
    write_song(folder / "musdb" / "train" / "one", LOW_RATE, 0.5)
    write_song(folder / "musdb" / "test" / "two", LOW_RATE, 3.0, transpose=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "SAMPLE_RATE", LOW_RATE)
        patch.setattr(bands, "find_spec", lambda name: None)  # whether or not rooms can be simulated here
        yield Request(folder / "musdb", folder / "out", weights=given)


@pytest.fixture(scope="module")
def sdr(figures):
    return find_table("irmr", "fig4").make(figures)


def cell(outcome, row, column):
    (found,) = [one for one in outcome.rows if one.name == row]
    return found.ours[outcome.columns.index(column)]


def published(outcome, column):
    number = outcome.columns.index(column)
    return {row.name: row.published[number] for row in outcome.rows if row.published[number] is not None}


def test_sdr_has_a_row_for_every_method_in_every_condition(sdr):
    assert sdr.columns == (*STEMS, "mean", "median")
    names = (irmr.MICROPHONES, *reducers.ROWS)
    assert [row.name for row in sdr.rows] == [f"{name}, {group}" for group in CONDITIONS for name in names]
    assert all(np.isfinite(row.ours).all() for row in sdr.rows)
    assert all(cell(sdr, row.name, "mean") == pytest.approx(np.mean(row.ours[:4])) for row in sdr.rows)


def test_sdr_rises_where_a_method_fits_the_mixture(sdr):
    for group in ("low gains", "high gains"):
        assert cell(sdr, f"linear (own), {group}", "mean") > cell(sdr, f"microphones, {group}", "mean") + 10
    assert cell(sdr, "KAMIR, high gains", "mean") > cell(sdr, "microphones, high gains", "mean")
    assert cell(sdr, "microphones, low gains", "mean") > cell(sdr, "microphones, high gains", "mean")


def test_sdr_stands_beside_what_the_author_has_published(sdr):
    assert published(sdr, "median") == {
        "microphones, all gains": 5.82,
        "KAMIR, all gains": 7.0,
        "CAE, all gains": 6.92,
        "t-UNet, all gains": 8.83,
    }
    assert not any(published(sdr, column) for column in sdr.columns[:-1])
    header, body = grid(sdr)
    assert header[-2:] == ["median", "median, published"]
    assert all(len(line) == len(header) for line in body)


def test_a_room_that_cannot_be_simulated_is_a_remark(sdr, figures, monkeypatch):
    assert "musdbr: not run, it needs pyroomacoustics: pip install 'concertclean[rooms]'" in sdr.remarks

    def refuse(request, conditions):
        assert conditions == ("musdbr",)
        raise NoInputError("no song is left")

    monkeypatch.setattr(bands, "find_spec", lambda name: name)
    monkeypatch.setattr(bands, "build_bands", refuse)
    found = bands.build_room(figures)
    assert not found.sets
    assert "places for bass, drums, other, vocals alone" in found.remarks[0]


def test_matrices_are_of_methods_that_estimate_one(figures):
    found = find_table("irmr", "fig6").make(figures)
    assert [row.name for row in found.rows] == ["microphones", "t-UNet", "t-UNet, shipped weights", "linear (own)"]
    assert all(np.isfinite(row.ours).all() for row in found.rows)
    assert cell(found, "linear (own)", "squared error, high gains") < 0.05
    sets = [one for one in bands.build_bands(figures, irmr._CONDITIONS).sets if one.matrix]
    squared = {one.condition: np.square(np.array(one.matrix) - np.eye(4)).sum() for one in sets}
    norm = np.sqrt(list(squared.values())).mean()
    (microphones, *_) = found.rows
    assert microphones.ours == pytest.approx([squared["low"], squared["high"], sum(squared.values()) / 2, norm])
    assert not any(published(found, column) for column in found.columns)
    assert any("not at hand" in remark for remark in found.remarks)


def test_speed_is_a_ratio_to_kamir(figures):
    found = find_table("irmr", "fig7").make(figures)
    assert [row.name for row in found.rows] == list(reducers.ROWS)
    assert cell(found, "KAMIR", "time / KAMIR") == 1
    assert all(min(row.ours) > 0 for row in found.rows)
    assert published(found, "seconds for 100 x 10 s") == {"KAMIR": 660, "CAE": 2.4, "t-UNet": 2.19}
    assert published(found, "time / KAMIR")["t-UNet"] == pytest.approx(2.19 / 660)


def test_methods_without_weights_are_said(figures, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found, remarks = reducers.find_reducers(Request(figures.data, figures.folder))
    assert [one.row for one in found] == [row for row in reducers.ROWS if row not in ("CAE", "t-UNet")]
    assert len(remarks) == 5
    path = "runs/paper-cae-bass/paper-cae-bass.safetensors"
    assert f"CAE, bass: not run, {path} does not exist; train recipes/paper/cae.toml" in remarks
    with pytest.raises(ConfigError, match="KAMIR: no such row with weights"):
        reducers.find_reducers(Request(figures.data, figures.folder, weights={"KAMIR": tmp_path}))


def test_stems_cleaned_with_other_weights_lie_elsewhere(given, tmp_path):
    changed = tmp_path / "changed.safetensors"
    changed.write_bytes(given["t-UNet"].read_bytes() + b" ")
    one, other = (reducers.Reducer("t-UNet", str(path)) for path in (given["t-UNet"], changed))
    assert one.key
    assert one.key != other.key
    assert reducers.Reducer("CAE", weights={"bass": changed}).key == other.key
    assert reducers.Reducer("KAMIR", "kamir").key == ""


def test_a_method_that_does_not_fit_a_band_is_left_out_of_it(figures, given, tmp_path):
    write_song(tmp_path / "songs" / "trio", LOW_RATE, 0.6)
    (tmp_path / "songs" / "trio" / "other.wav").unlink()
    request = Request(tmp_path / "songs", tmp_path / "out")
    built = bands.build_bands(request, ("low",))
    methods = [reducers.Reducer("t-UNet", str(given["t-UNet"])), reducers.Reducer("linear", "linear")]
    judged, reasons = bands.judge_all(built, methods, request)
    assert [one.method for one in judged] == ["linear"]
    assert len(reasons) == 1
    assert "needs 4 microphones, got 3" in reasons[0]
    assert reasons[0].endswith("(not run on trio)")
    with pytest.raises(ModelError, match="no weights for drums"):
        reducers.Reducer("CAE", weights={"bass": given["CAE, bass"]}).for_tracks(["bass", "drums"])


def test_as_many_test_songs_as_asked_for(tmp_path):
    for number in range(3):
        write_song(tmp_path / "songs" / f"song{number}", LOW_RATE, 0.6, transpose=number)
    for name in ("bass", "drums", "other"):
        (tmp_path / "songs" / "song1" / f"{name}.wav").write_bytes(b"")
    request = Request(tmp_path / "songs", tmp_path / "out", n_items=2)
    for _ in range(2):  # the second time, nothing is built
        built = bands.build_bands(request, ("low",))
        assert [band.song for band in built.sets] == ["song0"]
        assert len(built.remarks) == 1
        assert built.remarks[0].startswith("left out: ")
        assert "song1" in built.remarks[0]
    assert built.seconds == pytest.approx(0.6, abs=0.01)


def test_stems_keep_the_levels_of_the_song(tmp_path):
    write_song(tmp_path / "songs" / "song", LOW_RATE, 0.6)
    quiet, rate = soundfile.read(tmp_path / "songs" / "song" / "bass.wav")
    soundfile.write(tmp_path / "songs" / "song" / "bass.wav", 0.1 * quiet, rate)
    built = bands.build_bands(Request(tmp_path / "songs", tmp_path / "out"), ("low",))
    (one,) = built.sets
    levels = [np.std(soundfile.read(one.reference(built.folder, track))[0]) for track in ("bass", "vocals")]
    assert levels[0] == pytest.approx(0.1 * levels[1], rel=0.2)


@pytest.fixture
def small_recipes(tmp_path, monkeypatch):
    """The recipes of the separators with small networks at a low rate."""
    sizes = {"wave-unet-separator": {"levels": 5, "filters": 6}, "open-unmix": {"hidden": 24}}
    for name, size in sizes.items():
        recipe = tomllib.loads(paper_recipe(name).read_text())
        network = recipe["network"]
        more = {"sample_rate": LOW_RATE, "channels": 1, "instruments": network["config"]["instruments"], **size}
        network["config"] = {**ARCHITECTURES[network["architecture"]].small_config, **more}
        recipe["data"] |= {"seconds": 0.4, "workers": 0, "batch": 4}
        recipe["optimizer"]["learning_rate"] = 1e-2
        recipe["run"] |= {"validate_every": 0, "validation_items": 2}
        (tmp_path / f"{name}.toml").write_text(tomli_w.dumps(recipe))
    monkeypatch.setattr(downstream, "paper_recipe", lambda name: tmp_path / f"{name}.toml")


@pytest.fixture
def corpus(tmp_path):
    """MUSDB18 of two songs for training and one for tests."""
    for side, number in (("train", 0), ("train", 3), ("test", 1)):
        write_song(tmp_path / "musdb" / side / f"song{number}", LOW_RATE, 2.5, transpose=number)
    return tmp_path / "musdb"


def test_separators_learn_more_from_clean_stems_than_from_bled_ones(corpus, small_recipes, monkeypatch, tmp_path):
    only = [reducers.Reducer("linear (own)", "linear")]
    monkeypatch.setattr(downstream, "find_reducers", lambda request: (only, ["t-UNet: not run"]))
    steps = []
    request = Request(corpus, tmp_path / "out", steps=30, progress=lambda what, done, total: steps.append(what))
    found = find_table("irmr", "table1").make(request)
    assert found.columns == ("Wave-U-Net", "Open-Unmix")
    assert [row.name for row in found.rows] == ["clean", "bled", "CAE", "t-UNet", "linear (own)"]
    assert [row.published for row in found.rows] == [[2.32, None], [0.96, None], [1.72, None], [2.03, None], [None] * 2]
    for separator in found.columns:
        clean, bled, cae, tunet, cleaned = (cell(found, row.name, separator) for row in found.rows)
        assert clean > bled
        assert cleaned > bled
        assert (cae, tunet) == (None, None)
    assert "t-UNet: not run" in found.remarks
    assert any("30 steps" in remark for remark in found.remarks)
    assert "Wave-U-Net on bled" in steps
    monkeypatch.setattr(downstream, "SEPARATORS", downstream.SEPARATORS[:1])
    again = find_table("irmr", "table1").make(request)  # takes what is there
    assert [row.ours for row in again.rows] == [list(row.ours[:1]) for row in found.rows]


def test_songs_without_the_stems_of_a_separator(small_recipes, tmp_path):
    for number in range(2):
        write_song(tmp_path / "songs" / f"song{number}", LOW_RATE, 0.6)
        (tmp_path / "songs" / f"song{number}" / "other.wav").rename(tmp_path / "songs" / f"song{number}" / "keys.wav")
    with pytest.raises(NoInputError, match="no test song has all of bass, drums, other, vocals"):
        find_table("irmr", "table1").make(Request(tmp_path / "songs", tmp_path / "out", steps=1))


@pytest.mark.long
def test_every_method_that_can_run_cleans_stems(corpus, small_recipes, given, monkeypatch, tmp_path):
    monkeypatch.setattr(downstream, "SEPARATORS", downstream.SEPARATORS[:1])
    found = find_table("irmr", "table1").make(Request(corpus, tmp_path / "out", weights=given, steps=2))
    assert [row.name for row in found.rows] == ["clean", "bled", *reducers.ROWS]
    assert all(np.isfinite(row.ours).all() for row in found.rows)


def test_recipes_are_found():
    assert all(paper_recipe(one.recipe).is_file() for one in downstream.SEPARATORS)
