"""Means of the numbers of several steps, for one line of the log."""


class Means:
    """Means by name."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, **values: float) -> None:
        """Take a value of each name into its mean."""
        for name, value in values.items():
            self._values.setdefault(name, []).append(value)

    def flush(self) -> dict[str, float]:
        """Means of what was added since the last call."""
        means = {name: sum(values) / len(values) for name, values in self._values.items()}
        self._values = {}
        return means
