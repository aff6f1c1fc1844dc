"""Rajesh and Rajan: neural networks for interference reduction in multi-track recordings, WASPAA 2023.

What each of their figures holds in detail is not at hand, so the tables here are named by what they show. Numbers come
from two places. Times, and the four scores of Table 1, are those of the paper. The SDR of each method is that of the
author's own table elsewhere, whose mixtures, by its note on optimisation, have gains alone.

References:
    Rajesh R, Padmanabhan Rajan, WASPAA 2023, doi:10.1109/WASPAA58266.2023.10248133.
    github.com/its-rajesh/Audio-Bleeding-Removal, the table of its README (facts; nothing of it is copied).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from concertclean.evaluate.bleed import Judged
from concertclean.reproduce.bands import ROOM, SECONDS, Bands, build_bands, build_room, judge_all
from concertclean.reproduce.downstream import DOWNSTREAM
from concertclean.reproduce.reducers import CAE, INSTRUMENTS, KAMIR, ROWS, T_UNET, find_reducers
from concertclean.reproduce.table import Outcome, PaperTable, Request, Row, mean

MICROPHONES = "microphones"
"""The row of the recordings as they are, which the author calls reference."""

_CONDITIONS = ("low", "high", "delayed", "room")
_GAINS_ALONE = {"low gains": ("low",), "high gains": ("high",), "all gains": ("low", "high")}
_GROUPS = {**_GAINS_ALONE, "delayed": ("delayed",), "room": ("room",), "MUSDBR": (ROOM,)}
_PUBLISHED_SDR = {MICROPHONES: 5.82, KAMIR: 7.00, CAE: 6.92, T_UNET: 8.83}  # of "all gains"
_PUBLISHED_SECONDS = {KAMIR: 660.0, CAE: 2.4, T_UNET: 2.19}  # of 1,000 s
_TIMED_SECONDS = 1000.0
_LAYOUT = "MUSDB18 or MUSDB18-HQ, with train and test; or a folder of songs, one folder of stems each, all for tests"
_EXCERPTS = f"of each song of the test side, the {SECONDS:g} s in which its quietest stem is loudest, at natural levels"
_GAINS = "gains are drawn from 0.01 to 0.5, in two halves parted at 0.2; the paper has one range"


def sdr_table(request: Request) -> Outcome:
    """SDR of each stem, by condition and method, as the authors compute it."""
    _, remarks = find_reducers(request)
    bands, room = build_bands(request, _CONDITIONS), build_room(request)
    judged, reasons = _judged([bands, room], request)
    columns = (*_tracks(judged), "mean", "median")
    rows = []
    for group, conditions in _GROUPS.items():
        for name in (MICROPHONES, *ROWS):
            kept = [one for one in judged if one.method == name and one.band.condition in conditions]
            published = _PUBLISHED_SDR.get(name) if group == "all gains" else None
            if kept or published is not None:
                ours = _sdr(kept, columns[:-2]) if kept else [None] * len(columns)
                rows.append(Row(f"{name}, {group}", ours, [*[None] * (len(columns) - 1), published]))
    said = (
        "SDR is the mean over seconds, then over songs; the median is over all tracks of medians over seconds",
        "published medians are the author's, from another repository; his optimisation, itself unpublished, has 42.12",
        "the figure's own values are not at hand",
        _GAINS,
        _EXCERPTS,
    )
    return Outcome(columns, tuple(rows), (*remarks, *bands.remarks, *room.remarks, *reasons, *said))


def matrix_table(request: Request) -> Outcome:
    """Error of the mixing matrix, for the methods that estimate one."""
    _, remarks = find_reducers(request)
    bands = build_bands(request, _CONDITIONS)
    gains_alone = replace(bands, sets=tuple(band for band in bands.sets if band.matrix is not None))
    judged, reasons = _judged([gains_alone], request, only_matrices=True)
    rows = []
    for name in dict.fromkeys(one.method for one in judged):
        groups = [
            [one.matrix_error for one in judged if one.method == name and one.band.condition in conditions]
            for conditions in _GAINS_ALONE.values()
        ]
        squared = [mean(None if error is None else error**2 for error in group) for group in groups]
        rows.append(Row(name, [*squared, mean(groups[-1])], [None] * 4))
    columns = (*(f"squared error, {group}" for group in _GAINS_ALONE), "norm of the error, all gains")
    said = (
        f"Frobenius norm, mean over bands; {MICROPHONES} have the identity for a matrix, {KAMIR}, MIRA and {CAE} none",
        "the figure's own values are not at hand",
        _GAINS,
        _EXCERPTS,
    )
    remarks = [remark for remark in remarks if remark.startswith(T_UNET)]
    return Outcome(columns, tuple(rows), (*remarks, *bands.remarks, *reasons, *said), decimals=4)


def speed_table(request: Request) -> Outcome:
    """Time of each method, and that over the time of KAMIR."""
    _, remarks = find_reducers(request)
    bands = build_bands(request, _CONDITIONS)
    bands = replace(bands, sets=tuple(band for band in bands.sets if band.condition == _CONDITIONS[0]))
    judged, reasons = _judged([bands], request)
    spent = {
        name: sum(one.seconds for one in judged if one.method == name)
        for name in dict.fromkeys(one.method for one in judged if one.method != MICROPHONES)
        if sum(one.method == name for one in judged) == len(bands.sets)
    }
    rows = []
    for name in ROWS:
        seconds, published = spent.get(name), _PUBLISHED_SECONDS.get(name)
        ours = [
            None if seconds is None else _TIMED_SECONDS * seconds / bands.seconds,
            _ratio(seconds, spent.get(KAMIR)),
        ]
        if seconds is not None or published is not None:
            rows.append(Row(name, ours, [published, _ratio(published, _PUBLISHED_SECONDS[KAMIR])]))
    said = (
        "ours is the time of learning and applying a method, one band after the other, on this machine",
        "published times of the networks are on a GPU; 100 excerpts of 10 s there, one of each song here",
        _EXCERPTS,
    )
    columns = ("seconds for 100 x 10 s", f"time / {KAMIR}")
    return Outcome(columns, tuple(rows), (*remarks, *bands.remarks, *reasons, *said), decimals=4)


def _judged(
    several: Sequence[Bands], request: Request, *, only_matrices: bool = False
) -> tuple[list[Judged], list[str]]:
    """The microphones as they are, then every method that can run, on every band."""
    reducers = [one for one in find_reducers(request)[0] if one.has_matrix or not only_matrices]
    judged, reasons = [], []
    for bands in several:
        found, more = judge_all(bands, reducers, request)
        judged += found
        reasons += more
    once = {(one.band.condition, one.band.song): one for one in judged}
    return [*map(_unprocessed, once.values()), *judged], reasons


def _unprocessed(one: Judged) -> Judged:
    """What the microphones of a band score themselves; their matrix is the identity."""
    matrix = one.band.matrix
    return replace(
        one,
        method=MICROPHONES,
        sdr=one.sdr_before,
        whole=one.whole_before,
        published=one.published_before,
        matrix_error=None if matrix is None else float(np.linalg.norm(np.array(matrix) - np.eye(len(matrix)))),
        seconds=0.0,
    )


def _tracks(judged: Sequence[Judged]) -> tuple[str, ...]:
    """Names of the stems, those of MUSDB18 first."""
    return tuple(dict.fromkeys(track for one in judged for track in sorted(one.band.tracks, key=_place)))


def _place(track: str) -> tuple[int, str]:
    return (INSTRUMENTS.index(track) if track in INSTRUMENTS else len(INSTRUMENTS), track)


def _sdr(group: Sequence[Judged], tracks: Sequence[str]) -> list[float | None]:
    """Mean of each stem, mean of bands of the mean of their stems, median of all."""
    by_band = [dict(zip(one.band.tracks, one.published, strict=True)) for one in group]
    medians = [score for one in group for score in one.sdr if np.isfinite(score)]
    return [
        *(mean(scores.get(track) for scores in by_band) for track in tracks),
        mean(mean(scores.values()) for scores in by_band),
        float(np.median(medians)) if medians else None,
    ]


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def _table(title: str, make: Callable[[Request], Outcome]) -> PaperTable:
    return PaperTable(title, _LAYOUT, make)


TABLES: dict[str, PaperTable] = {
    "fig4": _table("bleed reduction: SDR by stem and condition, dB", sdr_table),
    "fig6": _table("bleed reduction: error of the mixing matrix", matrix_table),
    "fig7": _table("bleed reduction: time, and as a ratio to KAMIR", speed_table),
    "table1": DOWNSTREAM,
}
