"""Weights as a safetensors file that says in its header how to build the network again.

The header's metadata has one key, `concertclean`: a JSON table of the architecture (a key of the registry), its config
(the network's keyword arguments) and free provenance strings such as the training data, the licence and the recipe. One
key, because the safetensors library writes several in an order that changes from run to run: here equal weights make
equal bytes, hence an equal sha256. Files of before have `architecture`, `config` and each provenance string as keys of
the metadata itself. The header can be read without torch; nothing in such a file can run code.

References:
    safetensors, README, section "Format": 8-byte little-endian header size, JSON header, raw tensors.
"""

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from pydantic import Field, TypeAdapter

from concertclean.config.text import parse_json
from concertclean.errors import ModelError
from concertclean.files.atomic import written

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

_KEY = "concertclean"
_OWN = ("architecture", "config")
_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_TEXTS = TypeAdapter(dict[str, str])
_SHAPE = TypeAdapter(Annotated[tuple[Annotated[int, Field(ge=0, le=2**48, strict=True)], ...], Field(max_length=16)])
_CURE = "fetch it again with `concertclean models download`, or restore your copy"


@dataclass(frozen=True)
class WeightsHeader:
    """What a weights file says about itself.

    Attributes:
        architecture: key of the registry's table of networks.
        config: keyword arguments of the network's constructor.
        provenance: free text by topic: training data, licence, recipe, steps.
        shapes: of all tensors, buffers included, by name.
    """

    architecture: str
    config: dict[str, Any]
    provenance: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def n_parameters(self) -> int:
        """Numbers stored in all tensors."""
        return sum(map(math.prod, self.shapes.values()))


def save_weights(
    path: str | os.PathLike[str],
    state_dict: Mapping[str, "Tensor"],
    *,
    architecture: str,
    config: Mapping[str, Any],
    provenance: Mapping[str, str],
) -> None:
    """Write a weights file; the path holds the old file or the whole new one, never a part.

    Args:
        path: file to write; its folder must exist.
        state_dict: as for `write_weights`.
        architecture: as for `write_weights`.
        config: as for `write_weights`.
        provenance: as for `write_weights`.

    Raises:
        ValueError: as for `write_weights`.
        TypeError: as for `write_weights`.
        OutputError: the file cannot be written.
    """
    with written(Path(path)) as file:
        write_weights(file, state_dict, architecture=architecture, config=config, provenance=provenance)


def write_weights(
    file: BinaryIO,
    state_dict: Mapping[str, "Tensor"],
    *,
    architecture: str,
    config: Mapping[str, Any],
    provenance: Mapping[str, str],
) -> None:
    """Write the bytes of a weights file.

    Args:
        file: binary, to write to.
        state_dict: tensors by name, any shape, of a floating or common integer dtype or bool.
        architecture: key of the registry's table of networks.
        config: keyword arguments of the network's constructor; numbers, strings, booleans, and lists of them.
        provenance: free text by topic; equal topics and tensors make equal bytes.

    Raises:
        ValueError: a tensor has another dtype.
        TypeError: `config` holds something that JSON does not know.
    """
    from safetensors.torch import save

    record = {"architecture": architecture, "config": dict(config), "provenance": dict(provenance)}
    metadata = {_KEY: json.dumps(record, sort_keys=True)}
    # Copies: the library refuses tensors that share memory, such as tied weights.
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state_dict.items()}
    try:
        file.write(save(tensors, metadata))
    except KeyError as error:
        raise ValueError(f"dtype {error} cannot be stored; use a floating or an integer one") from error


def read_header(path: str | os.PathLike[str]) -> WeightsHeader:
    """Return what a weights file says about itself, without torch and without reading its tensors.

    Args:
        path: weights file.

    Returns:
        Architecture, constructor arguments, provenance and size.

    Raises:
        ModelError: the file is missing, cut short, no safetensors file, or not one of ours.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            n_header = int.from_bytes(file.read(8), "little")
            n_data = os.fstat(file.fileno()).st_size - 8 - n_header
            if not 2 <= n_header <= _MAX_HEADER_BYTES or n_data < 0:
                raise _damaged(path, "it does not begin like a safetensors file")
            entries = parse_json(file.read(n_header))
        metadata = _TEXTS.validate_python(entries.pop("__metadata__", {}))
        n_needed = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        shapes = {name: _SHAPE.validate_python(entry["shape"]) for name, entry in entries.items()}
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise _damaged(path, "its safetensors header cannot be understood") from error
    if n_data != n_needed:
        raise _damaged(path, f"it holds {n_data} bytes of tensors where its header declares {n_needed}")
    return _parse_metadata(path, metadata, shapes)


def load_state(path: str | os.PathLike[str]) -> dict[str, "Tensor"]:
    """Return the tensors of a weights file, ready for `load_state_dict`.

    Args:
        path: weights file.

    Returns:
        Tensors by name on the CPU; those stored as float16 or bfloat16 come as float32.

    Raises:
        ModelError: the file is missing or damaged.
    """
    import torch
    from safetensors.torch import load_file

    state = _tensors(path, load_file)
    halves = (torch.float16, torch.bfloat16)
    return {name: tensor.float() if tensor.dtype in halves else tensor for name, tensor in state.items()}


def load_arrays(path: str | os.PathLike[str]) -> "dict[str, NDArray[np.float32]]":
    """Return the tensors of a weights file as arrays in full precision, without torch.

    Args:
        path: weights file.

    Returns:
        Those of floating numbers by name; whole numbers only count the steps of a training.

    Raises:
        ModelError: the file is missing or damaged.
    """
    import numpy as np
    from safetensors.numpy import load_file

    found = _tensors(path, load_file)
    return {name: np.asarray(value, np.float32) for name, value in found.items() if value.dtype.kind == "f"}


def _tensors(
    path: str | os.PathLike[str], load_file: Callable[[str | os.PathLike[str]], dict[str, Any]]
) -> dict[str, Any]:
    """All tensors of a file, of the library whose `load_file` this is; ModelError for a damaged one."""
    from safetensors import SafetensorError

    read_header(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        raise _damaged(Path(path), f"safetensors refuses it ({error})") from error


def _parse_metadata(path: Path, metadata: dict[str, str], shapes: dict[str, tuple[int, ...]]) -> WeightsHeader:
    """Header metadata of either layout as a record."""
    missing = [key for key in _OWN if key not in metadata]
    if _KEY not in metadata and missing:
        raise ModelError(
            f"{path}: its header lacks {' and '.join(missing)}, so the network is unknown; "
            "use weights that concertclean trained or imported (`concertclean models import`)"
        )
    damaged = _damaged(path, "the network's settings in its header cannot be understood")
    try:
        if _KEY in metadata:
            record = parse_json(metadata[_KEY])
            parts = record["architecture"], record["config"], _TEXTS.validate_python(record["provenance"])
        else:
            provenance = {key: value for key, value in metadata.items() if key not in _OWN}
            parts = metadata["architecture"], parse_json(metadata["config"]), provenance
    except (ValueError, KeyError, TypeError) as error:
        raise damaged from error
    if not (isinstance(parts[0], str) and isinstance(parts[1], dict)):
        raise damaged
    return WeightsHeader(*parts, shapes)


def _damaged(path: Path, fact: str) -> ModelError:
    return ModelError(f"{path}: damaged weights file, {fact}; {_CURE}")
