"""Networks run by OpenVINO: the results of onnxruntime, whatever the length, and no telemetry."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from concertclean.restore.onnx_engine import OnnxEngine, OnnxRuntime
from concertclean.restore.openvino_core import OpenVino
from concertclean.weights.export import export_onnx
from concertclean.weights.loading import load_model
from concertclean.weights.onnx_file import OnnxRecord, open_onnx

pytest.importorskip("openvino", reason="OpenVINO (extra `openvino`) is not installed")

Synth = Callable[..., np.ndarray]


@pytest.fixture
def model(tmp_path: Path, tiny_weights: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONCERTCLEAN_MODEL_DIR", str(tmp_path / "models"))
    export_onnx(load_model(tiny_weights["stereo"]), tmp_path / "a.onnx")
    return tmp_path / "a.onnx"


def both(model: Path, seconds: float) -> tuple[OnnxEngine, OnnxEngine, OnnxRecord]:
    session, record = open_onnx(model)
    own = OpenVino(model.read_bytes(), record, precision="fp32", segment_seconds=seconds)
    return OnnxEngine(own, record), OnnxEngine(OnnxRuntime(session, record), record), record


@pytest.mark.parametrize("n_units", [1, 4, 40])  # shorter than usual, usual, longer
def test_estimates_are_those_of_onnxruntime(model: Path, noise: Synth, n_units: int) -> None:
    found, expected, record = both(model, 0.5)
    assert found.precision == "fp32"
    assert found.name.startswith("OpenVINO 20")
    waveform = noise(2 * record.context + n_units * record.alignment, channels=2)[None].astype(np.float32)
    results = [engine.stereo.estimate(waveform) for engine in (found, expected)]
    assert results[0].shape == results[1].shape
    assert np.abs(results[1]).max() > 0.01
    assert np.allclose(*results, atol=1e-5)


def test_a_network_is_compiled_once(model: Path, tmp_path: Path) -> None:
    both(model, 0.5)
    first = {path: path.stat().st_mtime_ns for path in (tmp_path / "models/openvino").iterdir()}
    assert first
    both(model, 0.5)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "models/openvino").iterdir()} == first


def test_where_nothing_can_be_kept_it_runs_all_the_same(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CONCERTCLEAN_MODEL_DIR", str(tmp_path / "file"))
    found, _, _ = both(model, 0.5)
    assert found.name.startswith("OpenVINO")


def test_telemetry_is_never_loaded(model: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from concertclean.restore.openvino_core import OpenVino
from concertclean.weights.onnx_file import open_onnx
OpenVino(Path({str(model)!r}).read_bytes(), open_onnx(Path({str(model)!r}))[1], segment_seconds=0.5)
print(sorted(name for name, module in sys.modules.items() if "telemetry" in name and module is not None))
"""
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ended.stdout.strip() == "[]"
