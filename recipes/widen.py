"""A network with more channels that says the same: where training goes on when a network has learned its fill.

python recipes/widen.py wide.safetensors runs/gramophone/gramophone.safetensors --widths 16 32 64 96 128
python recipes/widen.py wide.safetensors runs/concert/concert.safetensors --base 16

A two-stage U-Net takes the width of each level, KANUNet-ECA its base width. Channels that are added hear what the
others hear, through first weights drawn at random, and nothing hears them yet: what leads out of them begins at zero,
so training starts from the very estimates of the narrow network. (But for channel attention, whose short convolution
gives the last of the old channels new neighbours.)

References:
    Chen, Goodfellow, Shlens: Net2Net: accelerating learning via knowledge transfer, ICLR 2016 (there the channels that
    are added repeat old ones).
"""

import argparse
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from concertclean.weights.building import build_model
from concertclean.weights.file_format import load_state, read_header, save_weights

_LEVEL = re.compile(r"(eblocks|dblocks)\.(\d+)\.(.*)")
_PAIR = re.compile(r"(encoder|decoder)\.(\d+)\.([01])\.")
_KANUNET_LEVELS = 4


def heard_level(name: str, bottom: int) -> int | None:
    """Level whose channels a convolution takes in, one or several times over; None where it takes planes.

    Args:
        name: of the convolution.
        bottom: number of the lowest level.
    """
    if name in {"conv2d_1", "conv2d_2", "sam_1.conv3"}:
        return None
    found = _LEVEL.search(name)
    if not found:
        return bottom if name.startswith("encoder") else 0
    is_above = found[3] in {"tconv_1", "projection"}  # take what comes up from the level below
    return int(found[2]) + is_above


def grown(
    narrow: Tensor, wide: Tensor, inputs: Sequence[tuple[int, int]], *, in_axis: int = 1, is_mute: bool = True
) -> Tensor:
    """First weights of a wider convolution.

    Args:
        narrow: weights to keep.
        wide: freshly drawn, as many or more channels.
        inputs: channels of each group of inputs, before and after; none: as they are.
        in_axis: of the input channels, 0 or 1.
        is_mute: old outputs do not hear new inputs.

    Returns:
        `wide` with the weights of `narrow` in it, and zeros between old outputs and new inputs if they are mute.
    """
    old, new = narrow.transpose(0, in_axis), wide.clone().transpose(0, in_axis)  # (in, out, …)
    n_outputs = old.shape[1]
    first_old = first_new = 0
    for before, after in inputs or [(len(old), len(old))]:
        end = first_new + before
        new[first_new:end, :n_outputs] = old[first_old : first_old + before]
        if is_mute:
            new[end : first_new + after, :n_outputs] = 0
        first_old, first_new = first_old + before, first_new + after
    return new.transpose(0, in_axis)


