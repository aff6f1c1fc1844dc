"""Times as people write them: seconds, minutes and seconds, or hours, minutes and seconds."""

import re
from typing import Annotated

from pydantic import BeforeValidator

_SECONDS = r"(\d+(?:\.\d*)?|\.\d+)"
_SIXTY = r"([0-5]?\d(?:\.\d*)?)"
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


def clock(seconds: float) -> str:
    """Minutes and seconds, "1:04", with hours in front if needed."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _parsed(value: object) -> object:
    return parse_time(value) if isinstance(value, str) else value


Time = Annotated[float, BeforeValidator(_parsed)]
"""Seconds in a record that is read from a file; a text such as "1:15" is understood."""
