"""What a network does to the music and to the noise of a mixture, separately.

The estimate of a spectrogram network is its input times a gain, complex where it changes phases. The gain from the
mixture, applied to the music alone and to the noise alone, splits the estimate exactly into what is left of each. This
shows how much music a model removes and how much noise it leaves, which a single ratio cannot.
"""

from typing import TypeGuard

import torch
from torch import Tensor, nn

from concertclean.networks.layers.waveform_model import SpectralModel

_SILENCE = 1e-12


def has_gains(network: nn.Module) -> TypeGuard[SpectralModel]:
    """Whether a network works on one spectrogram, so its gains are accessible."""
    return isinstance(network, SpectralModel)


@torch.inference_mode()
def split(network: SpectralModel, music: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """What is left of the music and of the noise of a mixture; their sum is the network's estimate.

    Args:
        network: in evaluation mode, one for which `has_gains`.
        music: `(batch, channel, time)`, at the network's rate.
        noise: same shape.

    Returns:
        Two waveforms of that shape. If the mixture is silent in a bin, nothing is left of either.
    """
    n_samples = music.shape[-1]
    margin = min(network.context, n_samples - 1)  # mirrored, as at the ends of recordings
    parts = [nn.functional.pad(part, (margin, margin), mode="reflect") for part in (music, noise)]
    spectra = [network.spectrogram(part) for part in parts]
    mixture = spectra[0] + spectra[1]
    estimate = network.stages(mixture)[-1].to(torch.complex64)
    power = mixture.real.square() + mixture.imag.square()
    gain = torch.where(power > _SILENCE**2, estimate * mixture.conj() / power.clamp_min(_SILENCE**2), 0)
    left = [network.waveform(spectrum * gain, n_samples + 2 * margin) for spectrum in spectra]
    return left[0][..., margin : margin + n_samples], left[1][..., margin : margin + n_samples]
