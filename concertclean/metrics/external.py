"""External listening models, if installed: ViSQOL and Zimtohrli.

Both predict the mean opinion of listeners and are separate packages (Apache-2.0, no download at run time). This module
only adapts them: it handles rate, channels and edge cases, the packages the rest.

*Conventions*: arrays `(channel, time)`, full scale ±1, order (reference, estimate), higher is better. Both work at 48
kHz, after `dsp.resample`. ViSQOL receives the mean of the channels, as in the original program, those inverted in the
reference inverted back. Zimtohrli receives each channel, and the mean of the opinions is returned. Neither detects a
change of polarity: report SNR beside them. Silence and less than a second are not defined (`MetricError`): ViSQOL
gives a silent reference its best grade, and Zimtohrli writes out of bounds below a tenth of a second.

References:
    Chinen, Lim, Skoglund, Gureev, O'Gorman, Hines: ViSQOL v3, QoMEX 2020; package visqol-python, version 3.8.
    Alakuijala, Bruse, Boukortt, Coldenhoff, Cernak: Zimtohrli, arXiv 2509.26133; package zimtohrli, version 0.2.
"""

import importlib
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from concertclean.dsp.downmix import polarities
from concertclean.dsp.resample import resample
from concertclean.errors import ConfigError, MetricError
from concertclean.metrics.pair import Waveform, validate

_RATE = 48_000


def visqol(reference: Waveform, estimate: Waveform, sample_rate: int) -> float:
    """Opinion that ViSQOL's audio mode predicts, of the mean of all channels; 1 to 4.73.

    Args:
        reference: `(channel, time)`.
        estimate: same shape.
        sample_rate: Hz.

    Raises:
        ValueError: see `pair.validate`, or `sample_rate` is not positive.
        MetricError: shorter than a second, or silent.
        ConfigError: the package is not installed.
    """
    validate(reference, estimate)
    signs = polarities(reference)[:, None]
    mixed = [(signs * one).mean(axis=0, keepdims=True, dtype=np.float64) for one in (reference, estimate)]
    truth, found = _prepared(mixed[0], mixed[1], sample_rate)
    api = _installed("visqol", "visqol-python").VisqolApi()
    api.create(mode="audio")
    return float(api.measure_from_arrays(truth[0], found[0], _RATE).moslqo)


def zimtohrli(reference: Waveform, estimate: Waveform, sample_rate: int) -> float:
    """Opinion that Zimtohrli predicts, mean over channels; 1 to 5.

    Args:
        reference: `(channel, time)`.
        estimate: same shape.
        sample_rate: Hz.

    Raises:
        ValueError: see `pair.validate`, or `sample_rate` is not positive.
        MetricError: shorter than a second, or the reference or the estimate is silent.
        ConfigError: the package is not installed.
    """
    validate(reference, estimate)
    truth, found = _prepared(reference, estimate, sample_rate)
    opinion = _installed("zimtohrli", "zimtohrli").mos_from_signals
    pairs = zip(truth.astype(np.float32), found.astype(np.float32), strict=True)
    return float(np.mean([opinion(left, right) for left, right in pairs]))


def _prepared(
    reference: Waveform, estimate: Waveform, sample_rate: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both at 48 kHz, neither silent nor too short."""
    if sample_rate <= 0:
        raise ValueError(f"sample_rate is {sample_rate}, must be positive")
    if reference.shape[1] < sample_rate:
        raise MetricError("shorter than a second: listening models are not defined")
    if not (reference.any() and estimate.any()):
        raise MetricError("the reference or the estimate is silent: listening models are not defined")
    return resample(reference, sample_rate, _RATE), resample(estimate, sample_rate, _RATE)


def _installed(module: str, package: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(f"{module} is not installed; pip install {package}") from error
