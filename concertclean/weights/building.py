"""From the settings in a file to a network, whatever the file says.

Settings are compared with the constructor's own signature and with ranges that no sensible network leaves, before
anything is built. With weights, the network is first built without memory, on torch's "meta" device, and its shapes are
compared with those in the file: a header cannot ask for more memory than its file is large.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import torch
from pydantic import BaseModel, create_model
from torch import nn
from torch.overrides import TorchFunctionMode

from concertclean.config.reading import STRICT, validated
from concertclean.errors import ConfigError, ModelError
from concertclean.networks.architectures import ARCHITECTURES, Architecture, Task
from concertclean.weights.file_format import WeightsHeader

_CURE = "correct them, or update concertclean"
_COMPUTED = ("arange", "linspace", "eye", "hann_window", "hamming_window")
_ANY_NUMBER = (-1e6, 1e6)
_RANGES: Mapping[str, tuple[float, float]] = {
    "sample_rate": (1000, 768_000),
    "channels": (1, 64),
    "n_microphones": (1, 64),
    "n_fft": (16, 2**15),
    "hop_length": (1, 2**15),
    "segment": (16, 10**7),
    "n_mels": (1, 256),
    "bands": (0, 2048),
    "lowest_hz": (0, 384_000),
    "highest_hz": (1, 384_000),
    "base": (1, 1e6),
    "widths": (1, 1e6),
    "hidden": (1, 1e6),
    "code": (1, 1e6),
    "depth": (1, 16),
    "levels": (1, 16),
    "stride": (2, 16),
    "filters": (1, 1e6),
    "features": (1, 1e6),
    "kernel_size": (1, 1000),
    "merge_size": (1, 1000),
    "recurrent_layers": (0, 64),
    "plain_levels": (0, 64),
    "grid_size": (1, 1000),
    "eca_frames": (0, 10_000),
}
_LONGEST_LIST = 64
_LONGEST_CONTEXT_SECONDS = 600
_REFUSALS = (TypeError, ValueError, RuntimeError, ArithmeticError, LookupError, AttributeError, MemoryError)


def build_model(architecture: str, config: Mapping[str, Any], place: str | Path) -> nn.Module:
    """Return a network with fresh parameters.

    Args:
        architecture: key of `ARCHITECTURES`.
        config: keyword arguments of its constructor.
        place: where these come from, a weights file or a recipe, for messages.

    Returns:
        The network.

    Raises:
        ModelError: unknown architecture, or settings it does not take.
    """
    row = architecture_of(architecture, place)
    _require_settings(row, config, f"{place}: {architecture} does not take these settings")
    return _built(row, architecture, config, place)


def build_fitting(header: WeightsHeader, path: Path) -> nn.Module:
    """Return the network that a weights file describes, with fresh parameters.

    Args:
        header: of the file.
        path: the file, for messages.

    Returns:
        The network; its state has the names and shapes of the file's tensors.

    Raises:
        ModelError: as for `build_model`, or the tensors are those of another network.
    """
    row = architecture_of(header.architecture, path)
    _require_settings(row, header.config, f"{path}: {header.architecture} does not take these settings")
    with torch.device("meta"), _Unfilled():
        outline = _built(row, header.architecture, header.config, path)
    expected = {name: tuple(tensor.shape) for name, tensor in outline.state_dict().items()}
    wrong = sorted(name for name in expected.keys() | header.shapes if expected.get(name) != header.shapes.get(name))
    if wrong:
        raise ModelError(
            f"{path}: its tensors do not fit the network its header describes ({len(wrong)} differ: "
            f"{', '.join(wrong[:3])}); fetch the weights again, or update concertclean"
        )
    return _built(row, header.architecture, header.config, path)


class _Unfilled(TorchFunctionMode):
    """Leaves parameters without values, and computes windows and grids where they have memory.

    For both, on the "meta" device, torch would load its compiler: a second, and 100 MB for as long as the program runs.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        given, name = kwargs or {}, func.__name__
        if name.endswith("_") and not name.endswith("__"):  # changes a tensor in place
            return args[0] if args else given["tensor"]
        return func(*args, **(({"device": "cpu"} if name in _COMPUTED else {}) | given))


def task_of(architecture: str, place: str | Path) -> Task:
    """Return what an architecture is for; ModelError for an unknown one, with the place where it is named."""
    return architecture_of(architecture, place).task


def architecture_of(name: str, place: str | Path) -> Architecture:
    """Return the row of an architecture; ModelError for an unknown one, with the place where it is named."""
    if name not in ARCHITECTURES:
        raise ModelError(
            f"{place}: unknown architecture {name!r}; known: {', '.join(ARCHITECTURES)}; "
            "correct the name, or update concertclean"
        )
    return ARCHITECTURES[name]


def _require_settings(row: Architecture, config: Mapping[str, Any], place: str) -> None:
    """ModelError for settings that the constructor does not know, of another type, or beyond all sense."""
    try:
        validated(_signature(row.build), config, place, cure=_CURE)
    except ConfigError as error:
        raise ModelError(str(error)) from error
    for key, value in config.items():
        low, high = _RANGES.get(key, _ANY_NUMBER)
        members = list(_members(value))
        if len(members) > _LONGEST_LIST:
            raise ModelError(f"{place}: {key} has {len(members)} entries, at most {_LONGEST_LIST}; {_CURE}")
        for member in members:
            if isinstance(member, int | float) and not low <= member <= high:
                raise ModelError(f"{place}: {key} must lie between {low:g} and {high:g}, got {member}; {_CURE}")


def _signature(build: Callable[..., nn.Module]) -> type[BaseModel]:
    """A record of the keyword arguments of a constructor."""
    hints = get_type_hints(build.__init__ if isinstance(build, type) else build)  # type: ignore[misc]
    fields: dict[str, Any] = {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(build).parameters.items()
    }
    return create_model("Settings", __config__=STRICT, **fields)


def _members(value: object) -> Iterator[object]:
    if isinstance(value, list | tuple):
        for one in value:
            yield from _members(one)
    else:
        yield value


def _built(row: Architecture, architecture: str, config: Mapping[str, Any], place: str | Path) -> nn.Module:
    """The network; one that no recording could go through is refused."""
    try:
        model = row.build(**config)
    except _REFUSALS as error:
        fact = str(error).partition("\n")[0] or type(error).__name__
        raise ModelError(f"{place}: {architecture} does not take these settings ({fact}); {_CURE}") from error
    hop_length, window = getattr(model, "hop_length", 1), getattr(model, "window", None)
    context, rate = getattr(model, "context", 0), int(getattr(model, "sample_rate", 0))
    if isinstance(window, torch.Tensor) and hop_length > window.numel():  # samples between frames would be lost
        raise ModelError(f"{place}: hop_length {hop_length} is more than n_fft {window.numel()}; {_CURE}")
    if not 0 <= context <= _LONGEST_CONTEXT_SECONDS * rate:
        raise ModelError(f"{place}: {architecture} would need {context} samples around each segment; {_CURE}")
    return model
