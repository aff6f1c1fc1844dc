"""The blocks of the two-stage U-Net: padded convolutions, encoder, decoder, supervised attention.

Parameter names are those of the published checkpoint.

References:
    Moliner and Välimäki, A two-stage U-Net for high-fidelity denoising of historical recordings, ICASSP 2022,
    Fig. 1 and 2; padding as in the authors' published code (MIT licence).
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Padding = Literal["symmetric", "zeros"]


def symmetric_pad(planes: Tensor, before: int, after: int) -> Tensor:
    """Mirrors both spatial axes with the edge included: `b a | a b c | c b` (TensorFlow's SYMMETRIC)."""
    for axis in (-2, -1):
        size = planes.shape[axis]
        head = planes.narrow(axis, 0, before).flip(axis)
        tail = planes.narrow(axis, size - after, after).flip(axis)
        planes = torch.cat([head, planes, tail], dim=axis)
    return planes


class PaddedConv(nn.Conv2d):
    """Convolution with the padding of the published code: the whole kernel minus its stride, larger half first."""

    def __init__(self, n_in: int, n_out: int, kernel_size: int, *, stride: int = 1, padding: Padding) -> None:
        super().__init__(n_in, n_out, kernel_size, stride)
        self.symmetric = padding == "symmetric"
        self.after = (kernel_size - 1) // 2
        self.before = kernel_size - 1 - self.after

    def forward(self, inputs: Tensor) -> Tensor:
        """Maps `(batch, in, frame, freq)` to `(batch, out, ⌈frame / stride⌉, ⌈freq / stride⌉)`."""
        if self.symmetric:
            inputs = symmetric_pad(inputs, self.before, self.after)
        elif self.before != self.after:
            inputs = F.pad(inputs, (self.before, self.after) * 2)
        else:
            return F.conv2d(inputs, self.weight, self.bias, self.stride, self.before)
        return F.conv2d(inputs, self.weight, self.bias, self.stride)


class DenseLayers(nn.Module):
    """Three 3x3 convolutions; the input of each is the newest result, then all earlier ones."""

    def __init__(self, n_in: int, n_out: int, padding: Padding) -> None:
        super().__init__()
        self.H = nn.ModuleList([PaddedConv(n_in + i * n_out, n_out, 3, padding=padding) for i in range(3)])

    def forward(self, inputs: Tensor) -> Tensor:
        """Result of the last layer, `(batch, out, frame, freq)`."""
        seen = inputs
        for layer in self.H:
            newest = F.elu(layer(seen))
            seen = torch.cat([newest, seen], dim=1)
        return newest


class IBlock(nn.Module):
    """Dense layers beside a 1x1 convolution (the intermediate block of the paper)."""

    def __init__(self, n_in: int, n_out: int, padding: Padding) -> None:
        super().__init__()
        self.tfc = DenseLayers(n_in, n_out, padding)
        self.conv2d_res = nn.Conv2d(n_in, n_out, 1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Maps `(batch, in, frame, freq)` to `(batch, out, frame, freq)`."""
        result: Tensor = self.tfc(inputs) + self.conv2d_res(inputs)
        return result


class EncoderBlock(nn.Module):
    """One level down: an I-block, kept for the skip, and a strided convolution."""

    def __init__(self, n_in: int, width: int, n_out: int, padding: Padding) -> None:
        super().__init__()
        self.i_block = IBlock(n_in, width, padding)
        self.conv2d_2 = PaddedConv(width, n_out, 4, stride=2, padding=padding)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The skip at this size and the input of the next level."""
        skip = self.i_block(inputs)
        return skip, F.elu(self.conv2d_2(skip))


class Encoder(nn.Module):
    """The levels down and the I-block at the bottom."""

    def __init__(self, n_in: int, widths: Sequence[int], padding: Padding) -> None:
        super().__init__()
        inputs = [n_in, *widths[1:-1]]
        self.eblocks = nn.ModuleList(
            [EncoderBlock(inputs[i], widths[i], widths[i + 1], padding) for i in range(len(widths) - 1)]
        )
        self.i_block = IBlock(widths[-1], widths[-1], padding)

    def forward(self, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The bottom features and the skips, top level first."""
        skips = []
        hidden = inputs
        for block in self.eblocks:
            skip, hidden = block(hidden)
            skips.append(skip)
        return self.i_block(hidden), skips


class DecoderBlock(nn.Module):
    """One level up: transposed convolution plus a nearest-neighbour shortcut, the skip, an I-block."""

    def __init__(self, n_in: int, width: int, padding: Padding) -> None:
        super().__init__()
        # Published: unpadded, then cropped by one on each side to twice the size; that is padding=1.
        self.tconv_1 = nn.ConvTranspose2d(n_in, width, 4, 2, padding=1)
        self.projection = nn.Conv2d(n_in, width, 1) if n_in != width else None
        self.i_block = IBlock(2 * width, width, padding)

    def forward(self, inputs: Tensor, skip: Tensor) -> Tensor:
        """Maps `(batch, in, frame, freq)` to the size of `skip`."""
        short = inputs if self.projection is None else F.elu(self.projection(inputs))
        up = F.elu(self.tconv_1(inputs)) + F.interpolate(short, scale_factor=2, mode="nearest")
        up = up[..., : skip.shape[-2], : skip.shape[-1]]
        result: Tensor = self.i_block(torch.cat([up, skip], dim=1))
        return result


class Decoder(nn.Module):
    """The levels up; `dblocks[0]` is the topmost."""

    def __init__(self, widths: Sequence[int], padding: Padding) -> None:
        super().__init__()
        self.dblocks = nn.ModuleList([DecoderBlock(widths[i + 1], widths[i], padding) for i in range(len(widths) - 1)])

    def forward(self, hidden: Tensor, skips: list[Tensor]) -> Tensor:
        """Features at full size, `(batch, widths[0], frame, freq)`."""
        for block, skip in zip(reversed(self.dblocks), reversed(skips), strict=True):
            hidden = block(hidden, skip)
        return hidden


class SupervisedAttention(nn.Module):
    """The convolutions of the supervised attention module (Fig. 1); `TwoStageUNet` joins them."""

    conv1: PaddedConv
    conv2: PaddedConv
    conv3: PaddedConv

    def __init__(self, width: int, n_planes: int, padding: Padding, attention_kernel: int = 3) -> None:
        super().__init__()
        self.conv1 = PaddedConv(width, width, 3, padding=padding)
        self.conv2 = PaddedConv(width, n_planes, 3, padding=padding)
        self.conv3 = PaddedConv(n_planes, width, attention_kernel, padding=padding)


class OutputBlock(nn.Module):
    """The last convolution, features to real and imaginary part."""

    def __init__(self, width: int, n_planes: int, padding: Padding) -> None:
        super().__init__()
        self.conv2 = PaddedConv(width, n_planes, 3, padding=padding)
