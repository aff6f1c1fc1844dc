"""How good a network is on mixtures that stay the same."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from concertclean.metrics.sdr import si_sdr, snr


class Mixture(Protocol):
    """A degraded recording and what should come of it: waveforms `(channel, time)`, full scale ±1; ratio inf: clean."""

    @property
    def ratio_db(self) -> float:
        """Of music and noise."""

    @property
    def degraded(self) -> NDArray[np.float32]:
        """What a network gets."""

    @property
    def clean(self) -> NDArray[np.float32]:
        """What it should give."""


class Band(Protocol):
    """What microphones hear and their own stems: waveforms `(microphone, time)`, full scale ±1."""

    @property
    def degraded(self) -> NDArray[np.float32]:
        """What a network gets."""

    @property
    def clean(self) -> NDArray[np.float32]:
        """What should come of it."""


Hear = Callable[[Mixture, NDArray[np.float32]], None]
_WORST_DB = -50.0  # of an estimate that is silent


@torch.inference_mode()
def validate(
    model: nn.Module, mixtures: Iterable[Mixture], device: torch.device, hear: Hear = lambda mixture, estimate: None
) -> dict[str, float]:
    """Mean gain in SI-SDR at each ratio, and SNR of clean music passed through, dB.

    Args:
        model: in evaluation mode on `device`.
        mixtures: to judge it on.
        device: where it is.
        hear: gets every mixture and what came of it, `(channel, time)`.

    Returns:
        By name: "si_sdr_gain at -5 dB", ..., "clean_snr", and "score", their mean over the ratios, which tells which
        weights are best.
    """
    values: dict[float, list[float]] = defaultdict(list)
    for mixture in mixtures:
        degraded = torch.from_numpy(mixture.degraded)[None].to(device)
        estimate = model(degraded)[0, 0].float().cpu().numpy()
        hear(mixture, estimate)
        if mixture.ratio_db == np.inf:
            values[np.inf].append(min(snr(mixture.clean, estimate), 100.0))
        else:
            values[mixture.ratio_db].append(_gain_db(mixture, estimate))
    gains = {ratio: float(np.mean(gain)) for ratio, gain in sorted(values.items()) if ratio != np.inf}
    result = {f"si_sdr_gain at {ratio:g} dB": gain for ratio, gain in gains.items()}
    if np.inf in values:
        result["clean_snr"] = float(np.mean(values[np.inf]))
    return {**result, "score": float(np.mean(list(gains.values())))} if gains else result


@torch.inference_mode()
def validate_bleed(unbled: Callable[[Tensor], Tensor], bands: Iterable[Band], device: torch.device) -> dict[str, float]:
    """Mean gain in SI-SDR of the microphones of bands, dB.

    Args:
        unbled: maps `(1, microphone, time)` to stems of the same shape, on `device`.
        bands: to judge it on, one at least.
        device: where it is.

    Returns:
        "si_sdr_gain", "worst_band" and, the same as the first, "score", which tells which weights are best.
    """
    gains = [
        _gain_db(band, unbled(torch.from_numpy(band.degraded)[None].to(device))[0].float().cpu().numpy())
        for band in bands
    ]
    mean = float(np.mean(gains))
    return {"si_sdr_gain": mean, "worst_band": float(np.min(gains)), "score": mean}


def _gain_db(item: Mixture | Band, estimate: NDArray[np.float32]) -> float:
    """SI-SDR after less before."""
    return max(si_sdr(item.clean, estimate), _WORST_DB) - si_sdr(item.clean, item.degraded)
