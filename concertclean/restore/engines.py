"""What runs a network: OpenVINO or torch where they are installed, else onnxruntime; ONNX files never need torch."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from concertclean.config.denoise import RestorerSettings
from concertclean.errors import ConfigError, ModelError
from concertclean.files.download import Progress
from concertclean.restore.engine import Engine
from concertclean.weights.cards import ModelCard
from concertclean.weights.locating import LocatedWeights, known_card, locate_weights
from concertclean.weights.onnx_file import SUFFIX, OnnxRecord, open_onnx, open_with_weights, shipped_graph, whole_model

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Fetching = Callable[[], AbstractContextManager[Progress | None]]
Found = tuple[Engine, LocatedWeights, float | None]


def installed_engine() -> Literal["torch", "OpenVINO", "onnxruntime"]:
    """Name of the program that runs the networks of the package on the CPU."""
    if find_spec("openvino") is not None:
        return "OpenVINO"
    return "onnxruntime" if find_spec("torch") is None else "torch"


def engine_of(name: str, settings: RestorerSettings, fetching: Fetching) -> Found:
    """Returns a model on its device, where it came from, and the seconds of waveform it was made for, if that matters.

    Args:
        name: of a model, or the path of a weights file or an ONNX file.
        settings: device, precision and the rest.
        fetching: entered while weights may be fetched.

    Raises:
        ConfigError: there is no such device here.
        ModelError: the model cannot be loaded, or is for another task.
        OfflineError: weights are not here and cannot be fetched.
    """
    if name.endswith(SUFFIX):
        return _from_onnx_file(name, settings)
    has_torch = find_spec("torch") is not None
    if has_torch and not (find_spec("openvino") is not None and _has_graph(name) and _is_for_openvino(settings)):
        return _with_torch(name, settings, fetching)
    return _with_graph(name, settings, fetching)


def _has_graph(name: str) -> bool:
    card = known_card(name)
    return card is not None and shipped_graph(card.name) is not None


def _is_for_openvino(settings: RestorerSettings) -> bool:
    """Whether the CPU is what would be used, in a precision that OpenVINO has."""
    if settings.precision == "fp16" or settings.device not in ("auto", "cpu"):
        return False
    if settings.device == "cpu" or version("torch").endswith("+cpu"):
        return True
    from concertclean.runtime.devices import choose_device

    return choose_device("auto").type == "cpu"


def _with_torch(name: str, settings: RestorerSettings, fetching: Fetching) -> Found:
    os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")  # before torch is loaded
    from concertclean.networks.layers.band_gains import hold_gains
    from concertclean.restore.torch_engine import TorchEngine
    from concertclean.runtime.devices import choose_device
    from concertclean.weights.loading import load_model

    choose_device(settings.device)  # a wrong name is reported before weights are fetched for hours
    with fetching() as fetched:
        loaded = load_model(name, offline=settings.offline, progress=fetched)
    hold_gains(loaded.model, settings.network_floor)
    engine = TorchEngine(loaded.model, device=settings.device, precision=settings.precision)
    return engine, LocatedWeights(loaded.path, loaded.card, loaded.sha256), _seconds(loaded.card)


def _with_graph(name: str, settings: RestorerSettings, fetching: Fetching) -> Found:
    """A model of the package; there are no graphs of others."""
    by_openvino = _is_by_openvino(settings)  # what cannot be had is reported before weights are fetched for hours
    card = known_card(name)
    if card is not None and shipped_graph(card.name) is None:
        raise _needs_torch(name)
    with fetching() as fetched:
        located = locate_weights(name, offline=settings.offline, progress=fetched)
    graph = None if located.card is None else shipped_graph(located.card.name)
    if graph is None:
        raise _needs_torch(name)
    network, record = (whole_model if by_openvino else open_with_weights)(graph, located.path)
    if record.weights_sha256 != located.sha256:
        raise _needs_torch(name)
    return _engine(network, record, settings), located, _seconds(located.card)


def _from_onnx_file(name: str, settings: RestorerSettings) -> Found:
    by_openvino = _is_by_openvino(settings)
    located = locate_weights(name, offline=True)
    session, record = open_onnx(located.path)
    network = located.path.read_bytes() if by_openvino else session
    return _engine(network, record, settings), located, record.segment_seconds


def _is_by_openvino(settings: RestorerSettings) -> bool:
    """Whether OpenVINO runs a graph, as opposed to onnxruntime; ConfigError for what neither of them can do."""
    if settings.device not in ("auto", "cpu"):
        raise ConfigError(
            f"device {settings.device}: onnxruntime and OpenVINO run on the CPU; choose auto or cpu, or use torch"
        )
    if find_spec("openvino") is not None and settings.precision != "fp16":
        return True
    if settings.precision not in ("auto", "fp32"):
        raise ConfigError(
            f"precision {settings.precision}: onnxruntime computes in fp32; choose auto or fp32, or use torch"
        )
    return False


def _engine(network: "InferenceSession | bytes", record: OnnxRecord, settings: RestorerSettings) -> Engine:
    """What runs a network opened by onnxruntime, or the content of a file by OpenVINO."""
    from concertclean.restore.onnx_engine import Core, OnnxEngine, OnnxRuntime

    core: Core
    if isinstance(network, bytes):
        from concertclean.restore.openvino_core import OpenVino

        how: Any = {"threads": settings.threads, "segment_seconds": settings.segment_seconds}
        core = OpenVino(network, record, precision=settings.precision, **how)
    else:
        core = OnnxRuntime(network, record)
    return OnnxEngine(core, record, floor=settings.network_floor)


def _seconds(card: ModelCard | None) -> float | None:
    return None if card is None else card.segment_seconds


def _needs_torch(name: str) -> ModelError:
    return ModelError(
        f"{name}: cannot run in onnxruntime as it is; pip install 'concertclean[torch]', or export it to ONNX where "
        "torch is installed (`concertclean models export`)"
    )
