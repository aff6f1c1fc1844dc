"""Times in a recording, as people write them: 75, 1:15 or 0:01:15.5."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator

_TIME: Final = re.compile(r"(?:\d+:){0,2}(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)


def seconds_of(text: str) -> float:
    """Seconds of "62.5", "1:02.5" or "0:01:02.5".

    Raises:
        ValueError: the text is no time, or has 60 seconds or minutes beside a larger unit.
    """
    parts = [float(part) for part in text.strip().split(":")] if _TIME.fullmatch(text.strip()) else []
    if not parts or any(part >= 60 for part in parts[1:]):
        raise ValueError("must be a time such as 75, 1:15 or 0:01:15.5")
    return sum(part * 60.0**place for place, part in enumerate(reversed(parts)))


def clock(seconds: float) -> str:
    """Minutes and seconds, "1:04", with hours in front if needed."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _time(value: object) -> object:
    return seconds_of(value) if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_time)]
"""A field of settings that takes a number of seconds or a time as text."""
