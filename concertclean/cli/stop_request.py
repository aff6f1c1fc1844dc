"""Whether a long run was asked to end."""

import signal
from types import FrameType
from typing import Any, Self


class StopRequest:
    """Whether the run was asked to end: Ctrl-C or SIGTERM; a second request ends it at once. A context manager.

    Attributes:
        number: of the signal; None: nobody asked.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._before: dict[int, Any] = {}

    def __call__(self) -> bool:
        """Whether somebody asked."""
        return self.number is not None

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, _: FrameType | None) -> None:
        if self.number is not None:
            raise SystemExit(128 + number)
        self.number = number
