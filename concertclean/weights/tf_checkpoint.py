"""The published checkpoint of the two-stage U-Net, turned into one of our weights files.

Upstream's variables are named by their place in the Keras object, so the torch name is the key's path
with dots. Both kinds of kernel turn by one permutation: convolutions lie as (time, freq, in, out) and
become (out, in, time, freq), transposed ones lie as (time, freq, out, in) and become (in, out, time,
freq). No axis is flipped. Depth and widths are read off the file.

References:
    E. Moliner, V. Välimäki, "A two-stage U-Net for high-fidelity denoising of historical recordings", 2022.
    Names and shapes: eloimoliner/denoising-historical-recordings, unet.py, commit c4cbdd2, MIT.
"""

import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from concertclean.errors import ModelError
from concertclean.files.atomic import disk_errors, written
from concertclean.files.names import name_fault
from concertclean.files.unpacking import DAMAGED, Allowance
from concertclean.weights.file_format import write_weights
from concertclean.weights.tf_bundle import read_bundle

if TYPE_CHECKING:
    from torch import Tensor

_PREFIX = "layer_with_weights-0/"
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_FEATURES = 12  # real and imaginary part, ten frequency embeddings
_DENSE_LAYERS = 3


def convert_two_stage(source: Path, target: Path, *, provenance: Mapping[str, str] | None = None) -> None:
    """Write the weights of a published two-stage U-Net checkpoint as a weights file.

    Args:
        source: `checkpoint.zip` as published, or the folder it unpacks to.
        target: weights file to write, architecture `two_stage_unet`; any depth. Its folder is made if missing.
        provenance: header strings by topic, such as licence and paper.

    Raises:
        ModelError: the source is missing, damaged, or no checkpoint of this network.
        OutputError: the target cannot be written.
    """
    with written(Path(target), make_folder=True) as file:
        write_two_stage(source, file, scratch=Path(target).parent, provenance=provenance)


def write_two_stage(
    source: Path, file: BinaryIO, *, scratch: Path, provenance: Mapping[str, str] | None = None
) -> None:
    """Write the bytes of the weights file that `convert_two_stage` makes.

    Args:
        source: as for `convert_two_stage`.
        file: binary, to write to.
        scratch: folder that an archive is unpacked into for the while; with room for it.
        provenance: as for `convert_two_stage`.

    Raises:
        ModelError: as for `convert_two_stage`.
        OutputError: nothing can be unpacked into `scratch`.
    """
    with _unpacked(Path(source), scratch) as folder:
        state, widths = _read_network(folder, Path(source))
    write_weights(
        file,
        state,
        architecture="two_stage_unet",
        config={"depth": len(widths) - 1, "widths": widths},
        provenance=provenance or {},
    )


