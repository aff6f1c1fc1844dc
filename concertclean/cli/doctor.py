"""`concertclean doctor`: what this machine offers, a line each."""

import platform
from pathlib import Path
from typing import TYPE_CHECKING

from concertclean import __version__
from concertclean.cli import console

if TYPE_CHECKING:
    from collections.abc import Iterator


def doctor() -> None:
    """Says what was found here: devices, precision, codecs, weights, folders."""
    for what, found in _findings():
        console.say(f"{what:<28}{found}")


def _findings() -> "Iterator[tuple[str, str]]":
    yield "concertclean", f"{__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield from _engines()
    yield from _codecs()
    yield from _weights()


def _engines() -> "Iterator[tuple[str, str]]":
    """What runs networks, and where."""
    from concertclean.restore.engines import installed_engine

    engine = installed_engine()
    yield "networks", f"run by {engine}"
    yield from _torch() if engine == "torch" else _without_torch(engine)


def _torch() -> "Iterator[tuple[str, str]]":
    import torch

    from concertclean.runtime.devices import choose_device, choose_precision

    device = choose_device("auto")
    yield "torch", torch.__version__
    yield "device", f"{device} ({_device_name(device.type)})"
    yield "precision", choose_precision("auto", device)
    yield "threads", str(torch.get_num_threads())


def _without_torch(engine: str) -> "Iterator[tuple[str, str]]":
    from importlib.metadata import version

    from concertclean.runtime.parallel import usable_cores

    yield engine, version(engine.lower())
    yield "device", f"cpu ({platform.processor() or platform.machine()})"
    if engine == "onnxruntime":
        yield "precision", "fp32"
    yield "threads", str(usable_cores())


def _device_name(kind: str) -> str:
    import torch

    if kind == "cuda":
        return str(torch.cuda.get_device_name())
    return platform.processor() or platform.machine()


def _codecs() -> "Iterator[tuple[str, str]]":
    import av
    import soundfile

    from concertclean.audio_io.formats import AUDIO_EXTENSIONS, FORMATS

    yield "reads", " ".join(sorted(AUDIO_EXTENSIONS))
    yield "writes", " ".join(name for name, entry in FORMATS.items() if entry.is_writable)
    yield "libraries", f"libsndfile {soundfile.__libsndfile_version__}, PyAV {av.__version__}"


def _weights() -> "Iterator[tuple[str, str]]":
    from concertclean.errors import ConcertCleanError
    from concertclean.weights.cards import load_cards
    from concertclean.weights.locating import locate_weights, model_folder

    yield "model folder", str(model_folder())
    try:
        names = list(load_cards())
    except ConcertCleanError as error:
        yield "models", str(error)
        return
    for name in names:
        try:
            path: Path | str = locate_weights(name, offline=True).path
        except ConcertCleanError as error:
            path = str(error)
        yield f"weights {name}", str(path)
