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


@pytest.mark.slow
def test_the_wheel_denoises_in_an_empty_environment(built: Path, tmp_path: Path) -> None:
    """Without torch, and with the result of torch: a phone in a hall by the crowd's network, a disc by its chain."""
    venv.create(tmp_path / "env", with_pip=True)
    scripts = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin")
    wheel = str(next(built.glob("*.whl")))
    install = [str(scripts / "python"), "-m", "pip", "install", "-q", "-c", str(ROOT / "constraints.txt"), wheel]
    installed = subprocess.run(install, cwd=tmp_path, check=False, capture_output=True, text=True)
    if installed.returncode and "No matching distribution" in installed.stderr:
        pytest.skip(f"packages cannot be had here: {installed.stderr.splitlines()[-1]}")
    assert installed.returncode == 0, installed.stderr
    for name, model in (("lets-go-fishin-with-crowd.m4a", "concert"), ("st-louis-blues-1921.mp3", "gramophone")):
        words = ("denoise", str(ROOT / "examples" / name), "--duration=3", "--bit-depth=32f", "--overwrite", "--output")
        subprocess.run([str(scripts / "concertclean"), *words, "without.wav"], cwd=tmp_path, check=True)
        here = (sys.executable, "-m", "concertclean", *words, "with.wav", "--precision=fp32", "--device=cpu")
        ended = subprocess.run([*here, "--json"], cwd=tmp_path, check=True, capture_output=True)
        assert model in json.loads(ended.stdout)[0]["stages"]
        (expected, rate), (result, _) = (soundfile.read(tmp_path / file) for file in ("with.wav", "without.wav"))
        assert len(expected) == 3 * rate
        assert snr(expected.T, result.T) > 60
    found = subprocess.run(
        [str(scripts / "python"), "-c", "import torch"], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert "ModuleNotFoundError" in found.stderr


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
