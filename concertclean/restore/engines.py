"""What runs a network: torch where it is installed, else onnxruntime; an ONNX file always runs in onnxruntime."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from concertclean.config.denoise import RestorerSettings
from concertclean.errors import ModelError
from concertclean.files.download import Progress
from concertclean.restore.engine import Engine
from concertclean.weights.cards import ModelCard
from concertclean.weights.locating import LocatedWeights, known_card, locate_weights
from concertclean.weights.onnx_file import SUFFIX

Fetching = Callable[[], AbstractContextManager[Progress | None]]
Found = tuple[Engine, LocatedWeights, float | None]


def installed_engine() -> Literal["torch", "onnxruntime"]:
    """Name of the program that runs networks here."""
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
    if installed_engine() == "torch":
        return _with_torch(name, settings, fetching)
    return _with_onnxruntime(name, settings, fetching)


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


def _with_onnxruntime(name: str, settings: RestorerSettings, fetching: Fetching) -> Found:
    """A model of the package; there are no graphs of others."""
    from concertclean.restore.onnx_engine import OnnxEngine, require_cpu
    from concertclean.weights.onnx_file import open_with_weights, shipped_graph

    require_cpu(settings.device, settings.precision)
    card = known_card(name)
    if card is not None and shipped_graph(card.name) is None:
        raise _needs_torch(name)
    with fetching() as fetched:
        located = locate_weights(name, offline=settings.offline, progress=fetched)
    graph = None if located.card is None else shipped_graph(located.card.name)
    if graph is None:
        raise _needs_torch(name)
    session, record = open_with_weights(graph, located.path)
    if record.weights_sha256 != located.sha256:
        raise _needs_torch(name)
    options = {"device": settings.device, "precision": settings.precision}
    return OnnxEngine(session, record, floor=settings.network_floor, **options), located, _seconds(located.card)


def _from_onnx_file(name: str, settings: RestorerSettings) -> Found:
    from concertclean.restore.onnx_engine import OnnxEngine
    from concertclean.weights.onnx_file import open_onnx

    located = locate_weights(name, offline=True)
    session, record = open_onnx(Path(located.path))
    options = {"device": settings.device, "precision": settings.precision}
    return OnnxEngine(session, record, floor=settings.network_floor, **options), located, record.segment_seconds


def _seconds(card: ModelCard | None) -> float | None:
    return None if card is None else card.segment_seconds


def _needs_torch(name: str) -> ModelError:
    return ModelError(
        f"{name}: cannot run in onnxruntime as it is; pip install 'concertclean[torch]', or export it to ONNX where "
        "torch is installed (`concertclean models export`)"
    )
