"""Kolmogorov-Arnold convolution: every edge of a convolution kernel carries a learned function, not a weight.

`y_o(p) = Σ_c Σ_q φ_{o,c,q}(x_c(p + q))` with `φ(x) = w_b·SiLU(x) + s·Σ_j c_j·B_j(x)`. The basis functions depend on
the input only, so the whole layer is one pointwise expansion of each input channel into its basis values followed by
one ordinary convolution (exact, not an approximation). The input is padded *before* the expansion, because
`B_j(0) ≠ 0`.

References:
    Bodner, Tepsich, Spolski, Pourteau, Convolutional Kolmogorov-Arnold Networks, 2024 (the summed form).
    Li, Kolmogorov-Arnold networks are radial basis function networks, 2024 (`rbf`).
    Sidharth et al., Chebyshev polynomial-based KAN, 2024 (`chebyshev`).
    Drokin, Kolmogorov-Arnold convolutions: design principles, 2024 (`gram`).
"""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

BasisName = Literal["bspline", "rbf", "chebyshev", "gram"]
_STRIP_ELEMENTS = 2**18  # of an expansion if nothing is kept for a backward pass
BASES: tuple[BasisName, ...] = get_args(BasisName)


def _at_least_float32(inputs: Tensor) -> Tensor:
    """bf16 would leave two digits of a cubed distance."""
    return inputs.float() if inputs.dtype in (torch.bfloat16, torch.float16) else inputs


class Basis(nn.Module):
    """Properties of a basis for the layer that uses it.

    Attributes:
        size: functions with a coefficient each, base function not counted.
        has_base: the first value is a base function with a weight of its own.
        has_scale: the coefficients of an edge share one learned factor.
        first_live: functions before this one are zero for every input and not computed.
    """

    size: int
    has_base: bool = True
    has_scale: bool = False
    first_live: int = 0


class BSplineBasis(Basis):
    """SiLU and the uniform cubic B-splines of a grid, in closed form.

    With `h` the knot distance and `t = |x - c_j| / h`: `B_j = [(2 - t)₊³ - 4(1 - t)₊³] / 6`, which equals the
    Cox-de Boor recursion on a uniform grid. The splines sum to one on the grid and vanish `3h` outside it.

    Args:
        grid_size: intervals of the grid; `grid_size + 3` splines.
        grid_range: lower and upper end of the grid, in units of the input.
        nonnegative_input: the input is never negative (it follows a ReLU). Splines whose support ends at or
            below zero are then identically zero; they are left out, which changes nothing but the cost.
    """

    has_scale = True

    def __init__(self, grid_size: int, grid_range: tuple[float, float], *, nonnegative_input: bool) -> None:
        super().__init__()
        low, high = grid_range
        self.spacing = (high - low) / grid_size
        centres = [low + (j - 1) * self.spacing for j in range(grid_size + 3)]
        self.size = len(centres)
        dead = [centre + 2 * self.spacing <= 1e-9 * self.spacing for centre in centres]
        self.first_live = sum(dead) if nonnegative_input else 0
        self.centres = centres[self.first_live :]

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Values of SiLU and of each live spline, each shaped like `inputs`; computed in float32."""
        scaled = _at_least_float32(inputs) / self.spacing
        values = [F.silu(inputs)]
        for centre in self.centres:
            distance = (scaled - centre / self.spacing).abs()
            outer, inner = F.relu(2 - distance), F.relu(1 - distance)
            values.append(((outer * outer * outer - 4 * inner * inner * inner) / 6).to(inputs.dtype))
        return values


class RBFBasis(Basis):
    """SiLU and Gaussians on a grid, as wide as they are apart (Li 2024).

    Args:
        grid_size: there are `grid_size + 3` Gaussians, as many as the spline basis has splines.
        grid_range: centres of the first and the last Gaussian.
    """

    def __init__(self, grid_size: int, grid_range: tuple[float, float]) -> None:
        super().__init__()
        self.size = grid_size + 3
        low, high = grid_range
        self.spacing = (high - low) / (self.size - 1)
        self.centres = [low + j * self.spacing for j in range(self.size)]

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Values of SiLU and of each Gaussian, each shaped like `inputs`; computed in float32."""
        scaled = _at_least_float32(inputs) / self.spacing
        gaussians = [torch.exp(-((scaled - centre / self.spacing) ** 2)) for centre in self.centres]
        return [F.silu(inputs), *(value.to(inputs.dtype) for value in gaussians)]


