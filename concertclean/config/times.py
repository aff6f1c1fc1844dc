"""Times as people write them: seconds, minutes and seconds, or hours, minutes and seconds; and parts between two."""

import math
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

_SECONDS = r"(\d+(?:\.\d*)?|\.\d+)"
_SIXTY = r"([0-5]?\d(?:\.\d*)?)"
_STRETCH = re.compile(r"([\d:.]+)-([\d:.]+)", re.ASCII)
_FORMS = [re.compile(form, re.ASCII) for form in (_SECONDS, rf"(\d+):{_SIXTY}", rf"(\d+):([0-5]?\d):{_SIXTY}")]


def parse_time(text: str) -> float:
    """Seconds of a time.

    Args:
        text: "75", "75.5", "1:15.5" or "0:01:15.5".

    Returns:
        Seconds, 0 or more, finite.

    Raises:
        ValueError: it is no time; the message shows how to write one.
    """
    found = next(filter(None, (form.fullmatch(text.strip()) for form in _FORMS)), None)
    if found is None:
        raise ValueError(f"{text} is no time; write 75, 1:15 or 0:01:15.5")
    return sum((float(part) * 60.0**place for place, part in enumerate(reversed(found.groups()))), 0.0)


def is_stretch(text: str) -> bool:
    """Whether a text looks like "1:02.5-1:04"."""
    return _STRETCH.fullmatch(text) is not None


def parse_stretch(text: str, *, least_seconds: float = 0.0) -> tuple[float, float]:
    """Start and end of a part of a recording.

    Args:
        text: two times with a hyphen between them, "1:02.5-1:04".
        least_seconds: between the two.

    Returns:
        Both in seconds.

    Raises:
        ValueError: it is no such part, or too short; the message shows how to write one.
    """
    found = _STRETCH.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text} is no part of a recording; write START-END, as 1:15-2:05")
    start, end = map(parse_time, found.groups())
    if end <= start or end - start < least_seconds:
        least = f"{least_seconds:g} s or more " if least_seconds else ""
        raise ValueError(f"{text}: must end {least}after it starts, as 0:00-0:01 does")
    return start, end


def clock(seconds: float) -> str:
    """Minutes and seconds, "1:04", with hours in front if needed."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def in_words(seconds: float) -> str:
    """A length of time, "1 h 12 min", "3 min 20 s" or "4.2 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _stretch(value: object) -> object:
    return parse_stretch(value) if isinstance(value, str) else value


def _split(value: object) -> object:
    return value.split(",") if isinstance(value, str) else value


def _ordered(stretch: tuple[float, float]) -> tuple[float, float]:
    start, end = stretch
    if not 0 <= start < end < math.inf:
        raise ValueError(f"{start:g} to {end:g} s: must end after it starts")
    return stretch


def _parsed(value: object) -> object:
    return parse_time(value) if isinstance(value, str) else value


Time = Annotated[float, BeforeValidator(_parsed)]
"""Seconds in a record that is read from a file; a text such as "1:15" is understood."""

Stretch = Annotated[tuple[float, float], BeforeValidator(_stretch), AfterValidator(_ordered)]
"""Start and end of a part of a recording in seconds; a text such as "1:15-2:05" is understood."""

Stretches = Annotated[tuple[Stretch, ...], BeforeValidator(_split)]
"""Several of them; a text with commas between them is understood."""
