"""Band-split LSTM: where it starts, what its groups are, and its size."""

from typing import Any

import pytest
import torch

from concertclean.networks.band_split_lstm import BandSplitLSTM

SMALL: dict[str, Any] = {"n_fft": 256, "hop_length": 64, "bands": 32, "groups": 4, "features": 4, "hidden": 4}


def test_a_fresh_network_leaves_the_recording_nearly_as_it_is() -> None:
    torch.manual_seed(0)
    waveform = 0.1 * torch.randn(1, 2, 20_000)
    with torch.inference_mode():
        estimate = BandSplitLSTM(**SMALL).eval()(waveform)[:, 0]
    ratio = float((estimate * waveform).sum() / waveform.square().sum())
    rest = estimate - ratio * waveform
    assert 0.9 < ratio < 1.0
    assert float(rest.square().sum() / waveform.square().sum()) < 1e-3


def test_parameters_of_the_recipe() -> None:
    # split, place, ten times (norm, LSTM both ways with two biases, output), norm, widening and head
    groups, width, features, hidden, layers = 32, 20, 64, 64, 5
    n_in = 5 * width + 2
    split = groups * (n_in * features + features)
    lstm = 2 * 4 * (hidden * (features + hidden) + 2 * hidden)
    recurrence = 2 * features + lstm + 2 * hidden * features + features
    head = groups * ((features + n_in) * 2 * features + 2 * features + 2 * features * 2 * width + 2 * width)
    expected = split + groups * features + 2 * layers * recurrence + 2 * features + head
    assert sum(p.numel() for p in BandSplitLSTM().parameters()) == expected


@pytest.mark.parametrize("group", range(4))
def test_a_group_scales_its_own_bands_and_no_other(group: int) -> None:
    torch.manual_seed(0)
    network = BandSplitLSTM(**SMALL).eval()
    closed = network.front.band_of_bin.div(8, rounding_mode="floor") == group
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias[group] = -20.0
    degraded = torch.randn(1, 2, 129, 30, dtype=torch.complex64)
    with torch.inference_mode():
        gain = (network.stages(degraded)[0] / degraded).real
    assert float(gain[:, :, closed].max()) < 1e-6
    assert float(gain[:, :, ~closed].min()) > 0.9


def test_groups_must_be_of_one_size() -> None:
    with pytest.raises(ValueError, match="multiple of groups=5"):
        BandSplitLSTM(bands=32, groups=5)
