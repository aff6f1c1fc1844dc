"""Results of a listening test: reading, post-screening, means with confidence intervals, box plots.

Conventions: ITU-R BS.1534-3. A listener who rates the hidden reference below 90 in more than 15 % of the items is left
out. A noisy recording hidden among the stimuli is expected at 0, but leaves nobody out: the standard has no rule for
it. The standard's rule about the mid anchor is not applied, since some music loses little at 7 kHz. Scores of all
listeners and items are pooled for each condition; the interval is that of Student's t with n - 1 degrees of freedom.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from concertclean.config.text import parse_json, read_text
from concertclean.errors import ConfigError
from concertclean.files.atomic import written
from concertclean.files.names import shown
from concertclean.metrics.interval import half_width_95
from concertclean.report.figures import empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOW_REFERENCE = 90
_LOW_SHARE = 0.15
_ROLES = ("reference", "noisy", "anchor", "condition")
_COLOURS = {"reference": "#35795b", "noisy": "#b4472e", "condition": "#8c2981", "anchor": "#8a8792"}


@dataclass(frozen=True)
class Rating:
    """The rating on one slider, 0 to 100; `role` "reference" or "noisy", both hidden, "anchor" or "condition"."""

    test: str
    participant: str
    item: str
    condition: str
    role: str
    score: float


@dataclass(frozen=True)
class Screened:
    """A listener who is left out: in how many of how many items the hidden reference got less than 90."""

    participant: str
    n_low: int
    n_items: int


@dataclass(frozen=True)
class ConditionScore:
    """Pooled scores of a condition; `ci95` is half the width of the 95 % interval of the mean, None for one score."""

    condition: str
    role: str
    n: int
    mean: float
    ci95: float | None
    median: float
    lower_quartile: float
    upper_quartile: float


def read_results(paths: Sequence[Path]) -> list[Rating]:
    """Ratings from the files that listeners saved, JSON or CSV; the same rating in two files counts once.

    Raises:
        ConfigError: a file cannot be read or is not a result, a listener has two scores for one stimulus, or the files
            are from different tests.
    """
    found: dict[tuple[str, str, str, str], Rating] = {}
    for path in paths:
        for rating in _read(path):
            key = rating.test, rating.participant, rating.item, rating.condition
            if found.setdefault(key, rating) != rating:
                what = f"{rating.condition!r} of {rating.item!r}"
                raise ConfigError(f"{path}: {rating.participant} scored {what} differently in another file; keep one")
    tests = sorted({rating.test for rating in found.values()})
    if len(tests) > 1:
        raise ConfigError(f"the files are from {len(tests)} tests ({', '.join(tests)}); score each test separately")
    if not found:
        raise ConfigError(f"{', '.join(map(str, paths))}: no ratings found; finish the test before saving")
    return list(found.values())


def screen(ratings: Iterable[Rating]) -> tuple[list[Rating], list[Screened]]:
    """Ratings without those of listeners who did not find the hidden reference, and those listeners."""
    ratings = list(ratings)
    excluded = []
    for participant in dict.fromkeys(rating.participant for rating in ratings):
        own = [one.score for one in ratings if one.participant == participant and one.role == "reference"]
        n_low = sum(score < _LOW_REFERENCE for score in own)
        if n_low > _LOW_SHARE * len(own):
            excluded.append(Screened(participant, n_low, len(own)))
    left_out = {one.participant for one in excluded}
    return [rating for rating in ratings if rating.participant not in left_out], excluded


def relative(ratings: Iterable[Rating]) -> list[Rating]:
    """Ratings as differences from what the same listener gave the hidden noisy recording of the same item, -100 to 100.

    Raises:
        ConfigError: a listener has no rating of it, since the reference was clean.

    References:
        Li, Gfeller, Tagliasacchi, Roblek, Learning to denoise historical music, ISMIR 2020, section 4.
    """
    ratings = list(ratings)
    noisy = {(one.participant, one.item): one.score for one in ratings if one.role == "noisy"}
    missing = next((one for one in ratings if (one.participant, one.item) not in noisy), None)
    if missing is not None:
        fact = f"{missing.participant} rated no hidden noisy recording of {missing.item!r}"
        raise ConfigError(f"{fact}; only tests whose reference is noisy have one")
    return [replace(one, score=one.score - noisy[one.participant, one.item]) for one in ratings if one.role != "noisy"]


def summarise(ratings: Iterable[Rating]) -> list[ConditionScore]:
    """One row per condition, best mean first."""
    groups: dict[tuple[str, str], list[float]] = {}
    for rating in ratings:
        groups.setdefault((rating.condition, rating.role), []).append(rating.score)
    scores = [_score(condition, role, np.array(values)) for (condition, role), values in groups.items()]
    return sorted(scores, key=lambda score: -score.mean)


def draw_boxes(
    target: Path, ratings: Sequence[Rating], *, title: str, overwrite: bool, is_relative: bool = False
) -> None:
    """Writes box plots of all conditions, with mean and its interval.

    Args:
        target: PNG, PDF or SVG, by its extension.
        ratings: at least one.
        title: above the picture.
        overwrite: replace a picture that exists.
        is_relative: the ratings come from `relative`.

    Raises:
        ConfigError: matplotlib is not installed.
        OutputError: the picture exists or cannot be written.
    """
    scores = summarise(ratings)
    figure = empty_figure(max(5.0, 1.6 + 1.1 * len(scores)), 5.2, dpi=120)
    with written(target, overwrite=overwrite) as file:
        _draw(figure, scores, ratings, title, is_relative=is_relative)
        figure.savefig(file, format=target.suffix[1:].lower() or "png")


def _draw(
    figure: "Figure", scores: Sequence[ConditionScore], ratings: Sequence[Rating], title: str, *, is_relative: bool
) -> None:
    axis = figure.subplots()
    places = range(1, len(scores) + 1)
    values = [[rating.score for rating in ratings if rating.condition == score.condition] for score in scores]
    boxes = axis.boxplot(values, positions=list(places), widths=0.55, patch_artist=True, medianprops={"color": "black"})
    for box, score in zip(boxes["boxes"], scores, strict=True):
        box.set(facecolor=_COLOURS[score.role], alpha=0.45)
    errors = [0.0 if score.ci95 is None else score.ci95 for score in scores]
    means = [score.mean for score in scores]
    axis.errorbar(places, means, errors, fmt="D", color="black", markersize=5, capsize=4, label="mean, 95 % interval")
    axis.set_xticks(list(places), [_label(score) for score in scores], parse_math=False)
    if len(scores) > 5:
        axis.tick_params(axis="x", rotation=30)
    axis.grid(axis="y", alpha=0.35)
    if is_relative:
        axis.set(ylim=(-102, 102), ylabel="score minus that of the noisy recording")
        axis.set_yticks(range(-100, 101, 20))
        axis.axhline(0, color="#66636e", linewidth=1)
    else:
        _draw_scale(axis)
    axis.set_title(title, parse_math=False, loc="left")
    axis.legend(loc="lower left")


def _draw_scale(axis: "Axes") -> None:
    """The scale of the standard, with its five words."""
    axis.set(ylim=(-2, 102), ylabel="score")
    axis.set_yticks(range(0, 101, 20))
    for height, word in zip(range(10, 100, 20), ("bad", "poor", "fair", "good", "excellent"), strict=True):
        axis.annotate(word, (1.01, height), xycoords=("axes fraction", "data"), va="center", color="#66636e")


def _label(score: ConditionScore) -> str:
    name = {"reference": "hidden reference", "noisy": f"hidden {score.condition}"}.get(score.role, score.condition)
    return f"{shown(name)}\n(n = {score.n})"


def _score(condition: str, role: str, values: np.ndarray) -> ConditionScore:
    n = len(values)
    ci95 = half_width_95(values)
    lower, median, upper = np.percentile(values, [25, 50, 75])
    return ConditionScore(condition, role, n, float(values.mean()), ci95, float(median), float(lower), float(upper))


def _read(path: Path) -> list[Rating]:
    """Ratings of one file."""
    try:
        text = read_text(path, "give files that the page of a listening test saved")
        records = _from_csv(text) if path.suffix.lower() == ".csv" else _from_json(text)
        ratings = [_rating(record) for record in records]
    except (ValueError, KeyError, TypeError, OverflowError, csv.Error) as error:
        cure = "give files that the page of a listening test saved"
        raise ConfigError(f"{path}: not a result of a listening test ({error!r}); {cure}") from error
    return ratings


def _from_json(text: str) -> list[dict[str, Any]]:
    value = parse_json(text)
    return [{**rating, "test": value["test"], "participant": value["participant"]} for rating in value["ratings"]]


def _from_csv(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _rating(record: dict[str, Any]) -> Rating:
    """A record of a file as a rating; raises if a value is missing or invalid."""
    score = float(record["score"])
    if not 0 <= score <= 100:
        raise ValueError(f"score {score:g} must be 0 to 100")
    if record["role"] not in _ROLES:
        raise ValueError(f"unknown role {record['role']!r}; must be one of {', '.join(_ROLES)}")
    test, participant, item, condition = (str(record[name]) for name in ("test", "participant", "item", "condition"))
    return Rating(test, participant, item, condition, record["role"], score)
