"""Discriminators that a network is trained against: their loss, their optimizer, and their part of a run's state.

A step of the network is taken against the discriminators as they are; they then take theirs on the same estimates.
Everything here is in full precision.

References:
    Li et al., Learning to denoise historical music, ISMIR 2020, section 3: hinge losses, weighted by 0.01 in the
    loss of the network; without them (0) listeners preferred the result.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from concertclean.config.training import AdversarialSettings
from concertclean.networks.layers.spectral_discriminator import SpectralDiscriminators


class Adversary:
    """The discriminators of a run.

    Args:
        settings: their weight is positive.
        device: where the network is trained.
        world_size: number of processes that share each batch.
    """

    def __init__(self, settings: AdversarialSettings, device: torch.device, world_size: int = 1) -> None:
        self._settings, self._world_size = settings, world_size
        self.discriminators = SpectralDiscriminators(
            scales=settings.scales,
            n_fft=settings.n_fft,
            hop_length=settings.hop_length,
            widths=settings.widths,
            code=settings.code,
        ).to(device)
        self.optimizer = torch.optim.Adam(
            self.discriminators.parameters(), lr=settings.learning_rate, betas=settings.betas
        )

    def term(self, estimate: Tensor) -> Tensor:
        """What an estimate `(batch, channel, time)` adds to the loss of the network."""
        self.discriminators.requires_grad_(False)  # their gradients are those of their own step
        with torch.autocast(estimate.device.type, enabled=False):
            return self._settings.weight * generator_hinge(self.discriminators(estimate.float()))

    def step(self, pairs: Sequence[tuple[Tensor, Tensor]], rate: float) -> float | None:
        """Take a step of the discriminators.

        Args:
            pairs: clean waveforms and estimates without gradient, `(batch, channel, time)`, of every batch of the step.
            rate: learning rate over its peak.

        Returns:
            Their loss; None if the gradient was not finite, and nothing changed.
        """
        self.discriminators.requires_grad_(True)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * self._settings.learning_rate
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for clean, estimate in pairs:
            scores = (self.discriminators(waveform.float()) for waveform in (clean, estimate))
            loss = critic_hinge(*scores) / len(pairs)
            torch.autograd.backward(loss)
            total += float(loss.detach())
        if not self._shared_gradient_is_finite():
            return None
        self.optimizer.step()
        return total

    def state(self) -> dict[str, Any]:
        """What `restore` goes on from."""
        return {"discriminators": self.discriminators.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.discriminators.load_state_dict(state["discriminators"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _shared_gradient_is_finite(self) -> bool:
        """Averages the gradients over the processes."""
        gradients = [each.grad for each in self.discriminators.parameters() if each.grad is not None]
        if self._world_size > 1:
            for gradient in gradients:
                torch.distributed.all_reduce(gradient)
                gradient.div_(self._world_size)
        return all(bool(torch.isfinite(gradient).all()) for gradient in gradients)


def critic_hinge(clean: Sequence[Tensor], estimate: Sequence[Tensor]) -> Tensor:
    """Hinge loss of discriminators, `mean max(0, 1 - D(y)) + mean max(0, 1 + D(ŷ))`, mean of the scales.

    Args:
        clean: scores of clean music, a tensor for each scale.
        estimate: scores of estimates, likewise.

    References:
        Li et al., Learning to denoise historical music, ISMIR 2020, section 3.
    """
    scales = zip(clean, estimate, strict=True)
    return torch.stack([F.relu(1 - real).mean() + F.relu(1 + fake).mean() for real, fake in scales]).mean()


def generator_hinge(estimate: Sequence[Tensor]) -> Tensor:
    """Hinge loss of a generator, `mean max(0, 1 - D(ŷ))`, mean of the scales.

    Args:
        estimate: scores of estimates, a tensor for each scale.

    References:
        Li et al., Learning to denoise historical music, ISMIR 2020, section 3.
    """
    return torch.stack([F.relu(1 - fake).mean() for fake in estimate]).mean()
