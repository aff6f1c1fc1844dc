"""The eleven model output variables: averages over frames and channels.

Nine are averaged over the channels at the end. Detection uses both ears together: MFPDB and ADBB take, band by band,
the channel in which the error is easier to notice.

References:
    ITU-R BS.1387-1 (2001), Annex 2, sections 4 and 5.
    Kabal 2003, section 5. Empty averages are 0, where GstPEAQ gives NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.arrays import Array
from concertclean.metrics.peaq.channel import Channel
from concertclean.metrics.peaq.gating import audible_frames, settled
from concertclean.metrics.peaq.network import MOV_NAMES

_DISTURBED = 10**0.15  # noise 1.5 dB above the mask
_WINDOW = 4  # frames, 85 ms
_FORGETTING = 0.9


@dataclass(frozen=True)
class Gates:
    """The frames for each average, the same for all channels.

    Attributes:
        music: all frames from the first to the last with music.
        late: those in which the envelopes have settled.
        audible: those in which both sides of the pair have been audible for a moment.
        energetic: those in which the error can have a structure, `(frame,)`.
    """

    music: slice
    late: slice
    audible: slice
    energetic: NDArray[np.bool_]


def model_output(channels: Sequence[Channel], music: range) -> dict[str, float]:
    """The variables by their names in the standard.

    Args:
        channels: one or two, of equally many frames.
        music: the frames to average over, at least four of them settled.
    """
    gates = _gates(channels, music)
    of_channels = [channel_output(channel, gates) for channel in channels]
    values = {name: float(np.mean([output[name] for output in of_channels])) for name in of_channels[0]}
    probability = 1 - np.prod(1 - np.max([channel.probability for channel in channels], axis=0)[gates.music], axis=1)
    steps = np.max([channel.steps for channel in channels], axis=0)[gates.music].sum(axis=1)
    values["ADBB"] = average_distorted_block(probability, steps)
    values["MFPDB"] = highest_filtered(probability)
    return {name: values[name] for name in MOV_NAMES}


def _gates(channels: Sequence[Channel], music: range) -> Gates:
    """The gates of a recording, from the frames with music and from both channels."""
    audible = audible_frames(music, np.any([channel.is_audible for channel in channels], axis=0))
    return Gates(
        music=_slice(music),
        late=_slice(settled(music)),
        audible=_slice(audible),
        energetic=np.any([channel.is_energetic for channel in channels], axis=0),
    )


def _slice(frames: range) -> slice:
    return slice(frames.start, max(frames.start, frames.stop))


def channel_output(channel: Channel, gates: Gates) -> dict[str, float]:
    """The nine variables of each channel, by name."""
    music, late = gates.music, gates.late
    is_wide = channel.reference_bandwidth[music] > 0
    noise_to_mask = channel.noise_to_mask[music]
    weight = channel.modulation_weight[late]
    return {
        "BandwidthRefB": mean_where(channel.reference_bandwidth[music], is_wide),
        "BandwidthTestB": mean_where(channel.estimate_bandwidth[music], is_wide),
        "TotalNMRB": float(10 * np.log10(noise_to_mask.mean())),
        "WinModDiff1B": windowed_mean(channel.modulation_difference[late]),
        "EHSB": 1000 * mean_where(channel.harmonics[music], gates.energetic[music]),
        "AvgModDiff1B": float(np.average(channel.modulation_difference[late], weights=weight)),
        "AvgModDiff2B": float(np.average(channel.modulation_gain[late], weights=weight)),
        "RmsNoiseLoudB": root_mean_square(channel.noise_loudness[gates.audible]),
        "RelDistFramesB": float((noise_to_mask.max(axis=1) > _DISTURBED).mean()),
    }


def mean_where(values: NDArray[np.float64] | NDArray[np.int64], is_counted: NDArray[np.bool_]) -> float:
    """Mean of the counted values, 0 where there are none; `(frame,)` each."""
    return float(np.mean(values[is_counted])) if is_counted.any() else 0.0


def root_mean_square(values: Array) -> float:
    """Root of the mean square, 0 of nothing; `(frame,)`."""
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0


def windowed_mean(values: Array) -> float:
    """Mean over windows of four frames that gives short bursts more weight, `(frame,)`, at least four of them."""
    windows = np.lib.stride_tricks.sliding_window_view(np.sqrt(values), _WINDOW)
    return float(np.sqrt(np.mean(windows.mean(axis=1) ** 4)))


def average_distorted_block(probability: Array, steps: Array) -> float:
    """Log of the mean number of noticeable steps in the frames whose error is more likely noticed than not.

    Args:
        probability: of noticing the error with both ears, `(frame,)`.
        steps: noticeable steps, `(frame,)`.

    Returns:
        The log; 0 where no error is noticed, -0.5 where the noticed ones have no whole step.
    """
    is_distorted = probability > 0.5
    total = float(steps[is_distorted].sum())
    if not is_distorted.any():
        return 0.0
    return float(np.log10(total / is_distorted.sum())) if total > 0 else -0.5


def highest_filtered(probability: Array) -> float:
    """Highest value of the running mean of the probability of detection, `(frame,)`, 0 to 1."""
    level, highest = 0.0, 0.0
    for value in probability:
        level = _FORGETTING * level + (1 - _FORGETTING) * float(value)
        highest = max(highest, level)
    return highest
