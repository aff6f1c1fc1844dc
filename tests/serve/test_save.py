"""What is saved is what the command line writes with the same settings, byte for byte."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
import soundfile
from PIL import Image

from concertclean.audio_io.formats import Cover, Storage
from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.writer import AudioWriter
from concertclean.restore.denoise import denoise
from tests.audio_io.film_maker import Sound, make_film, packets
from tests.audio_io.sound_bytes import encoded
from tests.serve.conftest import RATE, Client, song_bytes


def saved(shared: Client, job: str, **wanted: object) -> bytes:
    answer = shared("POST", f"/api/jobs/{job}/save", wanted)
    assert answer.status == 201, answer.body
    return shared("GET", f"/api/results/{quote(answer.json['name'])}").body


def by_command(source: Path, tmp_path: Path, **settings: object) -> bytes:
    report = denoise(source, tmp_path / "cli" / f"out.{settings.get('format', 'wav')}", overwrite=True, **settings)
    assert report.output_path is not None
    return report.output_path.read_bytes()


@pytest.mark.parametrize(
    "settings",
    [
        {"strength": 1.0, "max_reduction_db": 26.0},
        {"strength": 0.37, "max_reduction_db": 120.0, "bit_depth": "24"},
        {"strength": 1.0, "max_reduction_db": 4.5, "format": "flac", "bit_depth": "16"},
        {"strength": 0.0, "max_reduction_db": 26.0},
    ],
)
def test_it_equals_the_command_line(
    shared: Client, done: tuple[str, Path], tmp_path: Path, settings: dict[str, Any]
) -> None:
    job, recording = done
    assert saved(shared, job, **settings) == by_command(recording, tmp_path, model="tiny", **settings)


def test_the_loudness_equals_the_command_line(shared: Client, done: tuple[str, Path], tmp_path: Path) -> None:
    """The gain is measured over blocks, which are cut in another way: the last bit of a double may differ."""
    job, recording = done
    wanted = {"strength": 0.9, "max_reduction_db": 26.0, "loudness": "match", "bit_depth": "32f"}
    (tmp_path / "saved.wav").write_bytes(saved(shared, job, **wanted))
    by_command(recording, tmp_path, model="tiny", **wanted)
    mine, theirs = (soundfile.read(tmp_path / name)[0] for name in ("saved.wav", "cli/out.wav"))
    assert np.abs(mine - theirs).max() < 2e-7


def test_a_region_equals_the_command_line_too(shared: Client, song: bytes, tmp_path: Path) -> None:
    job = shared.add(song, model="tiny", part="region", start_seconds=0.3, duration_seconds=0.5)
    shared.until(job, "done")
    wanted = {"strength": 0.8, "max_reduction_db": 30.0}
    part = {"start_seconds": 0.3, "duration_seconds": 0.5}
    assert saved(shared, job, **wanted) == by_command(tmp_path / "made.wav", tmp_path, model="tiny", **wanted, **part)


@pytest.mark.parametrize("model", ["dehum,steady,tiny", "78rpm"])
def test_chains_equal_the_command_line(
    shared: Client, tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method that reads the recording twice, before a network; and a preset, with its network replaced."""
    from concertclean.config.denoise import PRESETS

    monkeypatch.setitem(PRESETS, "78rpm", "declick,steady,tiny")
    song = song_bytes(tmp_path / "song.wav", 1.0)
    job = shared.until(shared.add(song, model=model), "done")["id"]
    wanted = {"strength": 0.6, "max_reduction_db": 20.0}
    chain = PRESETS.get(model, model)
    assert saved(shared, job, **wanted) == by_command(tmp_path / "song.wav", tmp_path, model=chain, **wanted)


def test_a_lossy_recording_equals_the_command_line(
    shared: Client, tmp_path: Path, noise: Callable[..., np.ndarray]
) -> None:
    (tmp_path / "song.m4a").write_bytes(encoded(noise(RATE), "mp4", "aac", "stereo"))
    job = shared.until(shared.add((tmp_path / "song.m4a").read_bytes(), "song.m4a", model="tiny"), "done")["id"]
    wanted = {"strength": 1.0, "max_reduction_db": 12.0, "format": "wav"}
    assert saved(shared, job, **wanted) == by_command(tmp_path / "song.m4a", tmp_path, model="tiny", **wanted)


@pytest.mark.parametrize("format", ["keep", "auto"])
def test_a_video_keeps_its_picture(
    shared: Client, tmp_path: Path, noise: Callable[..., np.ndarray], format: str
) -> None:
    source = tmp_path / "clip.mp4"
    make_film(source, [Sound(noise(RATE, level=0.1, channels=2), rate=RATE)], muxer="mp4", seconds=1.0)
    job = shared.until(shared.add(source.read_bytes(), "clip.mp4", model="tiny"), "done")["id"]
    answer = shared("POST", f"/api/jobs/{job}/save", {"format": format})
    assert Path(answer.json["name"]).suffix == ".mp4"
    result = shared.server.place.root / "results" / answer.json["name"]
    assert packets(result, "video") == packets(source, "video")
    assert saved(shared, job, format="wav")[:4] == b"RIFF"


def test_every_save_is_a_file_of_its_own(shared: Client, song: bytes, tmp_path: Path) -> None:
    job = shared.until(shared.add(song, "Ärger.wav", model="declick"), "done")["id"]
    names = [shared("POST", f"/api/jobs/{job}/save", {"format": "flac"}).json["name"] for _ in range(2)]
    assert names == ["Ärger_clean.flac", "Ärger_clean_2.flac"]
    assert shared("GET", f"/api/jobs/{job}").json["saved"] == names
    assert soundfile.info(shared.server.place.root / "results" / names[1]).duration == pytest.approx(1.0)


@pytest.mark.parametrize(
    "wrong",
    [{"strength": 2}, {"max_reduction_db": 0}, {"max_reduction_db": None}, {"format": "exe"}, {"strange": 1}],
)
def test_settings_out_of_range_are_refused(shared: Client, done: tuple[str, Path], wrong: dict[str, Any]) -> None:
    """A network without a largest reduction would have had a floor when its residual was found."""
    before = set((shared.server.place.root / "results").iterdir())
    assert shared("POST", f"/api/jobs/{done[0]}/save", wrong).status == 422
    assert set((shared.server.place.root / "results").iterdir()) == before


def test_a_method_needs_no_largest_reduction(shared: Client, song: bytes, tmp_path: Path) -> None:
    job = shared.until(shared.add(song, model="lsa"), "done")["id"]
    wanted = {"strength": 0.5, "max_reduction_db": None}
    assert saved(shared, job, **wanted) == by_command(tmp_path / "made.wav", tmp_path, model="lsa", **wanted)


def test_tags_and_cover_are_kept(shared: Client, tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    cover = Cover(picture.getvalue(), "image/png")
    tags = {"title": "Dust My Broom", "artist": "Somebody", "date": "1936"}
    with AudioWriter(tmp_path / "a.flac", Storage("flac", RATE, 2, bit_depth=16), tags=tags, cover=cover) as writer:
        writer.write(0.1 * np.random.default_rng(0).normal(size=(2, RATE)))
    job = shared.add((tmp_path / "a.flac").read_bytes(), "a.flac", model="tiny")
    shared.until(job, "done")
    (tmp_path / "saved.flac").write_bytes(saved(shared, job, format="keep", strength=0.5))
    with AudioReader(tmp_path / "saved.flac") as reader:
        assert reader.info.tags.items() >= tags.items()
        assert reader.info.cover == cover
