"""Layers that multiply as complex numbers do: the first half of the channels is real, the second imaginary.

With a weight `A + iB` and an input `x + iy`, the output is `(Ax - By) + i(Ay + Bx)`: two real layers A and B, each
applied to both parts.

References:
    Hu et al., DCCRN, Interspeech 2020, equations 1 to 3; initial values as in the authors' code.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_KERNEL = (5, 2)  # frequencies, frames
_STRIDE = (2, 1)
_STD = 0.05  # of fresh convolutions


class ComplexConv2d(nn.Module):
    """Complex convolution that halves the frequencies and looks at one frame before, none ahead.

    Args:
        n_in: channels, both parts together.
        n_out: channels, both parts together.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.real, self.imaginary = (nn.Conv2d(n_in // 2, n_out // 2, _KERNEL, _STRIDE) for _ in range(2))
        self.apply(_initialise)

    def forward(self, planes: Tensor) -> Tensor:
        """Maps `(batch, channel, freq, frame)` to half the frequencies, as many frames."""
        weight = _complex_weight(self.real.weight, self.imaginary.weight)
        padded = F.pad(planes, (_KERNEL[1] - 1, 0, _KERNEL[0] // 2, _KERNEL[0] // 2))
        return F.conv2d(padded, weight, _complex_bias(self.real.bias, self.imaginary.bias), _STRIDE)


class ComplexConvTranspose2d(nn.Module):
    """Complex transposed convolution that doubles the frequencies and looks at one frame ahead, none before.

    Args:
        n_in: channels, both parts together.
        n_out: channels, both parts together.
    """

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.real, self.imaginary = (nn.ConvTranspose2d(n_in // 2, n_out // 2, _KERNEL, _STRIDE) for _ in range(2))
        self.apply(_initialise)

    def forward(self, planes: Tensor) -> Tensor:
        """Maps `(batch, channel, freq, frame)` to twice the frequencies, as many frames; after the last: zeros."""
        # Weights are (in, out, ...): transposed, imaginary inputs change sign for real outputs likewise.
        weight = _complex_weight(self.real.weight.transpose(0, 1), self.imaginary.weight.transpose(0, 1)).transpose(
            0, 1
        )
        bias = _complex_bias(self.real.bias, self.imaginary.bias)
        wide = F.conv_transpose2d(planes, weight, bias, _STRIDE, (_KERNEL[0] // 2, 0), (1, 0))
        return wide[..., 1:]


class ComplexLSTM(nn.Module):
    """Layers of complex LSTMs over the frames, and a complex linear layer back to as many features.

    Args:
        n_features: channels times frequencies, both parts together.
        units: of each LSTM, both parts together.
        n_layers: how many.
    """

    def __init__(self, n_features: int, units: int, n_layers: int) -> None:
        super().__init__()
        sizes = [n_features // 2, *[units // 2] * n_layers]
        self.real, self.imaginary = (
            nn.ModuleList(nn.LSTM(n_in, n_out, batch_first=True) for n_in, n_out in pairwise(sizes)) for _ in range(2)
        )
        self.real_projection, self.imaginary_projection = (nn.Linear(units // 2, n_features // 2) for _ in range(2))

    def forward(self, planes: Tensor) -> Tensor:
        """Maps `(batch, channel, freq, frame)` to the same shape."""
        frames = planes.permute(0, 3, 1, 2)
        half = frames.shape[2] // 2
        real, imaginary = frames[:, :, :half].flatten(2), frames[:, :, half:].flatten(2)
        for first, second in zip(self.real, self.imaginary, strict=True):
            # Both parts at once through each of the two.
            both = torch.cat([real, imaginary])
            (rr, ri), (ir, ii) = (lstm(both)[0].chunk(2) for lstm in (first, second))
            real, imaginary = rr - ii, ri + ir
        parts = self.real_projection(real), self.imaginary_projection(imaginary)
        found = [part.reshape(*frames.shape[:2], half, frames.shape[3]) for part in parts]
        return torch.cat(found, dim=2).permute(0, 2, 3, 1)


def _complex_weight(real: Tensor, imaginary: Tensor) -> Tensor:
    """`(out, in, ...)` of a real layer over both parts, [[A, -B], [B, A]]."""
    return torch.cat([torch.cat([real, -imaginary], dim=1), torch.cat([imaginary, real], dim=1)])


def _complex_bias(real: Tensor | None, imaginary: Tensor | None) -> Tensor | None:
    """Bias of both parts; each is added once by A and once by B."""
    return None if real is None or imaginary is None else torch.cat([real - imaginary, real + imaginary])


def _initialise(module: nn.Module) -> None:
    """Normal weights, zero biases."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=_STD)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
