"""Two-stage U-Net: size and names of the published network, its layers against values computed without torch."""

import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from concertclean.config.training import read_recipe
from concertclean.networks.layers.two_stage_blocks import DecoderBlock, IBlock, PaddedConv, symmetric_pad
from concertclean.networks.two_stage_unet import TwoStageUNet

REFERENCE = Path(__file__).parents[1] / "reference"


def wave(*shape: int, pace: float) -> Tensor:
    """The numbers of tests/reference/make_two_stage_layers.py."""
    return torch.from_numpy(0.5 * np.sin(pace * (1 + np.arange(math.prod(shape))))).reshape(shape).float()


def stored(name: str) -> Tensor:
    entry = json.loads((REFERENCE / "two_stage_layers.json").read_text())[name]
    return torch.tensor(entry["values"]).reshape(1, *entry["shape"])


def fill(convolution: nn.Module, pace: float, bias_pace: float) -> None:
    with torch.no_grad():
        convolution.weight.copy_(wave(*convolution.weight.shape, pace=pace))
        convolution.bias.copy_(wave(*convolution.bias.shape, pace=bias_pace))


def fill_i_block(block: IBlock, pace: float) -> None:
    for i, layer in enumerate(block.tfc.H):
        fill(layer, pace + 0.1 * i, pace + 0.05)
    fill(block.conv2d_res, pace + 0.3, pace + 0.05)


@pytest.mark.parametrize(("name", "size", "stride", "pace"), [("conv7", 7, 1, 0.31), ("conv4_stride2", 4, 2, 0.37)])
def test_padded_convolution_equals_the_plain_sum(name: str, size: int, stride: int, pace: float) -> None:
    layer = PaddedConv(2, 3, size, stride=stride, padding="symmetric")
    fill(layer, pace, 0.4)
    assert torch.allclose(layer(wave(1, 2, 7, 9, pace=0.7)), stored(name), atol=2e-6)


def test_i_block_equals_the_plain_sum() -> None:
    block = IBlock(2, 3, "symmetric")
    fill_i_block(block, 0.43)
    assert torch.allclose(block(wave(1, 2, 7, 9, pace=0.7)), stored("i_block"), atol=1e-5)


def test_decoder_block_equals_the_plain_sum() -> None:
    block = DecoderBlock(4, 3, "symmetric")
    fill(block.tconv_1, 0.53, 0.58)
    fill(block.projection, 0.73, 0.58)
    fill_i_block(block.i_block, 1.03)
    result = block(wave(1, 4, 4, 5, pace=0.9), wave(1, 3, 7, 9, pace=0.8))
    assert torch.allclose(result, stored("decoder_block"), atol=2e-5)


def test_symmetric_padding_repeats_the_edge() -> None:
    padded = symmetric_pad(torch.arange(9.0).reshape(1, 1, 3, 3), 2, 1)
    assert torch.equal(padded[0, 0, :, 2], torch.tensor([3.0, 0.0, 0.0, 3.0, 6.0, 6.0]))


@pytest.mark.parametrize(
    ("depth", "widths", "kernel", "size"),
    [
        (6, (32, 64, 64, 128, 128, 256, 512), 3, 71_408_196),
        (4, (32, 64, 64, 128, 128), 3, 10_938_948),
        (4, (32, 64, 64, 128, 128), 1, 10_938_436),
    ],
)
def test_published_sizes(depth: int, widths: tuple[int, ...], kernel: int, size: int) -> None:
    with torch.device("meta"):
        model = TwoStageUNet(depth=depth, widths=widths, attention_kernel=kernel)
    assert sum(p.numel() for p in model.parameters()) == size


def test_the_paper_recipe_builds_the_network_of_the_paper() -> None:
    """10,938,436 parameters, of which every weight is drawn from a normal of std 0.05, truncated at twice that.

    A normal truncated at 2 has a standard deviation of 0.8796.
    """
    recipe = read_recipe(Path(__file__).parents[2] / "recipes" / "paper" / "two-stage.toml", [])
    torch.manual_seed(0)
    model = TwoStageUNet(**recipe.network.config)
    assert sum(p.numel() for p in model.parameters()) == 10_938_436
    weights = [value.detach() for name, value in model.named_parameters() if name.endswith("weight")]
    assert max(float(weight.abs().max()) for weight in weights) <= 0.1
    deep, shallow = (layer.weight.detach() for layer in (model.encoder_s1.i_block.tfc.H[2], model.conv2d_1))
    for weight in (deep, shallow):
        assert float(weight.std()) == pytest.approx(0.8796 * 0.05, rel=0.02)
    assert not any(value.any() for name, value in model.named_parameters() if name.endswith("bias"))


def test_parameter_names_are_those_of_the_published_checkpoint() -> None:
    with gzip.open(REFERENCE / "two_stage_tf_keys.tsv.gz", "rt") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if not line.startswith(("#", "tf_checkpoint_key"))]
    expected = {row[2]: row[3] for row in rows}
    with torch.device("meta"):
        model = TwoStageUNet()
    assert {name: str(list(value.shape)) for name, value in model.state_dict().items()} == expected


def test_embeddings_are_float32_cosines() -> None:
    model = TwoStageUNet(depth=1, widths=(2, 2))
    assert model.embeddings.dtype == torch.float32
    assert float(model.embeddings[0, 0, 512]) == pytest.approx(math.cos(math.pi / 2), abs=1e-6)
    assert float(model.embeddings[3, 0, 100]) == pytest.approx(math.cos(8 * math.pi * 100 / 1024), abs=1e-5)


def test_mapping_network_sees_the_unscaled_spectrogram() -> None:
    """With every convolution silenced but the residual of stage one, the first estimate is the input."""
    model = TwoStageUNet(n_fft=256, hop_length=64, depth=2, widths=(2, 2, 2)).eval()
    nn.init.zeros_(model.sam_1.conv2.weight)
    spectrogram = torch.randn(1, 1, 129, 40, dtype=torch.complex64)
    first, second = model.stages(spectrogram)
    assert torch.allclose(first, spectrogram, atol=1e-6)
    assert second.shape == spectrogram.shape


def test_wrong_number_of_widths_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 5"):
        TwoStageUNet(depth=4, widths=(8, 8))
