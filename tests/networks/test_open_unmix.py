"""Open-Unmix: published size, parity with sums computed without torch, its first values, and its stems."""

import pytest
import torch

from concertclean.networks.open_unmix import OpenUnmix
from tests.networks.reference_weights import stored, wave

SMALL = {"sample_rate": 1600, "n_fft": 16, "hop_length": 4, "highest_hz": 500.0, "hidden": 4, "recurrent_layers": 2}


def test_published_size():
    """8,893,348 parameters a stem; 1,487 frequencies lie below 16 kHz."""
    with torch.device("meta"):
        model = OpenUnmix()
    assert [sum(p.numel() for p in target.parameters()) for target in model.targets] == 4 * [8_893_348]
    assert model.targets[0].input_mean.numel() == 1487


@torch.no_grad()
def test_equals_plain_sums():
    model = OpenUnmix(**SMALL, instruments=["vocals"]).eval()
    (target,) = model.targets
    paces = {
        "input_mean": 0.21,
        "squeeze.weight": 0.23,
        "join.weight": 0.61,
        "expand.weight": 0.71,
        "output_mean": 0.82,
    }
    plus_one = {"input_scale": 0.22, "output_scale": 0.81}
    for name, pace in (("squeeze_norm", 0.24), ("join_norm", 0.62), ("expand_norm", 0.72)):
        plus_one |= {f"{name}.weight": pace, f"{name}.running_var": pace + 0.15}
        paces |= {f"{name}.bias": pace + 0.05, f"{name}.running_mean": pace + 0.1}
    for layer in range(2):
        for suffix, pace in (("", 0.31), ("_reverse", 0.36)):
            for step, kind in enumerate(("weight_ih", "weight_hh", "bias_ih", "bias_hh")):
                paces[f"lstm.{kind}_l{layer}{suffix}"] = pace + 0.1 * layer + 0.01 * step
    for name, tensor in target.state_dict().items():
        if name in paces or name in plus_one:
            pace = paces.get(name, plus_one.get(name))
            tensor.copy_((name in plus_one) + wave(*tensor.shape, pace=pace))
        else:
            assert name.endswith("num_batches_tracked")
    found = model.rebuilt(1 + wave(1, 2, 9, 5, pace=0.77))
    assert torch.allclose(found[:, 0], stored("open_unmix", "target"), atol=5e-6)


@torch.no_grad()
def test_starts_with_mean_zero_and_spread_one():
    """The public program surveys its training songs first; both channels are averaged."""
    model = OpenUnmix(**SMALL, instruments=["a", "b"])
    waveforms = [0.1 * torch.randn(2, 300, generator=torch.Generator().manual_seed(n)) for n in range(3)]
    model.standardise(waveforms)
    seen = torch.cat([model.magnitude(one).mean(0)[:6] for one in waveforms], dim=1)
    for target in model.targets:
        standard = (seen + target.input_mean[:, None]) * target.input_scale[:, None]
        assert torch.allclose(standard.mean(1), torch.zeros(6), atol=1e-5)
        assert torch.allclose(standard.std(1, correction=0), torch.ones(6), atol=1e-4)
    model.standardise([torch.zeros(2, 300)])
    assert torch.isfinite(model(waveforms[0][None])).all()


@torch.no_grad()
def test_masks_of_one_return_the_mixture_and_every_stem_has_a_network():
    model = OpenUnmix(**SMALL, instruments=["a", "b"]).eval()
    for target, level in zip(model.targets, (1.0, 0.25), strict=True):
        target.output_scale.zero_()
        target.output_mean.fill_(level)
    mixture = torch.randn(1, 2, 333, generator=torch.Generator().manual_seed(0))
    stems = model(mixture)
    assert torch.allclose(stems[:, 0], mixture, atol=1e-5)
    assert torch.allclose(stems[:, 1], 0.25 * mixture, atol=1e-5)


@pytest.mark.parametrize("changes", [{"instruments": []}, {"hidden": 5}])
def test_settings_that_cannot_be(changes):
    with pytest.raises(ValueError, match="must be one or more, and even"):
        OpenUnmix(**SMALL | changes)
