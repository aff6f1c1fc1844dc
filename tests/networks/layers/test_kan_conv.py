"""KAN convolution: against its defining sum, evaluated slowly and directly, and against finite differences."""

import math

import pytest
import torch
from torch import Tensor, nn

from concertclean.networks.layers.kan_conv import BASES, BSplineBasis, KANConv2d


def cox_de_boor(x: float, index: int, order: int, knots: list[float]) -> float:
    """B-spline by its recursion, one value at a time."""
    if order == 0:
        return float(knots[index] <= x < knots[index + 1])
    left = (x - knots[index]) / (knots[index + order] - knots[index])
    right = (knots[index + order + 1] - x) / (knots[index + order + 1] - knots[index + 1])
    return left * cox_de_boor(x, index, order - 1, knots) + right * cox_de_boor(x, index + 1, order - 1, knots)


def spline_values(x: float, grid_size: int, low: float, high: float) -> list[float]:
    spacing = (high - low) / grid_size
    knots = [low + (i - 3) * spacing for i in range(grid_size + 7)]
    return [cox_de_boor(x, j, 3, knots) for j in range(grid_size + 3)]


@torch.no_grad()
def defining_sum(layer: KANConv2d, inputs: Tensor, grid_size: int, grid: tuple[float, float]) -> Tensor:
    """`y_o(p) = Σ_c Σ_q [w·SiLU(x) + s·Σ_j c_j·B_j(x)]`, term by term, the input padded with zeros."""
    assert layer.base_weight is not None
    assert layer.scale is not None
    out_channels, in_channels, size, _ = layer.base_weight.shape
    margin = size // 2
    padded = nn.functional.pad(inputs, (margin,) * 4)
    _, _, height, width = inputs.shape
    result = torch.zeros(1, out_channels, height, width, dtype=torch.float64)
    for c in range(in_channels):
        for row in range(height + 2 * margin):
            for column in range(width + 2 * margin):
                x = float(padded[0, c, row, column])
                silu = x / (1 + math.exp(-x))
                splines = torch.tensor(spline_values(x, grid_size, *grid), dtype=torch.float64)
                for u in range(size):
                    for v in range(size):
                        i, j = row - u, column - v
                        if 0 <= i < height and 0 <= j < width:
                            spline = (layer.spline_weight[:, :, c, u, v].double().T * splines).sum(1)
                            value = layer.base_weight[:, c, u, v] * silu + layer.scale[:, c, u, v] * spline
                            result[0, :, i, j] += value
    return result


@pytest.mark.parametrize(("grid_size", "grid"), [(5, (-1.0, 1.0)), (3, (0.0, 3.0))])
def test_equals_the_defining_sum(grid_size: int, grid: tuple[float, float]) -> None:
    torch.manual_seed(0)
    layer = KANConv2d(2, 3, grid_size=grid_size, grid_range=grid)
    nn.init.uniform_(layer.spline_weight, -1, 1)
    inputs = 1.5 * torch.randn(1, 2, 5, 4)
    expected = defining_sum(layer, inputs, grid_size, grid)
    # float32 against float64
    assert float((layer(inputs).detach() - expected).abs().max()) < 1e-6


def test_closed_form_splines_sum_to_one_on_the_grid_and_vanish_far_outside() -> None:
    basis = BSplineBasis(5, (-1.0, 1.0), nonnegative_input=False)
    inside = torch.stack(basis(torch.linspace(-1, 1, 101))[1:])
    outside = torch.stack(basis(torch.tensor([-2.3, 2.3]))[1:])
    assert torch.allclose(inside.sum(0), torch.ones(101), atol=1e-6)
    assert float(outside.abs().max()) == 0.0


def test_leaving_out_dead_splines_changes_nothing_behind_a_relu() -> None:
    torch.manual_seed(1)
    whole = KANConv2d(3, 4, nonnegative_input=False)
    pruned = KANConv2d(3, 4, nonnegative_input=True)
    pruned.load_state_dict(whole.state_dict())
    inputs = torch.relu(torch.randn(2, 3, 6, 5))
    assert len(pruned.basis.centres) == len(whole.basis.centres) - 2
    assert torch.allclose(whole(inputs), pruned(inputs), atol=1e-6)


@pytest.mark.parametrize("name", BASES)
def test_gradients_equal_finite_differences(name: str) -> None:
    torch.manual_seed(2)
    layer = KANConv2d(2, 2, basis=name).double()
    inputs = torch.randn(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (inputs,), eps=1e-6, atol=1e-5)
    layer(inputs).square().sum().backward()
    for key, parameter in layer.named_parameters():
        assert parameter.grad is not None, key
        value = parameter.detach().flatten()[0].item()
        slopes = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                parameter.view(-1)[0] = value + step
                slopes.append(float(layer(inputs.detach()).square().sum()))
                parameter.view(-1)[0] = value
        assert (slopes[0] - slopes[1]) / 2e-5 == pytest.approx(float(parameter.grad.flatten()[0]), rel=1e-4, abs=1e-6)


def test_only_the_input_is_kept_for_the_backward_pass() -> None:
    layer = KANConv2d(4, 4)
    inputs = torch.randn(1, 4, 16, 16, requires_grad=True)
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(inputs)
    maps = [tensor for tensor in kept if tensor.ndim == 4 and tensor.shape[0] == 1]
    assert sum(tensor.numel() for tensor in maps) == 4 * 18 * 18  # the padded input; its expansion is 9 times that


@pytest.mark.parametrize(("name", "per_edge"), [("bspline", 10), ("rbf", 9), ("chebyshev", 4), ("gram", 5)])
def test_parameters_an_edge(name: str, per_edge: int) -> None:
    layer = KANConv2d(3, 5, basis=name)
    extra = 4 if name == "gram" else 0  # the recursion's four coefficients
    assert sum(p.numel() for p in layer.parameters()) == per_edge * 3 * 5 * 9 + extra


def test_unknown_basis_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of"):
        KANConv2d(1, 1, basis="fourier")  # type: ignore[arg-type]
