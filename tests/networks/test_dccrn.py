"""DCCRN: parameters as published, values of an independent computation, what each masking does."""

import json
from pathlib import Path

import pytest
import torch

from concertclean.networks.dccrn import DCCRN
from tests.networks.reference_weights import named_wave

REFERENCE = Path(__file__).parents[1] / "reference"
SMALL = {"n_fft": 16, "win_length": 16, "hop_length": 8, "widths": (4, 6), "rnn_units": 4}


def n_parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("config", "count"),
    [
        ({}, 3_671_053),
        ({"complex_lstm": False}, 4_719_629),
        ({"sample_rate": 22_050, "n_fft": 1024, "win_length": 1024, "hop_length": 256}, 4_327_437),
    ],
)
def test_as_many_parameters_as_published(config, count):
    assert n_parameters(DCCRN(**config)) == count


@pytest.mark.parametrize("masking", ["E", "C", "R"])
@torch.no_grad()
def test_the_whole_network_gives_the_values_of_an_independent_computation(masking):
    network = DCCRN(**SMALL, masking=masking).eval()
    for name, parameter in network.named_parameters():
        if "real" in name or "imaginary" in name:  # not those of the normalisation
            parameter.copy_(named_wave(*parameter.shape, name=name, amplitude=0.25))
    degraded = 4 * torch.complex(
        named_wave(9, 6, name="spectrogram real", amplitude=0.25),
        named_wave(9, 6, name="spectrogram imaginary", amplitude=0.25),
    )
    (estimate,) = network.stages(degraded[None, None])
    real, imaginary = json.loads((REFERENCE / "dccrn.json").read_text())[masking]
    expected = torch.complex(torch.tensor(real), torch.tensor(imaginary))
    assert float((estimate[0, 0] - expected).abs().max()) < 1e-5


@torch.no_grad()
def test_masking_e_only_lowers_and_loses_0_hz():
    torch.manual_seed(0)
    network = DCCRN(**SMALL).eval()
    degraded = torch.randn(1, 1, 9, 40, dtype=torch.complex64)
    (estimate,) = network.stages(degraded)
    assert bool((estimate.abs() <= degraded.abs() * (1 + 1e-6)).all())
    assert float(estimate[:, :, 0].abs().max()) == 0.0


@torch.no_grad()
def test_looks_six_frames_ahead_and_no_further():
    """56 ms at 16 kHz: six frames of 100 samples, less than the 400 samples of the window, of which 44 lie ahead."""
    torch.manual_seed(0)
    network = DCCRN().eval()
    degraded = torch.randn(1, 1, 257, 30, dtype=torch.complex64)
    changed = degraded.clone()
    changed[..., 20:] = 0
    (before,), (after,) = network.stages(degraded), network.stages(changed)
    differs = (before - after).abs().amax(dim=(0, 1, 2)) > 0
    assert differs.tolist() == [False] * 14 + [True] * 16


def test_a_frame_that_cannot_be_halved_so_often_is_refused():
    with pytest.raises(ValueError, match="n_fft=1000, must be divisible by 128 for 6 widths"):
        DCCRN(n_fft=1000)
