"""The public functions: the examples of the package, what they load, and that they do what the commands do."""

import doctest
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import concertclean as cc
from concertclean.config.denoise import DenoiseSettings
from concertclean.errors import ConfigError, ModelError, OutputError

RATE = 44_100
ROOT = Path(__file__).parents[1]


def music(seconds: float = 3.0, channels: int = 2, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """A chord under hiss, `(channel, time)`."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    chord = sum(np.sin(2 * np.pi * hz * time + rng.uniform(0, 6)) for hz in (220.0, 277.2, 329.6))
    return 0.1 * np.tile(chord, (channels, 1)) + 0.01 * rng.standard_normal((channels, len(time)))


def cut(waveform: np.ndarray, size: int = 7_777) -> Iterator[np.ndarray]:
    return (waveform[:, start : start + size] for start in range(0, waveform.shape[1], size))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the examples name."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "examples/lets-go-fishin-with-crowd.m4a", "in.m4a")
    clean = [music(6.0, 1, seed=seed) for seed in (1, 2)]
    for name, waveform in (("vox.wav", clean[0] + 0.2 * clean[1]), ("bass.wav", clean[1] + 0.2 * clean[0])):
        soundfile.write(name, waveform.T, RATE)
    return tmp_path


def test_the_examples_of_the_package_run(here: Path) -> None:
    """The doctests of the package, with files and arrays for the names in them."""
    written: list[np.ndarray] = []
    waveform, blocks, reference = music(), list(cut(music(1.0, rate=48_000))), music(seed=3)
    estimate = reference + 0.01 * music(seed=4)
    known = {"waveform": waveform, "blocks": iter(blocks), "write": written.append}
    (test,) = doctest.DocTestFinder(recurse=False).find(
        cc, globs={**known, "reference": reference, "estimate": estimate}
    )
    assert len(test.examples) == 6
    assert doctest.DocTestRunner().run(test, clear_globs=False).failed == 0
    found: dict[str, Any] = test.globs
    assert found["report"].output_path == Path("out.wav")
    assert found["report"].stages == ("concert",)
    assert found["restored"] + found["removed"] == pytest.approx(waveform, abs=1e-12)
    assert sorted(path.name for path in (here / "clean").iterdir()) == ["bass_clean.wav", "vox_clean.wav"]
    assert sum(block.shape[1] for block in written) == 48_000
    assert found["scores"]["sisdr"] > 15


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, concertclean; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "scipy", "numpy", "pydantic", "matplotlib"} & set(json.loads(loaded.replace("'", '"')))


def test_importing_the_package_takes_milliseconds() -> None:
    """The best of three, for the machine may be busy."""
    code = "import time; begin = time.perf_counter(); import concertclean; print(time.perf_counter() - begin)"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(3)]
    assert min(float(run.stdout) for run in runs) < 0.05


def test_every_public_name_is_there_and_no_other() -> None:
    assert set(cc.__all__) <= set(dir(cc))
    assert all(callable(getattr(cc, name)) and getattr(cc, name).__doc__ for name in cc.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'enhance'"):
        _ = cc.enhance  # type: ignore[attr-defined]


def test_the_map_of_the_house_is_that_of_the_import_contract() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    floors = [{room.strip().removeprefix("concertclean.") for room in line.split("|")} for line in contract["layers"]]
    rows = re.findall(r"^(\d+)\s+``(\w+)``", cc.__doc__ or "", re.MULTILINE)
    drawn = [{room for floor, room in rows if int(floor) == number} for number in range(len(floors))]
    assert drawn[::-1] == floors
    package = ROOT / "concertclean"
    rooms = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__", "__main__"} == set.union(*floors)


def test_denoise_writes_what_the_command_writes(here: Path) -> None:
    settings = {"model": "dehum,lsa", "strength": 0.5, "duration_seconds": 4.0}
    report = cc.denoise("in.m4a", "a.wav", **settings)
    words = ["--model", "dehum,lsa", "--strength", "0.5", "--duration", "4", "-o", "b.wav", "-q"]
    subprocess.run([sys.executable, "-m", "concertclean", "denoise", "in.m4a", *words], check=True)
    assert Path("a.wav").read_bytes() == Path("b.wav").read_bytes()
    assert report.seconds == pytest.approx(4.0)
    with pytest.raises(OutputError, match=r"a\.wav"):
        cc.denoise("in.m4a", "a.wav", **settings)
    cc.denoise("in.m4a", "a.wav", overwrite=True, **settings)


def test_denoise_puts_the_result_beside_the_recording_and_takes_the_format_of_its_name(here: Path) -> None:
    assert cc.denoise("vox.wav", model="declick").output_path == Path("vox_clean.wav")
    cc.denoise("vox.wav", "out/deep/vox.flac", model="declick")
    assert soundfile.info("out/deep/vox.flac").format == "FLAC"


@pytest.mark.parametrize("model", ["gramophone", "declick", "steady", "lsa-c,dehum"])
def test_arrays_give_what_files_give(here: Path, model: str) -> None:
    waveform = music(12.0 if model == "steady" else 2.0, 1).astype(np.float32).astype(np.float64)
    soundfile.write("a.wav", waveform.T, RATE, "FLOAT")
    cc.denoise("a.wav", "b.wav", model=model, bit_depth="32f", strength=0.8)
    written = soundfile.read("b.wav", always_2d=True)[0].T
    restored, removed = cc.load(model, strength=0.8)(waveform, RATE)
    assert restored == pytest.approx(written, abs=1e-7)
    assert restored.shape == removed.shape == waveform.shape
    assert np.abs(removed).max() > 0 or model == "declick"


@pytest.mark.parametrize("rate", [44_100, 48_000, 22_050, 8_000])
@pytest.mark.parametrize("n_samples", [1, 999, 30_001])
def test_exactly_as_long_out_as_in(rate: int, n_samples: int) -> None:
    waveform = music(2.0, rate=rate)[:, :n_samples]
    restorer = cc.load("concert", threads=1)
    restored, removed = restorer(waveform, rate)
    assert restored.shape == removed.shape == waveform.shape
    streamed = np.concatenate(list(restorer.stream(cut(waveform), sample_rate=rate, channels=2)), axis=1)
    assert streamed == pytest.approx(restored, abs=1e-9)


def test_a_noise_profile_inside_the_array() -> None:
    rng = np.random.default_rng(0)
    waveform = 0.02 * rng.standard_normal((1, 4 * RATE))
    waveform[:, 2 * RATE :] += music(2.0, 1)
    restored, _ = cc.load("lsa", noise_profile="0-1.5")(waveform, RATE)
    assert np.square(restored[:, RATE // 2 : RATE]).mean() < 0.1 * np.square(waveform[:, RATE // 2 : RATE]).mean()
    with pytest.raises(ConfigError, match="no noise from 5 to 6 s"):
        cc.load("lsa", noise_profile="5-6")(waveform, RATE)


def test_what_cannot_be_streamed_is_refused_with_the_cure() -> None:
    with pytest.raises(ConfigError, match=r"steady: reads a recording twice.*restore an array, or a file"):
        cc.load("dehum,steady").stream(cut(music()), sample_rate=RATE, channels=2)
    with pytest.raises(ConfigError, match="use a file of noise"):
        cc.load("lsa", noise_profile="0-1").stream(cut(music()), sample_rate=RATE, channels=2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("consert",), ModelError, "did you mean concert"),
        (("bleed-tunet",), ModelError, "use `concertclean debleed`"),
        (("auto",), ConfigError, "name a model"),
    ],
)
def test_a_name_that_restores_nothing(arguments: tuple[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        cc.load(*arguments)


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="strenght: unknown"):
        cc.load("declick", strenght=0.5)
    with pytest.raises(ConfigError, match=r"strength.*1\.5"):
        cc.denoise("in.wav", strength=1.5)
    with pytest.raises(ValueError, match="1 dimensions"):
        cc.load("declick")(np.zeros(100), RATE)


def test_a_restorer_travels_to_another_process() -> None:
    import pickle

    restorer = cc.load("concert,declick", strength=0.4, threads=1)
    packed = pickle.dumps(restorer)
    assert len(packed) < 2_000  # names and settings, no weights
    waveform = music(1.0)
    assert np.array_equal(pickle.loads(packed)(waveform, RATE)[0], restorer(waveform, RATE)[0])


def test_debleed_and_denoise_refuse_a_device_that_is_not_there(here: Path) -> None:
    with pytest.raises(ConfigError, match="unknown device 'abacus'"):
        cc.debleed(["vox.wav", "bass.wav"], "clean/", device="abacus")
    with pytest.raises(ConfigError, match="unknown device 'abacus'"):
        cc.denoise("vox.wav", model="gramophone", device="abacus")
    assert not Path("clean").exists()


def test_measure_is_typed_by_name_and_none_where_undefined() -> None:
    reference = music()
    scores = cc.measure(reference, reference + 0.1 * music(seed=9), RATE, ["snr", "sisdr"])
    assert scores.keys() == {"snr", "sisdr"}
    assert cc.measure(0 * reference, reference, RATE, ["peaq"])["odg"] is None


def test_settings_of_a_file_are_those_of_restoring_running_and_writing() -> None:
    assert cc.load("declick").settings.model_fields_set < set(DenoiseSettings.model_fields)
