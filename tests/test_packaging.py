"""What users install: a wheel, a source distribution and a container."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from concertclean.metrics.sdr import snr

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a source distribution, and of a wheel that was built from it."""
    pytest.importorskip("hatchling", reason="hatchling, which builds packages, is not installed")
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    (source,) = (path for path in folder.iterdir() if path.is_dir())
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=source, check=True, capture_output=True,
    )  # fmt: skip
    return folder


def test_the_wheel_holds_what_the_tree_holds(built: Path) -> None:
    names = set(zipfile.ZipFile(next(built.glob("*.whl"))).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "concertclean", "models.toml", "recipes/paper"],
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    if tracked.returncode:
        pytest.skip("not a clone: the tracked files are not known")
    expected = {name if name.startswith("concertclean/") else f"concertclean/{name}" for name in tracked.stdout.split()}
    assert expected <= names
    assert not [name for name in names - expected if "dist-info" not in name]


@pytest.fixture(scope="module")
def scripts(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of an environment with the wheel and what it needs."""
    folder = tmp_path_factory.mktemp("env")
    venv.create(folder, with_pip=True)
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    installed = install(scripts, str(next(built.glob("*.whl"))))
    if installed.returncode and "No matching distribution" in installed.stderr:
        pytest.skip(f"packages cannot be had here: {installed.stderr.splitlines()[-1]}")
    assert installed.returncode == 0, installed.stderr
    return scripts


def install(scripts: Path, package: str) -> "subprocess.CompletedProcess[str]":
    words = ("-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), package)
    return subprocess.run([str(scripts / "python"), *words], check=False, capture_output=True, text=True)


def denoised(program: list[str], folder: Path, name: str, *words: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Seconds of an example, and what was printed about them."""
    common = ("denoise", str(ROOT / "examples" / name), "--duration=3", "--bit-depth=32f", "--json", "--output=out.wav")
    ended = subprocess.run([*program, *common, "--overwrite", *words], cwd=folder, check=True, capture_output=True)
    samples, rate = soundfile.read(folder / "out.wav")
    assert len(samples) == 3 * rate
    return samples.T, json.loads(ended.stdout)[0]


PHONE, DISC = "lets-go-fishin-with-crowd.m4a", "st-louis-blues-1921.mp3"


@pytest.mark.slow
def test_the_wheel_denoises_in_an_empty_environment(scripts: Path, tmp_path: Path) -> None:
    """Without torch, and with the result of torch: a phone in a hall by the crowd's network, a disc by its chain."""
    for name, model in ((PHONE, "concert"), (DISC, "gramophone")):
        found, record = denoised([str(scripts / "concertclean")], tmp_path, name)
        assert record["engine"].startswith("onnxruntime")
        assert model in record["stages"]
        expected, _ = denoised([sys.executable, "-m", "concertclean"], tmp_path, name, "--precision=fp32")
        assert snr(expected, found) > 60
    command = [str(scripts / "python"), "-c", "import torch"]
    ended = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert "ModuleNotFoundError" in ended.stderr


@pytest.mark.slow
def test_with_openvino_it_denoises_alike(built: Path, scripts: Path, tmp_path: Path) -> None:
    program, words = [str(scripts / "concertclean")], ("--model=gramophone", "--precision=fp32")
    expected, _ = denoised(program, tmp_path, DISC, *words)
    installed = install(scripts, f"{next(built.glob('*.whl'))}[openvino]")
    if installed.returncode:
        pytest.skip(f"OpenVINO cannot be had here: {installed.stderr.splitlines()[-1]}")
    found, record = denoised(program, tmp_path, DISC, *words)
    assert record["engine"].startswith("OpenVINO")
    assert snr(expected, found) > 60
    ended = subprocess.run([*program, "doctor"], check=True, capture_output=True, text=True)
    assert "run by OpenVINO" in ended.stdout


@pytest.mark.slow
def test_the_container_denoises(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], check=False, capture_output=True).returncode:
        pytest.skip("docker is not running here")
    subprocess.run([docker, "build", "-q", "-t", "concertclean-test", str(ROOT)], check=True, capture_output=True)
    shutil.copy(ROOT / "examples/lets-go-fishin-with-crowd.m4a", tmp_path / "a.m4a")
    volume = f"{tmp_path}:/recordings"
    command = [docker, "run", "--rm", "-v", volume, "concertclean-test", "denoise", "a.m4a", "--duration", "3"]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "a_clean.wav").stat().st_size > 100_000
