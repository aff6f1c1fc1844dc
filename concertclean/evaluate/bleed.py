"""Methods of bleed reduction on the test bands of a dataset: quality, matrix error, speed.

*Conventions*: SDR is that of BSS Eval 4 as computed by museval: the ratio in every second, median over seconds (its
filters do not affect the SDR). `whole` is the ratio of the recording as a whole. Gains are relative to the unprocessed
microphone. Speed is the time of a method over that of KAMIR in the same run. The columns "published" follow Rajesh and
Rajan (WASPAA 2023), so that they can stand beside their tables: the mean over the seconds of a track that museval
scores, then over the tracks of a band, and the squared Frobenius norm, which their caption calls a difference of norms.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from concertclean.audio_io.reader import AudioReader
from concertclean.bleed.methods import learn
from concertclean.bleed.microphones import excerpt
from concertclean.dataset.bleed.build import BandSet
from concertclean.dsp.arrays import Array
from concertclean.metrics.sdr import snr, window_energies

SPEED_REFERENCE = "kamir"


@dataclass(frozen=True)
class Judged:
    """One method on one band.

    Attributes:
        method: name as requested.
        band: see there.
        sdr_before, sdr: of each track, dB.
        whole_before, whole: of each track, dB.
        matrix_error: Frobenius norm of the error of the mixing matrix; None if there is none to compare.
        seconds: wall time of fitting and applying.
        published_before, published: SDR of each track as the authors of t-UNet compute it, dB.
    """

    method: str
    band: BandSet
    sdr_before: tuple[float, ...]
    sdr: tuple[float, ...]
    whole_before: tuple[float, ...]
    whole: tuple[float, ...]
    matrix_error: float | None
    seconds: float
    published_before: tuple[float, ...]
    published: tuple[float, ...]

    @property
    def gains(self) -> Array:
        """SDR after minus before, of each track, dB."""
        return np.subtract(self.sdr, self.sdr_before)

    @property
    def whole_gains(self) -> Array:
        """Ratio of the recording as a whole, after minus before, of each track, dB."""
        return np.subtract(self.whole, self.whole_before)


def segment_sdr(reference: Array, estimate: Array, sample_rate: int) -> float:
    """Median over seconds of the power of the reference over that of the error, dB; at most 100.

    Args:
        reference: `(time,)`.
        estimate: same shape.
        sample_rate: Hz.

    Returns:
        dB; seconds in which the reference is silent do not count; nan if all are. An incomplete last second is dropped.
    """
    signal, noise = window_energies(reference, estimate, min(sample_rate, len(reference)))
    ratios = _ratios_db(signal, noise)[signal > 0]
    return float(np.median(ratios)) if len(ratios) else float("nan")


def published_sdr(reference: Array, estimate: Array, sample_rate: int) -> float:
    """Mean over seconds of the power of the reference over that of the error, dB; at most 100.

    Args:
        reference: `(time,)`.
        estimate: same shape.
        sample_rate: Hz.

    Returns:
        dB; seconds in which one of the two is silent do not count, where museval has no number; nan if none counts. An
        incomplete last second is dropped.

    References:
        Rajesh, Rajan: Neural networks for interference reduction in multi-track recordings, WASPAA 2023, with the
        evaluation of their code.
    """
    window = min(sample_rate, len(reference))
    signal, noise = window_energies(reference, estimate, window)
    found, _ = window_energies(estimate, estimate, window)
    ratios = _ratios_db(signal, noise)[(signal > 0) & (found > 0)]
    return float(np.mean(ratios)) if len(ratios) else float("nan")


def _ratios_db(signal: Array, noise: Array) -> Array:
    """Ratio in every window, dB, at most 100; of no meaning where the signal is silent."""
    power = np.maximum(signal, np.finfo(float).tiny)
    ratios: Array = 10 * np.log10(power / np.maximum(noise, 1e-10 * power))
    return ratios


def judge(folder: Path, band: BandSet, methods: Sequence[str]) -> list[Judged]:
    """Every method on one band.

    Args:
        folder: of the dataset.
        band: one of its test sets.
        methods: names, see `bleed.methods`.

    Raises:
        AudioFileError: a file is missing or damaged.
        ModelError: the method is unknown.
    """
    mixture, rate = _read([band.microphone(folder, track) for track in band.tracks])
    truth, _ = _read([band.reference(folder, track) for track in band.tracks])
    before = _scores(truth, mixture, rate)
    found = []
    for method in methods:
        begin = time.perf_counter()
        stems, matrix = reduced(method, mixture, rate, band.tracks)
        seconds = time.perf_counter() - begin
        error = None
        if matrix is not None and band.matrix is not None:
            error = float(np.linalg.norm(matrix - np.array(band.matrix)))
        after = _scores(truth, stems, rate)
        published = _published(truth, mixture, rate), _published(truth, stems, rate)
        found.append(Judged(method, band, before[0], after[0], before[1], after[1], error, seconds, *published))
    return found


def reduced(method: str, microphones: Array, sample_rate: int, tracks: Sequence[str]) -> tuple[Array, Array | None]:
    """Microphones of one band after bleed reduction, and the mixing matrix that the method estimated, if it does.

    Args:
        method: name, see `bleed.methods`.
        microphones: `(microphone, time)`, full scale ±1.
        sample_rate: Hz.
        tracks: names of the microphones.

    Returns:
        The same shape as `microphones`, and `(microphone, stem)` or None.

    Raises:
        ModelError: the method is unknown, or does not fit these microphones.
    """
    heard = excerpt(iter([microphones]), microphones.shape[1], sample_rate)  # as for `debleed`
    reduction = learn(method, heard[:, None], sample_rate, tracks=tracks)
    stems = np.concatenate(list(reduction.apply(iter([microphones[:, None]]))), axis=2)[:, 0]
    return stems, reduction.channels[0].matrix


def method_table(judged: Sequence[Judged]) -> tuple[list[str], list[list[str]]]:
    """Method by condition: mean and median gain in SDR, gain of the whole, worst track, matrix error, speed."""
    header = [
        "method", "condition", "bands", "SDR before", "SDR gain, mean", "median", "whole, mean", "worst track",
        "matrix error", "published SDR before", "published SDR", "published matrix error", f"time / {SPEED_REFERENCE}",
    ]  # fmt: skip
    body = []
    for (method, condition), group in _groups(judged).items():
        gains = np.concatenate([one.gains for one in group])
        whole = np.concatenate([one.whole_gains for one in group])
        before = np.concatenate([one.sdr_before for one in group])
        errors = [one.matrix_error for one in group if one.matrix_error is not None]
        body.append(
            [
                method, condition, str(len(group)), f"{before.mean():.1f}", f"{gains.mean():+.1f}",
                f"{np.median(gains):+.1f}", f"{whole.mean():+.1f}", f"{whole.min():+.1f}",
                f"{np.mean(errors):.4f}" if errors else "", _mean_of_bands([one.published_before for one in group]),
                _mean_of_bands([one.published for one in group]),
                f"{np.mean(np.square(errors)):.4f}" if errors else "", _speed(group, judged),
            ]
        )  # fmt: skip
    return header, body


def track_table(judged: Sequence[Judged]) -> tuple[list[str], list[list[str]]]:
    """Mean gain in SDR of each track by name, one column per method and condition."""
    groups = _groups(judged)
    tracks = list(dict.fromkeys(track for one in judged for track in one.band.tracks))
    header = ["track", *(f"{method}, {condition}" for method, condition in groups)]
    body = []
    for track in tracks:
        cells = []
        for group in groups.values():
            gains = [one.gains[one.band.tracks.index(track)] for one in group if track in one.band.tracks]
            cells.append(f"{np.mean(gains):+.1f}" if gains else "")
        body.append([track, *cells])
    return header, body


def _groups(judged: Sequence[Judged]) -> dict[tuple[str, str], list[Judged]]:
    groups: dict[tuple[str, str], list[Judged]] = {}
    for method in dict.fromkeys(one.method for one in judged):
        for one in judged:
            if one.method == method:
                groups.setdefault((method, one.band.condition), []).append(one)
    return groups


def _mean_of_bands(scores: Sequence[Sequence[float]]) -> str:
    """Mean over bands of the mean over their tracks that have a score; empty if none has."""
    known = [float(np.mean(kept)) for kept in ([one for one in band if not np.isnan(one)] for band in scores) if kept]
    return f"{np.mean(known):.1f}" if known else ""


def _published(truth: Array, found: Array, rate: int) -> tuple[float, ...]:
    """`published_sdr` of each track."""
    return tuple(published_sdr(one, other, rate) for one, other in zip(truth, found, strict=True))


def _speed(group: Sequence[Judged], judged: Sequence[Judged]) -> str:
    """Time over that of the reference on the same bands; empty if the reference did not run."""
    bands = [one.band for one in group]
    reference = [one.seconds for one in judged if one.method == SPEED_REFERENCE and one.band in bands]
    if len(reference) != len(group):
        return ""
    return f"{sum(one.seconds for one in group) / sum(reference):.3g}"


def _read(paths: Sequence[Path]) -> tuple[Array, int]:
    waveforms = []
    for path in paths:
        with AudioReader(path) as reader:
            waveforms.append(reader.read_all()[0])
            rate = reader.info.sample_rate
    return np.stack(waveforms), rate


def _scores(truth: Array, found: Array, rate: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """SDR over seconds and of the whole, of each track."""
    pairs = list(zip(truth, found, strict=True))
    whole = tuple(min(snr(one[None], other[None]), 100.0) for one, other in pairs)
    return tuple(segment_sdr(one, other, rate) for one, other in pairs), whole