def widened_two_stage(
    state: dict[str, Tensor], model: nn.Module, before: list[int], after: list[int]
) -> dict[str, Tensor]:
    """Weights of a wide two-stage U-Net that give the estimates of the narrow one.

    Args:
        state: of the narrow network.
        model: the wide one, freshly made.
        before: widths of the narrow one, from the top level to the bottom.
        after: of the wide one.
    """
    found = model.state_dict()
    for name, module in model.named_modules():
        if not isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            continue
        level = heard_level(name, len(before) - 1)
        in_axis = 0 if isinstance(module, nn.ConvTranspose2d) else 1
        weight, bias = state[f"{name}.weight"].float(), state[f"{name}.bias"].float()
        inputs = [] if level is None else [(before[level], after[level])] * (weight.shape[in_axis] // before[level])
        found[f"{name}.weight"] = grown(weight, found[f"{name}.weight"], inputs, in_axis=in_axis)
        found[f"{name}.bias"][: len(bias)] = bias
    return found


def kanunet_inputs(name: str, before: list[int], after: list[int]) -> list[tuple[int, int]]:
    """Channels of each group of inputs of a convolution of KANUNet-ECA, before and after; none: planes.

    Args:
        name: of the convolution.
        before: widths of the narrow network, from the top level to the bottom.
        after: of the wide one.
    """
    sizes = list(zip(before, after, strict=True))
    if not (found := _PAIR.match(name)):
        return sizes[-1:] if name.startswith("bottom") else sizes[:1]  # else the head
    part, number, second = found[1], int(found[2]), found[3] == "1"
    level = number if part == "encoder" else len(sizes) - 2 - number
    if second:
        return [sizes[level]]
    if part == "decoder":  # what comes up, then what was skipped
        return [sizes[level + 1], sizes[level]]
    return [sizes[level - 1]] if level else []


def widened_kanunet(
    state: dict[str, Tensor], model: nn.Module, before: list[int], after: list[int]
) -> dict[str, Tensor]:
    """Weights of a wide KANUNet-ECA that give the estimates of the narrow one; see `widened_two_stage`."""
    found = model.state_dict()
    for name, wide in found.items():
        narrow = state[name].to(wide.dtype)
        inputs = kanunet_inputs(name, before, after)
        kind = name.rpartition(".")[2]
        if name.startswith("attention"):  # longer for more channels: the old one in its middle
            margin = (wide.shape[-1] - narrow.shape[-1]) // 2
            found[name] = nn.functional.pad(narrow, (margin, margin))
        elif kind == "spline_weight":
            found[name] = torch.stack([grown(*pair, inputs) for pair in zip(narrow, wide, strict=True)])
        elif narrow.ndim == 4:
            # A scale is that of splines which are zero: were it zero too, they would never learn.
            found[name] = grown(narrow, wide, inputs, is_mute=kind != "scale")
        elif narrow.ndim == 1:  # of a normalisation, or the bias of the head
            found[name] = torch.cat([narrow, wide[len(narrow) :]])
        else:
            found[name] = narrow
    return found


def _equal_levels(widths: list[int]) -> list[bool]:
    return [one == other for one, other in pairwise(widths)]


def _widths(config: dict[str, Any]) -> list[int]:
    """Channels of each level, from the top to the bottom."""
    if "widths" in config:
        return list(config["widths"])
    return [config["base"] * 2**level for level in range(_KANUNET_LEVELS)]


def _require_wider_levels(source: Path, before: list[int], widths: list[int]) -> None:
    """SystemExit if a two-stage U-Net cannot grow to these widths."""
    if len(before) != len(widths) or any(old > new for old, new in zip(before, widths, strict=True)):
        raise SystemExit(f"{source}: has widths {before}; give as many, none of them smaller")
    if _equal_levels(before) != _equal_levels(widths):  # between levels as wide as each other there is no projection
        raise SystemExit(f"{source}: has widths {before}; levels that are as wide as the next must stay so, no others")


def _require_wider_base(source: Path, before: int, base: int) -> None:
    """SystemExit if KANUNet-ECA cannot grow to this base width."""
    if before > base:
        raise SystemExit(f"{source}: has base {before}; give one that is not smaller")


_NETWORKS = {  # the setting that says how wide, what it must be, and how weights grow
    "two_stage_unet": ("widths", _require_wider_levels, widened_two_stage),
    "kanunet_eca": ("base", _require_wider_base, widened_kanunet),
}


def widen(out: Path, source: Path, sizes: dict[str, Any]) -> None:
    """Writes the wide network; what the narrow one says about itself stays.

    Args:
        out: weights file to write.
        source: weights file of the narrow one.
        sizes: "widths" of a two-stage U-Net, channels of each level and of the bottom, or "base" of KANUNet-ECA,
            channels of the first level; the other is None.

    Raises:
        SystemExit: the weights are of another network, or of one that is not narrower.
    """
    header = read_header(source)
    if header.architecture not in _NETWORKS:
        raise SystemExit(f"{source}: is a {header.architecture}; only a {' or a '.join(_NETWORKS)} can be widened")
    setting, require_wider, widened = _NETWORKS[header.architecture]
    if sizes[setting] is None:
        raise SystemExit(f"{source}: is a {header.architecture}; give --{setting}")
    require_wider(source, header.config[setting], sizes[setting])
    config = {**header.config, setting: sizes[setting]}
    torch.manual_seed(1)
    model = build_model(header.architecture, config, str(out))
    state = widened(load_state(source), model, _widths(header.config), _widths(config))
    save_weights(out, state, architecture=header.architecture, config=config, provenance=header.provenance)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="weights file to write")
    parser.add_argument("source", type=Path, help="weights file of the narrow network")
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--widths", type=int, nargs="+", help="two-stage U-Net: channels, from the top level down")
    size.add_argument("--base", type=int, help="KANUNet-ECA: channels of the first level")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    widen(arguments.out, arguments.source, {"widths": arguments.widths, "base": arguments.base})


if __name__ == "__main__":
    main()
