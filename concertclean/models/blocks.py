"""Layers that more than one architecture uses."""

import torch
from torch import Tensor


def compress(spectrogram: Tensor, exponent: float) -> Tensor:
    """Complex spectrogram with its magnitude raised to `exponent`, phase kept; 1 leaves it as it is.

    Music spans 60 dB and more; the power 0.3 brings the quiet partials within the reach of a narrow network.
    """
    if exponent == 1.0:
        return spectrogram
    return spectrogram * spectrogram.abs().clamp_min(1e-7) ** (exponent - 1.0)


def bounded_mask(raw: Tensor, bound: float) -> Tensor:
    """Complex mask from two real planes, its modulus squashed below `bound`, its phase free.

    Args:
        raw: `(..., 2, freq, frame)` real and imaginary part before the squashing.
        bound: largest modulus, > 1 so that "leave it as it is" lies inside.

    Returns:
        `(..., freq, frame)` complex, modulus `bound * tanh(|raw| / bound)`.
    """
    real, imaginary = raw.float().unbind(-3)
    modulus = torch.sqrt(real * real + imaginary * imaginary + 1e-8)
    factor = bound * torch.tanh(modulus / bound) / modulus
    return torch.complex(real * factor, imaginary * factor)
