"""A two-stage U-Net with more channels that says the same: where training goes on when a network has learned its fill.

python recipes/widen.py wide.safetensors runs/gramophone/gramophone.safetensors --widths 16 32 64 96 128

Channels that are added hear what the others hear, through first weights drawn at random, and nothing hears them yet:
what leads out of them begins at zero, so training starts from the very estimates of the narrow network.

References:
    Chen, Goodfellow, Shlens: Net2Net: accelerating learning via knowledge transfer, ICLR 2016 (there the channels that
    are added repeat old ones).
"""

import argparse
import re
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from concertclean.models.registry import build_model
from concertclean.models.weights_file import load_state, read_header, save_weights

_LEVEL = re.compile(r"(eblocks|dblocks)\.(\d+)\.(.*)")


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


def grown(narrow: Tensor, wide: Tensor, inputs: tuple[int, int] | None, *, in_axis: int) -> Tensor:
    """First weights of a wider convolution.

    Args:
        narrow: weights to keep.
        wide: freshly drawn, as many or more channels.
        inputs: channels of one group of inputs, before and after; None: as they are.
        in_axis: of the input channels, 0 or 1.

    Returns:
        `wide` with the weights of `narrow` in it, and zeros between old outputs and new inputs.
    """
    old, new = narrow.transpose(0, in_axis), wide.clone().transpose(0, in_axis)  # (in, out, …)
    n_outputs = old.shape[1]
    before, after = inputs or (len(old), len(old))
    for group in range(len(old) // before):
        first = group * after
        new[first : first + before, :n_outputs] = old[group * before : (group + 1) * before]
        new[first + before : first + after, :n_outputs] = 0
    return new.transpose(0, in_axis)


def widened(state: dict[str, Tensor], model: nn.Module, before: list[int], after: list[int]) -> dict[str, Tensor]:
    """Weights of the wide network that give the estimates of the narrow one.

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
        inputs = None if level is None else (before[level], after[level])
        in_axis = 0 if isinstance(module, nn.ConvTranspose2d) else 1
        weight, bias = state[f"{name}.weight"].float(), state[f"{name}.bias"].float()
        found[f"{name}.weight"] = grown(weight, found[f"{name}.weight"], inputs, in_axis=in_axis)
        found[f"{name}.bias"][: len(bias)] = bias
    return found


def _equal_levels(widths: list[int]) -> list[bool]:
    return [one == other for one, other in pairwise(widths)]


def widen(out: Path, source: Path, widths: list[int]) -> None:
    """Writes the wide network; what the narrow one says about itself stays.

    Args:
        out: weights file to write.
        source: weights file of the narrow one.
        widths: channels of each level and of the bottom.

    Raises:
        SystemExit: the weights are of another network, or of one that is not narrower.
    """
    header = read_header(source)
    if header.architecture != "two_stage_unet":
        raise SystemExit(f"{source}: is a {header.architecture}; only a two_stage_unet can be widened")
    before = list(header.config["widths"])
    if len(before) != len(widths) or any(old > new for old, new in zip(before, widths, strict=True)):
        raise SystemExit(f"{source}: has widths {before}; give as many, none of them smaller")
    if _equal_levels(before) != _equal_levels(widths):  # between levels as wide as each other there is no projection
        raise SystemExit(f"{source}: has widths {before}; levels that are as wide as the next must stay so, no others")
    torch.manual_seed(1)
    config = {**header.config, "widths": widths}
    model = build_model(header.architecture, config, str(out))
    state = widened(load_state(source), model, before, widths)
    save_weights(out, state, architecture=header.architecture, config=config, provenance=header.provenance)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="weights file to write")
    parser.add_argument("source", type=Path, help="weights file of the narrow network")
    parser.add_argument("--widths", type=int, nargs="+", required=True, help="channels, from the top level down")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    widen(arguments.out, arguments.source, arguments.widths)


if __name__ == "__main__":
    main()
