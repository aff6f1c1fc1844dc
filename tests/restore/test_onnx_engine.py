"""What surrounds an ONNX network gives what torch gives; and the whole command where torch cannot be loaded."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from concertclean.dsp import array_downmix, array_stft, local_downmix, stft
from concertclean.dsp.bands import BandPlanes
from concertclean.errors import ConfigError
from concertclean.networks.layers.band_gains import BandGains
from concertclean.restore.build import load
from concertclean.restore.engines import installed_engine
from concertclean.weights.loading import load_model

EXAMPLES = Path(__file__).parents[2] / "examples"
PHONE, DISC = EXAMPLES / "lets-go-fishin-with-crowd.m4a", EXAMPLES / "st-louis-blues-1921.mp3"
Synth = Callable[..., np.ndarray]


@pytest.mark.parametrize(("name", "n_fft", "hop_length"), [("hann", 256, 64), ("hamming", 200, 77)])
@pytest.mark.parametrize("n_samples", [1, 1000, 64 * 300])
def test_spectra_are_those_of_torch(noise: Synth, name: str, n_fft: int, hop_length: int, n_samples: int) -> None:
    waveform = noise(n_samples).astype(np.float32)
    window = array_stft.window(name, n_fft)
    expected = stft.spectrogram(torch.from_numpy(waveform), stft.window(name, n_fft), hop_length)
    found = array_stft.spectrogram(waveform, window, hop_length)
    assert np.allclose(found.swapaxes(1, 2), expected, atol=1e-6)
    back = array_stft.waveform(array_stft.runs_of(found), window, hop_length, waveform.shape)
    assert np.allclose(back, waveform, atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2])
def test_features_are_those_of_torch(noise: Synth, channels: int) -> None:
    waveform = torch.from_numpy(noise(20_000, channels=channels)).float()
    spectrogram = stft.spectrogram(waveform, stft.window("hann", 256), 64)
    front = BandGains(129, 40, channels)
    planes = BandPlanes(129, 40, channels, front.margin)
    found = planes.planes(planes.magnitudes(spectrogram.mT.numpy()))
    assert np.allclose(found, front.features(spectrogram[None])[0], rtol=1e-4, atol=1e-5)
    gains = np.random.default_rng(0).random((channels, 40, 313), np.float32)
    filtered = front.filter(torch.from_numpy(gains)[None], spectrogram[None])[0]
    assert np.allclose(spectrogram.numpy() * planes.per_bin(gains).swapaxes(1, 2), filtered)


def test_the_downmix_is_that_of_torch(noise: Synth) -> None:
    """The first half in phase, the second inverted, the last independent."""
    common = noise(60_000, channels=1)
    other = np.where(
        np.arange(60_000) < 20_000, common, np.where(np.arange(60_000) < 40_000, -common, noise(60_000)[1])
    )
    waveform = np.concatenate([common, other]).astype(np.float32)
    expected = local_downmix.downmix_locally(torch.from_numpy(waveform)[None])[0].numpy()
    found = array_downmix.downmix_locally(waveform)
    assert np.abs(expected - waveform.mean(axis=0)).max() > 0.01
    assert np.allclose(found, expected, atol=1e-6)


def exported(weights: Path, folder: Path) -> Path:
    pytest.importorskip("onnx", reason="exporting needs onnx")
    from concertclean.weights.export import export_onnx

    target = folder / f"{weights.stem}.onnx"
    export_onnx(load_model(weights), target)
    return target


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("name", ["stereo", "mono"])
def test_a_file_restores_as_its_weights_do(
    tmp_path: Path, tiny_weights: dict[str, Path], noise: Synth, name: str, channels: int
) -> None:
    waveform = noise(70_000, channels=channels)
    common = {"segment_seconds": 0.5, "threads": 2, "max_reduction_db": 20.0}
    expected, _ = load(str(tiny_weights[name]), precision="fp32", device="cpu", **common)(waveform, 44_100)
    found, _ = load(str(exported(tiny_weights[name], tmp_path)), **common)(waveform, 44_100)
    assert difference_db(waveform, expected) > -20
    assert difference_db(expected, found) < -90


def difference_db(reference: np.ndarray, estimate: np.ndarray) -> float:
    return 10 * float(np.log10(np.square(reference - estimate).sum() / np.square(reference).sum() + 1e-30))


def test_onnxruntime_is_for_the_cpu_in_full_precision(tmp_path: Path, tiny_weights: dict[str, Path]) -> None:
    path = str(exported(tiny_weights["mono"], tmp_path))
    with pytest.raises(ConfigError, match="device cuda: onnxruntime and OpenVINO run on the CPU"):
        load(path, device="cuda")
    with pytest.raises(ConfigError, match="precision bf16: onnxruntime computes in fp32"):
        load(path, precision="bf16")


def without(modules: list[str], *words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """The program where some modules cannot be imported."""
    code = f"""
