"""Scores of one recording: a pair of files, or a mixture of a dataset with several methods."""

import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from concertclean.dataset.fixed import FixedFiles, read_waveform
from concertclean.dsp.arrays import Array
from concertclean.errors import ConcertCleanError, foreseen
from concertclean.evaluate import methods
from concertclean.evaluate.methods import Method
from concertclean.evaluate.pairs import PairFiles, read_pair
from concertclean.metrics.catalogue import measure
from concertclean.metrics.parts import music_lost_db, noise_left_db

Values = dict[str, float | None]


@dataclass(frozen=True)
class Scored:
    """The scores of one recording with one method.

    Attributes:
        name: of the recording.
        method: model or tool; "" if files are compared.
        kind: of noise, or "".
        ratio_db: of the mixture, inf for clean music; None if files are compared.
        scores: by name; inf for an identical estimate, None if a metric is not defined.
        gains: score minus that of the noisy recording; empty if there is none.
        remarks: to read beside the numbers.
        seconds: of the recording.
        elapsed_seconds: of the method.
        is_sung: whether there is singing in it.
        music_lost_db: see `metrics.parts`; None unless it is a mixture of known music and noise.
        noise_left_db: likewise.
    """

    name: str
    method: str
    kind: str
    ratio_db: float | None
    scores: Values
    gains: Values
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0
    elapsed_seconds: float = 0.0
    is_sung: bool = False
    music_lost_db: float | None = None
    noise_left_db: float | None = None


@dataclass(frozen=True)
class Request:
    """What to measure, and with which methods.

    Attributes:
        metrics: names of `METRICS`.
        models: names of cards, or weights files.
        baselines: names as in `baseline_names`.
        downmix: compare the mean of the channels.
        device: for the models.
        threads: CPU cores a model may use; 0: all.
        offline: never use the network.
    """

    metrics: tuple[str, ...]
    models: tuple[str, ...] = ()
    baselines: tuple[str, ...] = ()
    downmix: bool = False
    device: str = "auto"
    threads: int = 0
    offline: bool = False


def score_files(files: PairFiles, request: Request) -> Scored | ConcertCleanError:
    """Scores of an estimate on disk, or the error that prevents them."""
    try:
        with foreseen(files.name):
            return _scored(files, request)
    except ConcertCleanError as error:
        return error


def _scored(files: PairFiles, request: Request) -> Scored:
    pair = read_pair(files, downmix=request.downmix)
    interference = None if pair.noisy is None else pair.noisy - pair.reference
    scores, remarks = measure(request.metrics, pair.reference, pair.estimate, pair.sample_rate, interference)
    gains: Values = {}
    if pair.noisy is not None:
        before, _ = measure(request.metrics, pair.reference, pair.noisy, pair.sample_rate, interference)
        gains = gains_over(before, scores)
    seconds = pair.reference.shape[1] / pair.sample_rate
    return Scored(files.name, "", "", None, scores, gains, [*pair.remarks, *remarks], seconds)


def score_mixture(files: FixedFiles, request: Request) -> list[Scored]:
    """Scores of an unprocessed mixture, then of the result of each tool and model; clean music has no gains."""
    degraded, sample_rate = read_waveform(files.degraded)
    clean, _ = read_waveform(files.clean)
    interference = degraded - clean if np.isfinite(files.ratio_db) else None
    found: list[Scored] = []
    before: Values | None = None
    for name, method in _methods(request).items():
        begin = time.perf_counter()
        estimate = estimated(name, method, degraded, clean, sample_rate)
        elapsed = time.perf_counter() - begin
        one = score_estimate(files, name, estimate, (degraded, clean), sample_rate, request.metrics, method)
        gains = {} if before is None or interference is None else gains_over(before, one.scores)
        before = before or one.scores
        found.append(replace(one, gains=gains, elapsed_seconds=elapsed))
    return found


def estimated(name: str, method: Method | None, degraded: Array, clean: Array, sample_rate: int) -> Array:
    """What a method, or the yardstick of that name, makes of a degraded waveform."""
    if method is not None:
        return method(degraded, sample_rate)
    yardsticks = {methods.ONE_GAIN: methods.best_gain, methods.IDEAL_GAINS: methods.ideal_gains}
    return yardsticks[name](degraded, clean) if name in yardsticks else degraded


def score_estimate(
    files: FixedFiles,
    name: str,
    estimate: Array,
    sides: tuple[Array, Array],
    sample_rate: int,
    metrics: Collection[str],
    method: Method | None = None,
) -> Scored:
    """Scores of an estimate of a mixture, without gains over the mixture.

    Args:
        files: the mixture.
        name: of the method.
        estimate: `(channel, time)`.
        sides: degraded and clean, same shape.
        sample_rate: Hz.
        metrics: names of `METRICS`.
        method: that made the estimate, if its gains may be accessible.
    """
    degraded, clean = sides
    interference = degraded - clean if np.isfinite(files.ratio_db) else None
    scores, remarks = measure(metrics, clean, estimate, sample_rate, interference)
    lost, left = None, None
    if interference is not None:
        music, noise = methods.parts(method, estimate, clean, interference, sample_rate)
        lost, left = music_lost_db(clean, music), noise_left_db(clean, noise)
    seconds = clean.shape[1] / sample_rate
    return Scored(
        files.name, name, files.kind, files.ratio_db, scores, {}, remarks, seconds,
        is_sung=files.is_sung, music_lost_db=lost, noise_left_db=left,
    )  # fmt: skip


@lru_cache(maxsize=1)
def _methods(request: Request) -> dict[str, Method | None]:
    """Every row by its name; the yardsticks need no tool. Loaded once per process."""
    loaded: dict[str, Method | None] = {methods.UNPROCESSED: None, methods.ONE_GAIN: None}
    loaded |= {name: methods.baseline(name) for name in request.baselines}
    for name in request.models:
        loaded[methods.short_name(name)] = methods.model(
            name, device=request.device, threads=request.threads, offline=request.offline
        )
    return loaded


def gains_over(before: Values, scores: Values) -> Values:
    """Scores minus those of the degraded recording; None if either has no value, or both are infinite."""
    gains: Values = {}
    for name, value in scores.items():
        start = before[name]
        both = value is not None and start is not None and not (np.isinf(value) and np.isinf(start))
        gains[name] = value - start if both else None  # type: ignore[operator]
    return gains
