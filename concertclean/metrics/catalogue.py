"""Every metric by name, with its scores, and one call that measures several.

Several metrics share one computation (PEAQ and the 2f-model, the ratios of BSS Eval), which is then done once. A score
that is not defined for a recording is None, with a sentence why; it is never NaN.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from concertclean.errors import ConfigError, MetricError
from concertclean.metrics import bss_eval, external, loudness, sdr, spectral, stereo
from concertclean.metrics.multi_mel import multi_mel_snr
from concertclean.metrics.pair import Waveform
from concertclean.metrics.peaq import peaq
from concertclean.metrics.peaq.network import MOV_NAMES
from concertclean.metrics.pemoq_like import pemoq_like
from concertclean.metrics.two_f import two_f

Better = Literal["higher", "lower", "zero"]


@dataclass(frozen=True)
class Score:
    """A number that a metric returns.

    Attributes:
        name: column of a table.
        unit: or "".
        better: whether higher or lower is better; "zero": it is a change, the smallest is best.
    """

    name: str
    unit: str = ""
    better: Better = "higher"


@dataclass(frozen=True)
class Sounds:
    """Input of a metric: waveforms `(channel, time)` of one shape, full scale ±1.

    Attributes:
        reference: the truth.
        estimate: the candidate.
        sample_rate: Hz.
        interference: noisy recording minus reference, or None; required for `sir`.
    """

    reference: Waveform
    estimate: Waveform
    sample_rate: int
    interference: Waveform | None


Found = tuple[Mapping[str, float], Sequence[str]]  # scores by name, and remarks about them
Family = Callable[[Sounds], Found]


@dataclass(frozen=True)
class Metric:
    """A metric by name.

    Attributes:
        title: in a few words.
        scores: that it returns.
        family: computation that returns at least these.
        needs_interference: defined only if the noisy recording is known.
    """

    title: str
    scores: tuple[Score, ...]
    family: Family
    needs_interference: bool = False


def _peaq(sounds: Sounds) -> Found:
    found = peaq(sounds.reference, sounds.estimate, sounds.sample_rate)
    return {"odg": found.odg, "di": found.di, "2f": two_f(found.movs), **found.movs}, found.remarks


def _pemoq_like(sounds: Sounds) -> Found:
    found = pemoq_like(sounds.reference, sounds.estimate, sounds.sample_rate)
    return {"psm": found.psm, "psmt": found.psmt, "pemoq_odg": found.odg}, found.remarks


def _bss_eval(sounds: Sounds) -> Found:
    """Version 4; the interference, if known, is the second source, whose own estimate is not scored."""
    references, estimates = [sounds.reference], [sounds.estimate]
    if sounds.interference is not None and sounds.interference.any():
        references.append(sounds.interference)
        estimates.append(sounds.interference)
    images = bss_eval.images(np.stack(references), np.stack(estimates), sounds.sample_rate)
    remarks = (
        [f"{images.n_silent} of {len(images.is_silent)} seconds are silent and left out"] if images.n_silent else []
    )
    medians = images.median()
    return {name if name != "sdr" else "sdr_v4": float(values[0]) for name, values in medians.items()}, remarks


def _loudness(sounds: Sounds) -> Found:
    waveforms = sounds.reference, sounds.estimate
    return {
        "lufs": loudness.loudness_change(*waveforms, sounds.sample_rate),
        "lra": loudness.loudness_range_change(*waveforms, sounds.sample_rate),
        "true_peak": loudness.true_peak_change(*waveforms),
    }, ()


def _stereo(sounds: Sounds) -> Found:
    waveforms = sounds.reference, sounds.estimate
    return {
        "mid_side": stereo.mid_side_change(*waveforms),
        "balance": stereo.balance_change(*waveforms),
        "correlation": stereo.correlation_change(*waveforms),
    }, ()


def _plain(name: str, function: Callable[[Waveform, Waveform], float]) -> Family:
    """A metric of two waveforms."""
    return lambda sounds: ({name: function(sounds.reference, sounds.estimate)}, ())


def _rated(name: str, function: Callable[[Waveform, Waveform, int], float]) -> Family:
    """A metric that needs the rate."""
    return lambda sounds: ({name: function(sounds.reference, sounds.estimate, sounds.sample_rate)}, ())


# Of the eleven, two are bandwidths and one is a level that goes below 0 dB; the rest are distances.
_MOVS: Mapping[str, Better] = {"BandwidthRefB": "higher", "BandwidthTestB": "higher", "TotalNMRB": "lower"}

METRICS: dict[str, Metric] = {
    "snr": Metric("signal-to-noise ratio", (Score("snr", "dB"),), _plain("snr", sdr.snr)),
    "segsnr": Metric("segmental SNR", (Score("segsnr", "dB"),), _plain("segsnr", sdr.segmental_snr)),
    "sisdr": Metric("scale-invariant SDR", (Score("sisdr", "dB"),), _plain("sisdr", sdr.si_sdr)),
    "sdr": Metric("SDR of BSS Eval 3, 512 taps", (Score("sdr", "dB"),), _plain("sdr", bss_eval.sdr)),
    "sdr_v4": Metric("SDR of BSS Eval 4, median of seconds", (Score("sdr_v4", "dB"),), _bss_eval),
    "isr": Metric("image to spatial distortion, BSS Eval 4", (Score("isr", "dB"),), _bss_eval),
    "sir": Metric(
        "signal to interference, BSS Eval 4; needs the noisy recording", (Score("sir", "dB"),), _bss_eval, True
    ),
    "sar": Metric("signal to artifacts, BSS Eval 4", (Score("sar", "dB"),), _bss_eval),
    "peaq": Metric("perceived quality, ITU-R BS.1387 basic", (Score("odg"), Score("di")), _peaq),
    "movs": Metric(
        "the eleven variables of PEAQ", tuple(Score(name, better=_MOVS.get(name, "zero")) for name in MOV_NAMES), _peaq
    ),
    "2f": Metric("mean MUSHRA score of the 2f-model", (Score("2f"),), _peaq),
    "pemoq_like": Metric(
        "similarity in an auditory model, in the manner of PEMO-Q",
        (Score("psm"), Score("psmt"), Score("pemoq_odg")),
        _pemoq_like,
    ),
    "lsd": Metric(
        "log-spectral distance", (Score("lsd", "dB", "lower"),), _plain("lsd", spectral.log_spectral_distance)
    ),
    "mrstft": Metric(
        "multi-resolution STFT distance",
        (Score("mrstft", "", "lower"),),
        _plain("mrstft", spectral.multi_resolution_stft),
    ),
    "mmsnr": Metric("multi-mel-SNR of the MSR challenge", (Score("mmsnr", "dB"),), _rated("mmsnr", multi_mel_snr)),
    "loudness": Metric(
        "change of loudness, loudness range, true peak",
        (Score("lufs", "LU", "zero"), Score("lra", "LU", "zero"), Score("true_peak", "dB", "zero")),
        _loudness,
    ),
    "stereo": Metric(
        "change of the stereo image",
        (Score("mid_side", "dB", "zero"), Score("balance", "dB", "zero"), Score("correlation", "", "zero")),
        _stereo,
    ),
    "visqol": Metric("ViSQOL, if installed", (Score("visqol"),), _rated("visqol", external.visqol)),
    "zimtohrli": Metric("Zimtohrli, if installed", (Score("zimtohrli"),), _rated("zimtohrli", external.zimtohrli)),
}


def scores_of(names: Iterable[str]) -> list[Score]:
    """The scores that metrics return, in order.

    Raises:
        ConfigError: a name is unknown.
    """
    return [score for name in names for score in _metric(name).scores]


def measure(
    names: Collection[str],
    reference: Waveform,
    estimate: Waveform,
    sample_rate: int,
    interference: Waveform | None = None,
) -> tuple[dict[str, float | None], list[str]]:
    """Scores of an estimate.

    Args:
        names: of metrics.
        reference: `(channel, time)`, full scale ±1.
        estimate: same shape.
        sample_rate: Hz.
        interference: noisy recording minus reference, or None.

    Returns:
        Scores by name, None if one is not defined, and remarks: why not, and what else matters.

    Raises:
        ConfigError: a metric is unknown, or its package is not installed.
        ValueError: shapes differ.
    """
    sounds = Sounds(reference, estimate, sample_rate, interference)
    done: dict[Family, Mapping[str, float]] = {}
    scores: dict[str, float | None] = {}
    remarks: list[str] = []
    for name in names:
        metric = _metric(name)
        if metric.needs_interference and interference is None:
            remarks.append(f"{name}: needs the noisy recording as well")
            scores |= dict.fromkeys((score.name for score in metric.scores), None)
            continue
        if metric.family not in done:
            done[metric.family], told = _found(metric.family, sounds)
            remarks += [f"{name}: {remark}" for remark in told]
        scores |= {score.name: done[metric.family].get(score.name) for score in metric.scores}
    return scores, remarks


def measure_scores(
    reference: Waveform,
    estimate: Waveform,
    sample_rate: int,
    metrics: Collection[str] = ("snr", "sisdr", "sdr"),
    *,
    noisy: Waveform | None = None,
) -> dict[str, float | None]:
    """Scores of an estimate against the truth.

    Args:
        reference: the true waveform, `(channel, time)`, full scale ±1.
        estimate: same shape.
        sample_rate: Hz.
        metrics: keys of `METRICS`; `concertclean eval` can list them.
        noisy: what the estimate was made from, for metrics that need it.

    Returns:
        Scores by name, None if one is not defined, for example for silence.

    Raises:
        ConfigError: a metric is unknown, or its package is not installed.
        ValueError: shapes differ.
    """
    return measure(metrics, reference, estimate, sample_rate, None if noisy is None else noisy - reference)[0]


def _found(family: Family, sounds: Sounds) -> Found:
    """The result of a computation; empty, with the reason, if it is not defined."""
    try:
        return family(sounds)
    except MetricError as error:
        return {}, [str(error)]


def _metric(name: str) -> Metric:
    if name not in METRICS:
        raise ConfigError(f"{name}: unknown metric; choose from {', '.join(METRICS)}")
    return METRICS[name]