class ChebyshevBasis(Basis):
    """Chebyshev polynomials of the first kind, degree 0 to 3, of tanh of the input; no base function."""

    has_base = False
    size = 4

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Values of `T_0` to `T_3`, each shaped like `inputs`."""
        u = torch.tanh(inputs)
        return [torch.ones_like(u), u, 2 * u * u - 1, (4 * u * u - 3) * u]


class GramBasis(Basis):
    """SiLU, and SiLU of the Gram polynomials of degree 0 to 3 of tanh of the input, with learned recursion.

    `P_{n+1} = u·P_n - β_n·b_n·P_{n-1}`, where `b_n` is the coefficient of the discrete Gram polynomials
    and `β_n` is learned.
    """

    size = 4

    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.empty(self.size).normal_(0.0, 1.0 / self.size))

    def _coefficient(self, n: int, m: int) -> Tensor:
        return ((m + n) * (m - n) * n**2) / (m**2 * (4.0 * n**2 - 1.0)) * self.beta[n]

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """Values of SiLU and of the four SiLU-ed polynomials, each shaped like `inputs`."""
        u = torch.tanh(inputs)
        polynomials = [torch.ones_like(u) + 0 * self.beta[0], u]
        for degree in range(2, self.size):
            coefficient = self._coefficient(degree - 1, degree)
            polynomials.append(u * polynomials[-1] - coefficient * polynomials[-2])
        return [F.silu(inputs), *(F.silu(value).to(inputs.dtype) for value in polynomials)]


def make_basis(name: BasisName, grid_size: int, grid_range: tuple[float, float], *, nonnegative_input: bool) -> Basis:
    """Basis module of a name; the grid arguments concern `bspline` and `rbf` only."""
    if name == "bspline":
        return BSplineBasis(grid_size, grid_range, nonnegative_input=nonnegative_input)
    if name == "rbf":
        return RBFBasis(grid_size, grid_range)
    if name == "chebyshev":
        return ChebyshevBasis()
    if name == "gram":
        return GramBasis()
    msg = f"basis={name!r}, expected one of {', '.join(BASES)}"
    raise ValueError(msg)


class _ExpandAndConvolve(Function):
    """`conv2d(cat(basis(x)), weight)` that keeps only `x` for the backward pass and repeats the expansion there.

    The expansion is 5 to 9 times as large as the input; the published layer keeps it, and what autograd needs for it,
    and so needs 16 GB for one training item.
    """

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, basis: nn.Module, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(inputs, weight, *parameters)
        ctx.basis = basis
        return F.conv2d(torch.cat(basis(inputs), dim=1), weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, *parameters = ctx.saved_tensors
        with torch.enable_grad():
            leaf = inputs.detach().requires_grad_()
            expanded = torch.cat(ctx.basis(leaf), dim=1)
        into_expanded, into_weight, _ = torch.ops.aten.convolution_backward(
            gradient,
            expanded.detach(),
            weight,
            None,
            [1, 1],
            [0, 0],
            [1, 1],
            False,
            [0, 0],
            1,
            [True, True, False],
        )
        into_basis = torch.autograd.grad(expanded, (leaf, *parameters), into_expanded)
        return into_basis[0], into_weight, None, *into_basis[1:]


_expand_and_convolve: Callable[..., Tensor] = _ExpandAndConvolve.apply


class KANConv2d(nn.Module):
    """Kolmogorov-Arnold convolution of odd kernel size, stride 1, same size out as in, no bias.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: odd; the input is padded with zeros before the expansion.
        basis: family of the edge functions.
        grid_size: intervals of the spline grid, 5 in the paper.
        grid_range: ends of the spline grid, ±1 in the paper.
        nonnegative_input: the layer follows a ReLU; see `BSplineBasis`.

    References:
        Zhang, KANUNet-ECA, and Bodner et al. 2024, equation of the module docstring; initial values as in the
        reference layer: base and scale Kaiming-uniform with a = √5, spline coefficients of noise ±0.05/grid.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        basis: BasisName = "bspline",
        grid_size: int = 5,
        grid_range: tuple[float, float] = (-1.0, 1.0),
        nonnegative_input: bool = False,
    ) -> None:
        super().__init__()
        self.padding, self.strip_rows = kernel_size // 2, 0
        self.basis = make_basis(basis, grid_size, grid_range, nonnegative_input=nonnegative_input)
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        bound = 1.0 / math.sqrt(in_channels * kernel_size**2)
        spread = 0.05 / grid_size if self.basis.has_scale else bound / math.sqrt(self.basis.size)
        self.base_weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound)) if self.basis.has_base else None
        self.spline_weight = nn.Parameter(torch.empty(self.basis.size, *shape).uniform_(-spread, spread))
        self.scale = nn.Parameter(torch.empty(shape).uniform_(-bound, bound)) if self.basis.has_scale else None

    def fused_weight(self) -> Tensor:
        """Kernel `(out, basis * in, k, k)` of the convolution that follows the expansion."""
        splines = self.spline_weight[self.basis.first_live :]
        if self.scale is not None:
            splines = splines * self.scale
        parts = list(splines) if self.base_weight is None else [self.base_weight, *splines]
        return torch.cat(parts, dim=1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Maps `(batch, in, height, width)` to `(batch, out, height, width)`."""
        device = inputs.device.type
        if torch.is_autocast_enabled(device):
            inputs = inputs.to(torch.get_autocast_dtype(device))
        padded = F.pad(inputs, (self.padding,) * 4)
        # Autocast inside would cast the expansion once more, and would not reach the backward pass.
        with torch.autocast(device, enabled=False):
            weight = self.fused_weight().to(inputs.dtype)
            if not torch.is_grad_enabled():
                return self._in_strips(padded, weight)
            parameters = self.basis.parameters()
            result: Tensor = _expand_and_convolve(padded, weight, self.basis, *parameters)
        return result

    def _in_strips(self, padded: Tensor, weight: Tensor) -> Tensor:
        """The same, a few rows at a time: the expansion stays small and near the processor."""
        height = padded.shape[2] - 2 * self.padding
        expanded_row = padded[:, :, 0].numel() * (weight.shape[1] // padded.shape[1])
        n_rows = self.strip_rows or max(8, _STRIP_ELEMENTS // expanded_row)
        strips = [
            F.conv2d(torch.cat(self.basis(padded[:, :, row : row + n_rows + 2 * self.padding]), dim=1), weight)
            for row in range(0, height, n_rows)
        ]
        return torch.cat(strips, dim=2) if len(strips) > 1 else strips[0]


def fix_strips(network: nn.Module, n_rows: int) -> None:
    """Lets KAN layers expand so many rows at a time, however long they are: a graph for any number of frames has to."""
    for module in network.modules():
        if isinstance(module, KANConv2d):
            module.strip_rows = n_rows


def compile_expansions(network: nn.Module) -> None:
    """Compiles the basis functions of KAN layers, which are most of their time outside the convolution."""
    for module in network.modules():
        basis = getattr(module, "basis", None)
        if isinstance(basis, nn.Module):
            basis.forward = torch.compile(basis.forward, dynamic=True)
