"""What is removed, kept once, gives the results of every strength."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.audio_io.reader import AudioReader
from concertclean.config.denoise import DenoiseSettings
from concertclean.errors import OutputError
from concertclean.restore.build import build_restorer
from concertclean.restore.denoise import denoise
from concertclean.restore.pipeline import Denoiser
from concertclean.restore.residual import find_residual, finding, most_changed_start, restore_with

RATE = 44_100
Noise = Callable[..., np.ndarray]


@pytest.fixture
def recording(tmp_path: Path, noise: Noise) -> Path:
    soundfile.write(tmp_path / "a.wav", noise(RATE, level=0.3).T, RATE, "PCM_24")
    return tmp_path / "a.wav"


def residual_of(recording: Path, settings: DenoiseSettings, stages: tuple[str, ...]) -> Path:
    everything = finding(settings)
    target = recording.with_name("residual.wav")
    find_residual(recording, target, Denoiser(build_restorer(stages, everything), everything))
    return target


def test_parts_left_alone_are_those_of_a_run(recording: Path, tiny_weights: dict[str, Path], tmp_path: Path) -> None:
    settings = DenoiseSettings(model=str(tiny_weights["stereo"]), max_reduction_db=26.0, leave=((0.2, 0.5),))
    residual = residual_of(recording, settings, (settings.model,))
    assert np.abs(soundfile.read(residual, start=RATE // 4, stop=RATE // 2)[0]).max() > 0
    restore_with(recording, residual, tmp_path / "mine.wav", settings)
    denoise(recording, tmp_path / "run.wav", model=settings.model, max_reduction_db=26.0, leave=[(0.2, 0.5)])
    assert (tmp_path / "mine.wav").read_bytes() == (tmp_path / "run.wav").read_bytes()


@pytest.mark.parametrize(("strength", "max_reduction_db"), [(1.0, 26.0), (0.3, 3.0), (0.8, 120.0), (0.0, 26.0)])
def test_every_strength_is_that_of_a_run(
    recording: Path, tiny_weights: dict[str, Path], tmp_path: Path, strength: float, max_reduction_db: float
) -> None:
    model = str(tiny_weights["stereo"])
    settings = DenoiseSettings(model=model, strength=strength, max_reduction_db=max_reduction_db)
    residual = residual_of(recording, settings, (model,))
    report = restore_with(recording, residual, tmp_path / "mine.wav", settings)
    run = denoise(recording, tmp_path / "run.wav", model=model, strength=strength, max_reduction_db=max_reduction_db)
    assert (tmp_path / "mine.wav").read_bytes() == (tmp_path / "run.wav").read_bytes()
    assert report.lufs_after == pytest.approx(run.lufs_after, abs=1e-9)
    assert report.model == model


def test_what_is_found_has_no_floor_and_nothing_else_is_written(
    recording: Path, tiny_weights: dict[str, Path], tmp_path: Path
) -> None:
    model = str(tiny_weights["stereo"])
    residual = residual_of(recording, DenoiseSettings(model=model, strength=0.5), (model,))
    assert {path.name for path in tmp_path.iterdir()} == {"a.wav", "residual.wav"}
    info = soundfile.info(residual)
    assert (info.subtype, info.frames) == ("DOUBLE", RATE)
    with AudioReader(recording) as reader:
        waveform = reader.read_all()
    unlimited = DenoiseSettings(model=model, max_reduction_db=400.0)
    _, removed = build_restorer((model,), unlimited)(waveform, RATE)
    assert np.abs(soundfile.read(residual)[0].T - removed).max() < 1e-6


def test_a_part_is_that_part(recording: Path, tmp_path: Path) -> None:
    settings = DenoiseSettings(model="lsa", start_seconds=0.25, duration_seconds=0.5)
    residual = residual_of(recording, settings, ("lsa",))
    assert soundfile.info(residual).frames == RATE // 2
    restore_with(recording, residual, tmp_path / "mine.wav", settings)
    denoise(recording, tmp_path / "run.wav", model="lsa", start_seconds=0.25, duration_seconds=0.5)
    assert (tmp_path / "mine.wav").read_bytes() == (tmp_path / "run.wav").read_bytes()


def test_the_recording_is_never_the_result(recording: Path) -> None:
    residual = residual_of(recording, DenoiseSettings(model="declick"), ("declick",))
    before = recording.read_bytes()
    with pytest.raises(OutputError, match="the recording itself"):
        restore_with(recording, residual, recording, DenoiseSettings(model="declick"), overwrite=True)
    assert recording.read_bytes() == before


@pytest.mark.parametrize(("clicks_at", "expected"), [(2.0, 0.0), (15.0, 12.5), (29.0, 25.0)])
def test_the_part_that_changes_most_is_found(tmp_path: Path, clicks_at: float, expected: float) -> None:
    """Probes of three seconds are centred on 2.5, 7.5 ... 27.5 s; ten seconds around the best of them."""
    rate = 8_000
    rng = np.random.default_rng(0)
    waveform = 0.1 * np.sin(2 * np.pi * 300 * np.arange(30 * rate) / rate) + rng.normal(0, 1e-4, 30 * rate)
    places = np.clip(rng.normal(clicks_at, 1.0, 200), 0, 29.9)
    waveform[(places * rate).astype(int)] += 0.5
    soundfile.write(tmp_path / "a.wav", waveform, rate)
    start = most_changed_start(tmp_path / "a.wav", build_restorer(("declick",), DenoiseSettings(model="declick")), 10.0)
    assert start <= clicks_at <= start + 10.0
    assert start == pytest.approx(expected, abs=5.0)


def test_a_short_recording_is_all_of_it(recording: Path) -> None:
    restorer = build_restorer(("declick",), DenoiseSettings(model="declick"))
    assert most_changed_start(recording, restorer, 30.0) == 0.0
