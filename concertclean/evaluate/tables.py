"""From scores to tables: one long list of rows, and text for people and programs."""

import csv
import io
import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from concertclean.evaluate.scoring import Scored
from concertclean.evaluate.statistics import Summary, summarise, worst_of
from concertclean.metrics.catalogue import Score

_TOGETHER = 2  # scores that share a table: the second shows what the first may hide
Text = list[str]


@dataclass(frozen=True)
class Row:
    """A summary of many values of one score.

    Attributes:
        method: model or tool; "" if files are compared.
        kind: of noise that the row is about, or "" for all.
        ratio_db: of the mixtures, inf for clean music; None if files are compared.
        score: to report.
        is_gain: whether the values are differences from the noisy recording.
        summary: of the values.
    """

    method: str
    kind: str
    ratio_db: float | None
    score: Score
    is_gain: bool
    summary: Summary


def rows_of(scored: Sequence[Scored], scores: Sequence[Score], *, by_kind: bool = False) -> list[Row]:
    """Rows in the order of methods, kinds, ratios, scores; a gain after the score it belongs to.

    Args:
        scored: every recording with every method.
        scores: to report.
        by_kind: also a row for each kind of noise.
    """
    groups: dict[tuple[str, str, float | None], list[Scored]] = {}
    for one in scored:
        groups.setdefault((one.method, "", one.ratio_db), []).append(one)
    if by_kind:
        for one in scored:
            groups.setdefault((one.method, one.kind, one.ratio_db), []).append(one)
    places = {name: place for place, name in enumerate(dict.fromkeys(one.method for one in scored))}
    kinds = {name: place for place, name in enumerate(["", *dict.fromkeys(one.kind for one in scored)])}
    ordered = sorted(groups, key=lambda key: (places[key[0]], kinds[key[1]], -math.inf if key[2] is None else key[2]))
    return [row for key in ordered for score in scores for row in _rows(key, groups[key], score)]


def _rows(key: tuple[str, str, float | None], group: list[Scored], score: Score) -> list[Row]:
    names = [one.name for one in group]
    values = [one.scores[score.name] for one in group]
    rows = [Row(*key, score, False, summarise(values, names, score.better))]
    if score.better != "zero" and any(score.name in one.gains for one in group):
        gains = [one.gains.get(score.name) for one in group]
        rows.append(Row(*key, score, True, summarise(gains, names, score.better)))
    return rows


def as_json(rows: Sequence[Row], scored: Sequence[Scored], facts: dict[str, Any]) -> str:
    """Everything: the request, the rows, and every recording. JSON has no infinity: null, with a note."""
    records = [_plain(asdict(row)) for row in rows]
    return json.dumps({**facts, "rows": records, "recordings": [_plain(asdict(one)) for one in scored]}, indent=2)


