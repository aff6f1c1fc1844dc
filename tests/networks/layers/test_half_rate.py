"""Half and twice the sample rate: tones stay, and training can follow use in one process."""

import pytest
import torch

from concertclean.networks.layers import half_rate


@pytest.mark.parametrize("n_samples", [2000, 2001])
def test_a_tone_that_both_rates_hold_comes_back(n_samples: int) -> None:
    tone = torch.sin(2 * torch.pi * 0.03 * torch.arange(n_samples, dtype=torch.float32))[None, None]
    low = half_rate.halved(tone)
    assert low.shape[-1] == (n_samples + 1) // 2
    back = half_rate.doubled(low, n_samples)
    inner = slice(2 * half_rate.MARGIN, -2 * half_rate.MARGIN)
    assert torch.allclose(back[..., inner], tone[..., inner], atol=2e-4)


def test_the_filter_can_be_trained_through_after_it_was_used() -> None:
    """It is kept from its first use, which may be one without gradients."""
    half_rate._taps.cache_clear()
    with torch.inference_mode():
        half_rate.halved(torch.zeros(1, 1, 100))
    waveform = torch.zeros(1, 1, 100, requires_grad=True)
    half_rate.halved(waveform).sum().backward()
    assert waveform.grad is not None
    assert float(waveform.grad.abs().max()) > 0
