"""The learning rate of a step."""

import math

from concertclean.config.training import OptimizerSettings

_LEAST = 1e-3  # of the peak, at the end of a cosine


def learning_rate(settings: OptimizerSettings, step: int, n_steps: int) -> float:
    """Learning rate of a step.

    Args:
        settings: peak, warm-up and schedule.
        step: from 0.
        n_steps: of the whole run.

    Returns:
        Linear rise over the warm-up; then constant, or divided in stairs (Moliner and Välimäki: by ten every 100,000
        steps), or half a cosine down to a thousandth of the peak, or one after the other, down to `cycle_floor` of it
        (Wave-U-Net in PyTorch: two an epoch).
    """
    rise = min(1.0, (step + 1) / settings.warmup) if settings.warmup else 1.0
    if settings.schedule == "constant":
        factor = 1.0
    elif settings.schedule == "step":
        factor = settings.step_factor ** (step // settings.step_every)
    elif settings.schedule == "cycles":
        factor = _falling(settings.cycle_floor, step % settings.cycle_steps / settings.cycle_steps)
    else:
        factor = _falling(_LEAST, step / n_steps)
    return settings.learning_rate * rise * factor


def _falling(least: float, done: float) -> float:
    """Half a cosine from 1 to `least`."""
    return least + (1 - least) * (0.5 + 0.5 * math.cos(math.pi * done))
