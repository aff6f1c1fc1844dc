"""Separators on songs whose stems are known: SDR, ISR, SIR and SAR of every stem.

*Conventions*: BSS Eval version 4 with filters of 512 samples and frames of a second, at the rate of the song, as
museval computes it; a song's score is the median over frames. A stem that is silent throughout, as it is or as it was
found, has no scores, nan, and is not among the references of the others; museval has none for any stem of such a song.

References:
    Stöter, Liutkus, Ito: The 2018 signal separation evaluation campaign, LVA/ICA 2018: median over frames, then over
    songs.
    Rajesh, Rajan, WASPAA 2023, Table 1: mean SDR of four stems. Yazhou Li: SDR, ISR, SIR and SAR of vocals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Literal

import numpy as np

from concertclean.dsp.arrays import Array
from concertclean.errors import MetricError
from concertclean.metrics.bss_eval import images
from concertclean.networks.layers.waveform_model import WaveformModel
from concertclean.restore.separation import separate


@dataclass(frozen=True)
class StemScores:
    """Scores of one stem, dB, higher is better; nan where they are not defined."""

    sdr: float
    isr: float
    sir: float
    sar: float


_NONE = StemScores(np.nan, np.nan, np.nan, np.nan)
Scores = dict[str, StemScores]


def score_separator(
    model: WaveformModel,
    truth: Mapping[str, Array],
    sample_rate: int,
    *,
    mixture: Array | None = None,
    device: str = "auto",
) -> Scores:
    """Scores of a separator on one song.

    Args:
        model: network of at least one stem; its `instruments` name them.
        truth: every stem of the song by name, `(time,)` or `(channel, time)`, full scale ±1; where it has no
            "accompaniment" and the model has, that is the sum of the stems the model does not name.
        sample_rate: Hz, of the song.
        mixture: what is separated, shaped as a stem: noisy, or denoised; None: the sum of all stems.
        device: name as for `choose_device`.

    Returns:
        Scores by the names of the model's stems.

    Raises:
        KeyError: the song lacks a stem of the model.
        ValueError: the shapes differ.
    """
    stems = {name: np.atleast_2d(stem) for name, stem in truth.items()}
    names = model.instruments
    references = np.stack([_reference(name, stems, names) for name in names])
    heard = np.sum(list(stems.values()), axis=0) if mixture is None else np.atleast_2d(mixture)
    return score_stems(references, separate(model, heard, sample_rate, device=device), sample_rate, names)


def score_stems(references: Array, estimates: Array, sample_rate: int, names: Sequence[str]) -> Scores:
    """Scores of estimates, however they were made.

    Args:
        references: `(stem, channel, time)`, full scale ±1.
        estimates: same shape.
        sample_rate: Hz.
        names: of the stems.

    Raises:
        ValueError: the shapes differ.
    """
    sounding = [k for k in range(len(names)) if references[k].any() and estimates[k].any()]
    scores = dict.fromkeys(names, _NONE)
    try:
        median = images(references[sounding], estimates[sounding], sample_rate).median() if sounding else {}
    except MetricError:  # shorter than the filters, or no second in which all of them sound
        return scores
    for place, stem in enumerate(sounding):
        scores[names[stem]] = StemScores(**{ratio: float(values[place]) for ratio, values in median.items()})
    return scores


def over_songs(songs: Sequence[Scores], average: Literal["median", "mean"] = "median") -> Scores:
    """Scores of every stem over songs, nan left out.

    Args:
        songs: scores of the same stems, one song at least.
        average: "median", as in the campaign, or "mean".
    """
    result = {}
    for name in songs[0]:
        rows = np.array([astuple(song[name]) for song in songs])
        defined = ~np.isnan(rows).all(axis=1)
        if not defined.any():
            result[name] = _NONE
            continue
        columns = np.nanmedian(rows[defined], axis=0) if average == "median" else np.nanmean(rows[defined], axis=0)
        result[name] = StemScores(*columns.tolist())
    return result


def mean_sdr(scores: Scores) -> float:
    """Mean SDR of all stems, dB; nan left out, nan if there is nothing else."""
    ratios = np.array([stem.sdr for stem in scores.values()])
    defined = ratios[~np.isnan(ratios)]
    return float(defined.mean()) if len(defined) else float("nan")


def _reference(name: str, stems: Mapping[str, Array], names: Sequence[str]) -> Array:
    """One stem of the truth, or the sum of those without a name among the model's."""
    if name == "accompaniment" and name not in stems:
        total: Array = np.sum([stem for other, stem in stems.items() if other not in names], axis=0)
        return total
    return stems[name]