import sys
sys.modules.update(dict.fromkeys({modules!r}))
from concertclean.cli.app import main
sys.argv = ["concertclean", *{list(words)!r}]
main()
"""
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, check=False, capture_output=True, text=True)


@pytest.fixture
def excerpt(tmp_path: Path, noise: Synth) -> Iterator[Path]:
    path = tmp_path / "in.wav"
    soundfile.write(path, noise(44_100).T, 44_100)
    return path


def test_a_file_restores_without_torch(tmp_path: Path, tiny_weights: dict[str, Path], excerpt: Path) -> None:
    path = exported(tiny_weights["stereo"], tmp_path)
    ended = without(["torch"], "denoise", str(excerpt), "--model", str(path), "--json", "--report", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "in_clean_report.html").stat().st_size > 10_000
    assert '"engine": "onnxruntime' in ended.stdout
    assert not np.array_equal(soundfile.read(tmp_path / "in_clean.wav")[0], soundfile.read(excerpt)[0])


@pytest.mark.parametrize(
    ("missing", "words", "code", "facts"),
    [
        (["torch"], ["denoise", "in.wav", "--model=own.safetensors"], 6,
         ["own.safetensors: cannot run in onnxruntime", "'concertclean[torch]'"]),
        (["torch"], ["denoise", "in.wav", "--model=gramophone-moliner"], 6, ["gramophone-moliner: cannot run"]),
        (["torch"], ["denoise", "in.wav", "--model=lsa-c", "--noise-profile=auto"], 2, ["needs torch"]),
        (["torch"], ["models", "export", "concert"], 2, ["needs torch", "'concertclean[torch]'"]),
        (["onnx"], ["models", "export", "concert"], 2, ["needs onnx", "'concertclean[export]'"]),
    ],
)  # fmt: skip
def test_what_is_missing_is_reported_with_its_cure(
    tmp_path: Path, tiny_weights: dict[str, Path], excerpt: Path, missing: list[str], words: list[str], code: int,
    facts: list[str],
) -> None:  # fmt: skip
    (tmp_path / "own.safetensors").write_bytes(tiny_weights["mono"].read_bytes())
    ended = without(missing, *words, cwd=tmp_path)
    assert ended.returncode == code, ended.stderr
    assert all(fact in " ".join(ended.stderr.split()) for fact in facts)


def test_models_are_listed_and_the_machine_described_without_torch(tmp_path: Path) -> None:
    assert without(["torch"], "models", "list", cwd=tmp_path).returncode == 0
    assert without(["torch"], "models", "info", "concert", cwd=tmp_path).returncode == 0
    ended = without(["torch"], "doctor", cwd=tmp_path)
    assert "run by onnxruntime" in ended.stdout
    assert "fp32" in ended.stdout


def test_a_recording_is_looked_at_without_torch(tmp_path: Path, excerpt: Path) -> None:
    ended = without(["torch", "onnxruntime"], "analyse", str(excerpt), "--json", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)[0]["probabilities"]
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(44_100), 44_100)
    ended = without(["torch", "onnxruntime"], "denoise", str(silence), "--json", cwd=tmp_path)
    assert "W117 left as it is: it is silent" in ended.stderr + ended.stdout
    assert ended.returncode == 0


def test_torch_goes_first() -> None:
    assert installed_engine() == "torch"


def restored(recording: Path, folder: Path, model: str, missing: list[str], *words: str) -> np.ndarray:
    target = folder / f"{len(missing)}.wav"
    common = ["denoise", str(recording), f"--output={target}", f"--model={model}", "--bit-depth=32f"]
    ended = without(missing, *common, "--precision=fp32", "--device=cpu", *words, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    return soundfile.read(target)[0]


@pytest.mark.slow
@pytest.mark.parametrize(("recording", "model"), [(PHONE, "concert"), (DISC, "gramophone")])
def test_seconds_of_the_examples_are_restored_as_by_torch(tmp_path: Path, recording: Path, model: str) -> None:
    words = ("--start=4", "--duration=2")
    expected = restored(recording, tmp_path, model, [], *words)
    assert difference_db(expected, restored(recording, tmp_path, model, ["torch"], *words)) < -60


@pytest.mark.long
@pytest.mark.parametrize(("recording", "model"), [(PHONE, "concert"), (DISC, "gramophone")])
def test_the_examples_are_restored_as_by_torch(tmp_path: Path, recording: Path, model: str) -> None:
    expected = restored(recording, tmp_path, model, [])
    assert difference_db(expected, restored(recording, tmp_path, model, ["torch"])) < -60