def _plain(value: Any) -> Any:
    """A value as JSON; an infinite one gets a note beside it."""
    if isinstance(value, dict):
        plain = {key: _plain(each) for key, each in value.items()}
        perfect = [key for key, each in value.items() if each == math.inf and key != "ratio_db"]
        if value.get("ratio_db") == math.inf:
            plain["ratio_db"] = "clean"
        return plain | ({"note": f"identical: {', '.join(perfect)}"} if perfect else {})
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_csv(rows: Sequence[Row]) -> str:
    """One line per row, for spreadsheets."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = ["method", "kind", "ratio_db", "score", "unit", "is_gain"]
    numbers = ["n", "mean", "median", "half_width", "worst", "worst_name", "n_perfect", "n_undefined"]
    writer.writerow([*columns, *numbers])
    for row in rows:
        summary = row.summary
        worst = summary.worst or (None, None)
        values = [summary.n, summary.mean, summary.median, summary.half_width, *worst]
        values += [summary.n_perfect, summary.n_undefined]
        ratio = "clean" if row.ratio_db == math.inf else row.ratio_db
        writer.writerow([row.method, row.kind, ratio, row.score.name, row.score.unit, row.is_gain, *values])
    return text.getvalue()


def as_markdown(tables: Iterable[tuple[str, Text, list[Text]]]) -> str:
    """Tables as Markdown."""
    parts = []
    for title, header, body in tables:
        lines = [header, ["---"] * len(header), *body]
        parts.append(f"{title}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines))
    return "\n\n".join(parts) + "\n"


def file_table(rows: Sequence[Row]) -> tuple[str, Text, list[Text]]:
    """One line per score, for files against files: title, header, lines."""
    header = ["score", "n", "mean", "95 %", "median", "worst", "recording"]
    body = []
    for row in rows:
        summary = row.summary
        name = ("gain in " if row.is_gain else "") + _titled(row.score)
        worst, where = summary.worst or (None, "")
        half = "" if summary.half_width is None else f"±{_number(summary.half_width)}"
        mean = _number(summary.mean, signed=row.is_gain) if summary.n else "identical" if summary.n_perfect else "-"
        body.append([name, str(summary.n), mean, half, _number(summary.median), _number(worst), where])
    return "", header, body


def ratio_tables(rows: Sequence[Row], models: Collection[str] | None = None) -> list[tuple[str, Text, list[Text]]]:
    """One line per method, one column per ratio, two scores per table: titles, headers, lines.

    Args:
        rows: of `rows_of`.
        models: methods whose kinds of noise get lines; None: all.
    """
    rows = [row for row in rows if not row.kind or models is None or row.method in models]
    scores = list(dict.fromkeys(row.score for row in rows))
    return [_ratio_table(rows, scores[start : start + _TOGETHER]) for start in range(0, len(scores), _TOGETHER)]


def _ratio_table(rows: Sequence[Row], scores: list[Score]) -> tuple[str, Text, list[Text]]:
    """One table; the worst recording is that of the first score, clean music excluded."""
    told = {(row.method, row.kind, row.ratio_db, row.score): row.summary for row in _told(rows)}
    ratios = sorted({row.ratio_db for row in rows if row.ratio_db is not None})
    body = []
    for method, kind in dict.fromkeys((row.method, row.kind) for row in rows):
        line = [f"{method}, {kind}" if kind else method]
        for ratio in ratios:
            found = [told.get((method, kind, ratio, score)) for score in scores]
            line.append(" / ".join(_cell(summary, first=place == 0) for place, summary in enumerate(found)))
        of_ratios = [told.get((method, kind, ratio, scores[0])) for ratio in ratios if ratio != math.inf]
        worst = [summary.worst for summary in of_ratios if summary is not None and summary.worst is not None]
        body.append([*line, _number(worst_of(worst, scores[0].better)[0]) if worst else "-"])
    names = " / ".join(map(_titled, scores))
    title = f"{names}: `unprocessed` and column `clean` are absolute, all else is the gain over unprocessed"
    header = ["method", *("clean" if ratio == math.inf else f"{ratio:+g} dB" for ratio in ratios), "worst"]
    return title, header, body


def _told(rows: Sequence[Row]) -> list[Row]:
    """The rows of a ratio table: gains, or absolute values if there is nothing to gain."""
    with_gain = {(row.method, row.kind, row.ratio_db, row.score) for row in rows if row.is_gain}
    return [row for row in rows if row.is_gain or (row.method, row.kind, row.ratio_db, row.score) not in with_gain]


def _titled(score: Score) -> str:
    return f"{score.name}, {score.unit}" if score.unit else score.name


def _cell(summary: Summary | None, *, first: bool) -> str:
    if summary is None or summary.mean is None:
        return "identical" if summary is not None and summary.n_perfect else "-"
    half = f" ±{_number(summary.half_width)}" if first and summary.half_width is not None else ""
    return _number(summary.mean) + half


def _number(value: float | None, *, signed: bool = False) -> str:
    """Two significant digits."""
    if value is None:
        return "-"
    digits = 1 if abs(value) >= 1 else 2
    rounded = round(value, digits) + 0.0  # no minus sign before zero
    return f"{rounded:+.{digits}f}" if signed else f"{rounded:.{digits}f}"
