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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from concertclean.errors import ModelError
from concertclean.files.atomic import written

if TYPE_CHECKING:
    from torch import Tensor

_KEY = "concertclean"
_OWN = ("architecture", "config")
_MAX_HEADER_BYTES = 100_000_000  # the format's own limit
_CURE = "fetch it again with `concertclean models download`, or restore your copy"


@dataclass(frozen=True)
class WeightsHeader:
    """What a weights file says about itself.

    Attributes:
        architecture: key of the registry's table of networks.
        config: keyword arguments of the network's constructor.
        provenance: free text by topic: training data, licence, recipe, steps.
        n_parameters: numbers stored in all tensors, buffers included.
    """

    architecture: str
    config: dict[str, Any]
    provenance: dict[str, str] = field(default_factory=dict)
    n_parameters: int = 0


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
            entries = json.loads(file.read(n_header))
        metadata = entries.pop("__metadata__", {})
        n_needed = max((entry["data_offsets"][1] for entry in entries.values()), default=0)
        n_parameters = sum(math.prod(entry["shape"]) for entry in entries.values())
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise _damaged(path, "its safetensors header cannot be understood") from error
    if n_data != n_needed:
        raise _damaged(path, f"it holds {n_data} bytes of tensors where its header declares {n_needed}")
    return _parse_metadata(path, metadata, n_parameters)


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
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    read_header(path)
    try:
        state: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(Path(path), f"safetensors refuses it ({error})") from error
    halves = (torch.float16, torch.bfloat16)
    return {name: tensor.float() if tensor.dtype in halves else tensor for name, tensor in state.items()}


def _parse_metadata(path: Path, metadata: Mapping[str, str], n_parameters: int) -> WeightsHeader:
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
            record = json.loads(metadata[_KEY])
            parts = record["architecture"], record["config"], record["provenance"]
        else:
            provenance = {key: value for key, value in metadata.items() if key not in _OWN}
            parts = metadata["architecture"], json.loads(metadata["config"]), provenance
    except (ValueError, KeyError, TypeError) as error:
        raise damaged from error
    if [type(part) for part in parts] != [str, dict, dict]:
        raise damaged
    return WeightsHeader(*parts, n_parameters)


def _damaged(path: Path, fact: str) -> ModelError:
    return ModelError(f"{path}: damaged weights file, {fact}; {_CURE}")
