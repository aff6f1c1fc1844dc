"""What a method costs: music lost, noise left, and how often a mixture gets worse."""

import math
from collections.abc import Collection, Sequence
from typing import Final

from concertclean.evaluate.methods import UNPROCESSED
from concertclean.evaluate.scoring import Scored

HARM_DB: Final = -0.5
"""A mixture whose SI-SDR falls by more than this counts as worse."""

_GAIN: Final = "sisdr"
Text = list[str]


def harm_table(scored: Sequence[Scored], models: Collection[str]) -> tuple[str, Text, list[Text]]:
    """One line per method, with and without singers and by kind of noise; title, header and lines.

    Args:
        scored: every mixture with every method.
        models: methods with lines for singers and kinds; the others get one.

    Returns:
        In each cell music lost and noise left at a ratio, dB relative to the music; then the share of mixtures that get
        worse, and the worst mixture by name, with its gain.
    """
    noisy = [one for one in scored if one.music_lost_db is not None and one.method != UNPROCESSED]
    ratios = sorted({one.ratio_db for one in noisy if one.ratio_db is not None})
    lines = []
    for method in dict.fromkeys(one.method for one in noisy):
        own = [one for one in noisy if one.method == method]
        groups = {method: own}
        if method in models:
            groups |= {f"{method}, {'sung' if sung else 'not sung'}": _sung(own, sung=sung) for sung in (True, False)}
            kinds = dict.fromkeys(one.kind for one in own if one.kind)
            groups |= {f"{method}, {kind}": [one for one in own if one.kind == kind] for kind in kinds}
        lines += [_line(name, group, ratios) for name, group in groups.items() if group]
    title = "music lost / noise left, dB relative to the music; share worse by more than 0.5 dB; the worst of all"
    return title, ["method", *(f"{ratio:+g} dB" for ratio in ratios), "worse", "worst", "recording"], lines


def _sung(group: list[Scored], *, sung: bool) -> list[Scored]:
    return [one for one in group if one.is_sung == sung]


def _line(name: str, group: list[Scored], ratios: list[float]) -> Text:
    cells = []
    for ratio in ratios:
        at = [one for one in group if one.ratio_db == ratio]
        cells.append(f"{_mean([o.music_lost_db for o in at])} / {_mean([o.noise_left_db for o in at])}")
    gains = {one.name: gain for one in group if (gain := one.gains.get(_GAIN)) is not None}
    if not gains:
        return [name, *cells, "-", "-", ""]
    worst = min(gains, key=lambda each: gains[each])
    share = sum(gain < HARM_DB for gain in gains.values()) / len(gains)
    return [name, *cells, f"{100 * share:.0f} %", f"{gains[worst]:+.1f}", worst]


def _mean(values: list[float | None]) -> str:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return f"{sum(finite) / len(finite):.1f}" if finite else "-"