def two_stage_shapes(widths: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Return every tensor of a two-stage U-Net with its torch shape.

    Args:
        widths: channels of the levels, top to bottom; one more than the depth.

    Returns:
        Shapes by torch name; 284 of them at the published depth of 6, 196 at the paper's 4.
    """
    top = widths[0]
    weights: dict[str, tuple[int, ...]] = {
        "conv2d_1": (top, _FEATURES, 7, 7),
        "conv2d_2": (top, _FEATURES, 7, 7),
        "sam_1.conv1": (top, top, 3, 3),
        "sam_1.conv2": (2, top, 3, 3),
        "sam_1.conv3": (top, 2, 3, 3),
        "finalblock.conv2": (2, top, 3, 3),
    }
    for stage in (1, 2):
        # Stage 2 sees its own features beside those that the attention module passes on.
        weights |= _encoder_shapes(f"encoder_s{stage}", widths, n_inputs=stage * top)
        weights |= _decoder_shapes(f"decoder_s{stage}", widths)
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in weights.items():
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = shape[1:2] if name.endswith("tconv_1") else shape[:1]
    return shapes


def _encoder_shapes(name: str, widths: Sequence[int], n_inputs: int) -> dict[str, tuple[int, ...]]:
    """Weights of one encoder, without their `.weight`."""
    shapes = _block_shapes(f"{name}.i_block", widths[-1], widths[-1])
    for level, (width, below) in enumerate(pairwise(widths)):
        inputs = n_inputs if level == 0 else width
        shapes |= _block_shapes(f"{name}.eblocks.{level}.i_block", inputs, width)
        shapes[f"{name}.eblocks.{level}.conv2d_2"] = (below, width, 4, 4)
    return shapes


def _decoder_shapes(name: str, widths: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Weights of one decoder; the shortcut is projected only where the width changes."""
    shapes: dict[str, tuple[int, ...]] = {}
    for level, (width, below) in enumerate(pairwise(widths)):
        block = f"{name}.dblocks.{level}"
        shapes |= _block_shapes(f"{block}.i_block", 2 * width, width)
        shapes[f"{block}.tconv_1"] = (below, width, 4, 4)
        if width != below:
            shapes[f"{block}.projection"] = (width, below, 1, 1)
    return shapes


def _block_shapes(name: str, n_inputs: int, width: int) -> dict[str, tuple[int, ...]]:
    """Weights of one densely connected block with its 1×1 shortcut."""
    dense: dict[str, tuple[int, ...]] = {
        f"{name}.tfc.H.{layer}": (width, n_inputs + layer * width, 3, 3) for layer in range(_DENSE_LAYERS)
    }
    return dense | {f"{name}.conv2d_res": (width, n_inputs, 1, 1)}


def _read_network(folder: Path, source: Path) -> tuple[dict[str, "Tensor"], list[int]]:
    """State by torch name, copied out of the files, and the widths of the levels."""
    import numpy as np
    import torch

    arrays = read_bundle(_find_index(folder, source), prefix=_PREFIX)
    found = {_torch_name(key): array for key, array in arrays.items() if key.endswith(_SUFFIX)}
    turned = {name: array.transpose(3, 2, 0, 1) if array.ndim == 4 else array for name, array in found.items()}
    widths = _read_widths(source, {name: array.shape for name, array in turned.items()})
    state = {name: torch.from_numpy(np.array(array, np.float32, order="C")) for name, array in turned.items()}
    return state, widths


def _torch_name(key: str) -> str:
    """`a/b/kernel` of the checkpoint is `a.b.weight` here."""
    path, _, leaf = key.removeprefix(_PREFIX).removesuffix(_SUFFIX).rpartition("/")
    return f"{path}/{'weight' if leaf == 'kernel' else leaf}".replace("/", ".")


def _read_widths(source: Path, shapes: Mapping[str, tuple[int, ...]]) -> list[int]:
    """Channels of the levels, from the blocks' own shortcuts; every other shape must then follow."""
    widths: list[int] = []
    while width := shapes.get(f"encoder_s1.eblocks.{len(widths)}.i_block.conv2d_res.weight"):
        widths.append(width[0])
    bottom = shapes.get("encoder_s1.i_block.conv2d_res.weight")
    if not widths or not bottom:  # missing, or a single number
        raise ModelError(f"{source}: no checkpoint of the two-stage U-Net, it holds {len(shapes)} other variables")
    widths.append(bottom[0])
    expected = two_stage_shapes(widths)
    wrong = sorted(name for name in expected.keys() | shapes.keys() if expected.get(name) != shapes.get(name))
    if wrong:
        shown = ", ".join(f"{name} {shapes.get(name, 'missing')}" for name in wrong[:3])
        raise ModelError(f"{source}: {len(wrong)} variables do not fit a two-stage U-Net of widths {widths}: {shown}")
    return widths


def _find_index(folder: Path, source: Path) -> Path:
    """The one index file below a folder; macOS archives add `._` doubles that are none."""
    found = sorted(path for path in folder.rglob("*.index") if not path.name.startswith("._"))
    if len(found) != 1:
        listed = ", ".join(path.name for path in found) or "none"
        raise ModelError(f"{source}: one checkpoint index (*.index) is needed, found {listed}; use the published zip")
    return found[0]


@contextmanager
def _unpacked(source: Path, scratch: Path) -> Iterator[Path]:
    """The checkpoint as a folder: itself, or an archive unpacked for the while on the target's disk."""
    if os.path.isdir(source):
        yield source
        return
    with disk_errors(scratch):
        temporary = tempfile.TemporaryDirectory(prefix=".unpack-", dir=scratch)
    with temporary as folder:
        try:
            _unpack(source, Path(folder))
        except OSError as error:
            raise ModelError(f"{source}: cannot be unpacked ({error.strerror or error})") from error
        except DAMAGED as error:
            raise ModelError(f"{source}: damaged or no zip archive ({error}); fetch the checkpoint again") from error
        yield Path(folder)


def _unpack(source: Path, folder: Path) -> None:
    """Copy only the index and data members, flat, so that no member can name a place outside."""
    allowance = Allowance(str(source), source.stat().st_size)
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            name = member.filename.replace("\\", "/").rpartition("/")[2]
            if name_fault(name) is None and not name.startswith("._") and (name.endswith(".index") or ".data-" in name):
                with archive.open(member) as packed, (folder / name).open("wb") as file:
                    allowance.copy(packed, file, folder.parent)
