"""What `denoise` loads before it starts: neither torch for methods without weights, nor what no run needs."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from concertclean.classical.catalogue import COMBINATIONS, METHODS
from concertclean.config.denoise import PRESETS

Synth = Callable[..., np.ndarray]

HEAVY = {"scipy.signal", "scipy.stats", "matplotlib", "PIL", "pyloudnorm", "huggingface_hub"}
WITHOUT_NETWORK = [f"--model={name}" for name in (*METHODS, *COMBINATIONS)] + [
    f"--preset={name}" for name, model in PRESETS.items() if set(model.split(",")) <= {*METHODS, *COMBINATIONS}
]


@pytest.fixture
def recording(tmp_path: Path, noise: Synth, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Five seconds of stereo, and no settings of the user's."""
    monkeypatch.setenv("CONCERTCLEAN_CONFIG_DIR", str(tmp_path / ".config"))
    path = tmp_path / "a.wav"
    soundfile.write(path, noise(5 * 44_100).T, 44_100)
    return path


def run(runs: list[list[str]], forbidden: set[str]) -> float:
    """Processor seconds of several runs of `denoise` in one fresh process, after none of which is a module there."""
    code = f"""
import sys, time
from concertclean.cli.app import main
for words in {runs!r}:
    sys.argv = ["concertclean", "denoise", "--overwrite", "--quiet", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, words
    loaded = sorted({forbidden!r} & set(sys.modules))
    assert not loaded, (words, loaded)
print(time.process_time())
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return float(ended.stdout)


def test_methods_without_weights_load_no_torch(recording: Path) -> None:
    assert {"--model=declick", "--model=lsa-c", "--preset=tape"} <= set(WITHOUT_NETWORK)
    run([[option, "--duration=1", str(recording)] for option in WITHOUT_NETWORK], HEAVY | {"torch"})


def test_denoise_starts_quickly(recording: Path) -> None:
    """From the start to the result it takes hardly longer than to import `scipy.signal` alone, 0.9 s on a busy core.

    Each run is compared with such an import at the same moment: a machine that others use too is at times half as fast.
    """
    imported = [sys.executable, "-c", "import time, scipy.signal; print(time.process_time())"]

    def ratio() -> float:
        reference = subprocess.run(imported, check=True, capture_output=True, text=True)
        return run([["--model=declick", str(recording)]], HEAVY | {"torch"}) / float(reference.stdout)

    assert any(ratio() < 1.7 for _ in range(5))


def test_a_network_needs_no_scipy(recording: Path, tiny_weights: dict[str, Path]) -> None:
    run([[f"--model={tiny_weights['stereo']}", "--duration=1", str(recording)]], HEAVY | {"scipy"})


@pytest.mark.parametrize("option", ["--model=auto", "--report"])
def test_neither_auto_nor_a_page_needs_more(recording: Path, option: str) -> None:
    run([[option, "--duration=1", str(recording)]], HEAVY)


def test_networks_load_no_compiler(recording: Path) -> None:
    """It takes a second, and a hundred megabytes for as long as the program runs."""
    names = ("concert", "gramophone")
    run([[f"--model={name}", "--duration=1", str(recording)] for name in names], {"torch._dynamo", "sympy"})


def test_what_exists_is_reported_before_torch_is_loaded(recording: Path) -> None:
    target = recording.with_name("a_clean.wav")
    target.write_bytes(b"kept")
    code = f"""
import sys
from concertclean.cli.app import main
sys.argv = ["concertclean", "denoise", "--model=concert", {str(recording)!r}]
try:
    main()
except SystemExit as end:
    print(end.code, "torch" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ended.stdout == "9 False\n"
    assert f"{target}" in ended.stderr
    assert "--overwrite replaces it, --skip-existing leaves such recordings out" in " ".join(ended.stderr.split())
    assert target.read_bytes() == b"kept"
