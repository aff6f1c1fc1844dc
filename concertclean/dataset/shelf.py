"""Random access to the sounds of a dataset."""

from collections.abc import Collection
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from concertclean.corpora.sources import Role, Split
from concertclean.dataset.store import FULL_SCALE, Entry, Store
from concertclean.synthesis.degradation import MICROPHONE

_Real = TypeVar("_Real", np.float32, np.float64)


class Shelf:
    """Random excerpts of one role in one split of a dataset.

    Args:
        store: the dataset.
        role: to draw from.
        split: to draw from.
        synthetic: only synthesis (True), only recordings (False), or both (None).
        categories: only of these kinds; None: of any.
        favourites: how many times as often a group is drawn, by its name.

    Attributes:
        entries: to draw from.
    """

    def __init__(
        self,
        store: Store,
        role: Role,
        split: Split,
        *,
        synthetic: bool | None = None,
        categories: Collection[str] | None = None,
        favourites: dict[str, float] | None = None,
    ) -> None:
        chosen = store.select(role, split)
        self.store = store
        self.entries = [
            entry
            for entry in chosen
            if (synthetic is None or (entry.sha256 == "") == synthetic)
            and (categories is None or entry.category in categories)
        ]
        weights = [e.n_samples**0.5 * (favourites or {}).get(e.group, 1.0) for e in self.entries]
        self._cumulative = np.cumsum(np.array(weights) / max(sum(weights), 1e-9))

    def __len__(self) -> int:
        return len(self.entries)

    def choose(self, rng: np.random.Generator) -> Entry:
        """An entry; long ones more often, with the root of their length."""
        index = int(np.searchsorted(self._cumulative, rng.random()))
        return self.entries[min(index, len(self.entries) - 1)]

    def draw(self, rng: np.random.Generator, seconds: float, speed: float = 1.0) -> NDArray[np.float32]:
        """At most `seconds` of a random stretch of a random entry.

        Args:
            rng: source of randomness.
            seconds: at most.
            speed: of playing, pitch with it.

        Returns:
            `(channel, time)`, full scale ±1.
        """
        return self.excerpt(rng, self.choose(rng), round(seconds * self.store.header.sample_rate), speed)

    def beginning(self, rng: np.random.Generator, seconds: float) -> NDArray[np.float32]:
        """At most the first `seconds` of a random entry, which contain the direct sound of an impulse response."""
        entry = self.choose(rng)
        stored = self.store.samples(entry)[: round(seconds * self.store.header.sample_rate)]
        return np.asarray(stored, dtype=np.float32).T / np.float32(FULL_SCALE)

    def excerpt(
        self, rng: np.random.Generator, entry: Entry, n_samples: int, speed: float = 1.0
    ) -> NDArray[np.float32]:
        """At most `n_samples` of a random stretch of an entry, `(channel, time)`, full scale ±1."""
        lengths = np.array(entry.pieces)
        piece = int(rng.choice(len(lengths), p=lengths / lengths.sum()))
        begin = int(lengths[:piece].sum())
        wanted = int(n_samples * speed) + 2
        offset = int(rng.integers(0, max(1, int(lengths[piece]) - wanted)))
        stored = self.store.samples(entry)[begin + offset : begin + min(int(lengths[piece]), offset + wanted)]
        waveform = np.asarray(stored, dtype=np.float32).T / np.float32(FULL_SCALE)
        return at_speed(waveform, speed)[:, :n_samples]


def room_shelf(store: Store) -> Shelf:
    """Impulse responses of rooms: all but those of microphones."""
    rooms = {entry.category for entry in store.select("response", "train")} - {MICROPHONE}
    return Shelf(store, "response", "train", categories=rooms)


def at_speed(waveform: NDArray[_Real], speed: float) -> NDArray[_Real]:
    """A waveform played faster or slower, by linear interpolation, which colours it as tape does."""
    if speed == 1.0 or waveform.shape[1] < 2:
        return waveform
    at = np.arange(0, waveform.shape[1] - 1, speed)
    whole = at.astype(int)
    part = (at - whole).astype(waveform.dtype)
    faster: NDArray[_Real] = waveform[:, whole] * (1 - part) + waveform[:, whole + 1] * part
    return faster
