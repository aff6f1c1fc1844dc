"""KAMIR: reduces bleed with rooms and delays by repeated Wiener filtering of the close microphones.

In the model of `power_model`, each stem's power is what the present Wiener gain leaves of its close microphone,
optionally smoothed by a median over neighbouring frames. This step sharpens the gains and minimises nothing: it may
raise the cost. An update of the levels never does.

References:
    Prätzlich, Bittner, Liutkus, Müller: Kernel additive modeling for interference reduction in multi-channel music
    recordings, ICASSP 2015.
"""

from torch import Tensor
from torch.nn import functional as F

from concertclean.bleed.power_model import FLOOR, Levels, Settings, Update, apply, bleed_shares, learn
from concertclean.dsp.arrays import Array, Blocks


def learn_kamir(waveform: Array, sample_rate: int, settings: Settings | None = None) -> Levels:
    """Levels of a recording, or of an excerpt of it.

    Args:
        waveform: `(microphone, time)`, full scale ±1.
        sample_rate: Hz.
        settings: see there.

    Raises:
        ValueError: see `microphones.validate`.
    """
    settings = settings or Settings()
    return learn(waveform, sample_rate, settings, update=_updating(settings))


def apply_kamir(blocks: Blocks, found: Levels) -> Blocks:
    """The stems of a recording in blocks; the result does not depend on how it is cut.

    Args:
        blocks: `(microphone, time)` in order.
        found: by `learn_kamir`.

    Yields:
        `(stem, time)`, together as long as the blocks.
    """
    context = found.settings.median_frames // 2 * found.settings.power_updates
    yield from apply(blocks, found, update=_updating(found.settings), context_frames=context)


def power_step(observed: Tensor, levels: Tensor, powers: Tensor, median_frames: int = 1, alpha: float = 2.0) -> Tensor:
    """Powers of the stems that Wiener gains leave of the close microphones.

    Args:
        observed: V `(freq, microphone, frame)`.
        levels: λ `(freq, microphone, stem)`.
        powers: p `(freq, stem, frame)`.
        median_frames: smoothed over, odd.
        alpha: exponent of the magnitude in V; a gain of amplitudes changes V by its power alpha.

    Returns:
        p, same shape.
    """
    own = levels.diagonal(dim1=1, dim2=2)[:, :, None]
    gains = 1 - bleed_shares(levels, powers)
    result = gains**alpha * observed / own.clamp_min(FLOOR)
    if median_frames > 1:
        half = median_frames // 2
        padded = F.pad(result, (half, half))
        result = padded.unfold(2, median_frames, 1).median(dim=3).values
    return result


def _updating(settings: Settings) -> Update:
    def update(observed: Tensor, levels: Tensor, powers: Tensor) -> Tensor:
        return power_step(observed, levels, powers, settings.median_frames, settings.alpha)

    return update
