"""Training items for separation: mixtures of the stems of a bleed dataset; a number determines an item.

A mixture is the sum of all stems of a song at the levels at which they are stored, times the gains of the law. The
dataset may hold clean stems, or what microphones picked up, or that after bleed reduction: a separator learns from any.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from concertclean.config.mixing import SeparateLaw
from concertclean.dataset.bleed.build import list_songs
from concertclean.dataset.bleed.mixer import read_excerpt
from concertclean.dataset.mixing import Item
from concertclean.dsp.arrays import Array
from concertclean.errors import ConfigError

ACCOMPANIMENT = "accompaniment"
"""Name of the sum of all stems that are not named, in songs without a stem of this name."""


class SeparationMixer:
    """Mixtures of the songs in one split of a bleed dataset.

    Args:
        folder: of the dataset.
        law: of the items.
        instruments: the stems to separate, in this order; songs that lack one do not count.
        seed: of the items.
        side: whose songs, "train" or "validation".

    Raises:
        ConfigError: the folder contains no bleed dataset, or no song in that split has these stems.

    Attributes:
        sample_rate: Hz.
        n_songs: number that have them.
    """

    def __init__(
        self, folder: Path, law: SeparateLaw, instruments: Sequence[str], seed: int, side: str = "train"
    ) -> None:
        self._law, self._seed = law, seed
        self.sample_rate, songs = list_songs(folder, side)
        self._songs = [parts for song in songs if (parts := _parts(song, instruments))]
        self.n_songs = len(self._songs)
        if not self._songs:
            wanted = ", ".join(instruments)
            raise ConfigError(f"{folder}: no song in {side} has all of {wanted}; build it from other songs")

    def item(self, number: int, n_samples: int) -> Item:
        """One item.

        Args:
            number: of the item, 0 or more.
            n_samples: its length.

        Returns:
            The mixture, `(1, time)`, and its stems, `(stem, 1, time)`.
        """
        rng = np.random.default_rng([self._seed, number])
        n_parts = len(self._songs[0])
        n_drawn = n_parts if rng.random() < self._law.remixed_share else 1
        songs = np.broadcast_to(rng.integers(len(self._songs), size=n_drawn), n_parts)
        places = np.broadcast_to(rng.random(n_drawn), n_parts)
        drawn = zip(songs, places, strict=True)
        parts = np.stack([self._played(song, part, place, n_samples) for part, (song, place) in enumerate(drawn)])
        scaled = (parts * rng.uniform(*self._law.gains, (n_parts, 1)))[:, None].astype(np.float32)
        names = dict.fromkeys(self._songs[song][0][0].parent.name for song in songs)
        return Item(scaled.sum(axis=0), scaled[:-1], f"item {number} of seed {self._seed}: {', '.join(names)}")

    def _played(self, song: int, part: int, place: float, n_samples: int) -> Array:
        """One part of a song, `(time,)`, the sum of its files."""
        total: Array = read_excerpt(self._songs[song][part], place, n_samples).sum(axis=0)
        return total


def _parts(song: Sequence[Path], instruments: Sequence[str]) -> list[list[Path]]:
    """Files of each stem, and those of the rest of the mixture; nothing if the song lacks a stem."""
    by_name = {path.stem: path for path in song}
    others = [path for name, path in by_name.items() if name not in instruments]
    parts = []
    for name in instruments:
        if name in by_name:
            parts.append([by_name[name]])
        elif name == ACCOMPANIMENT and others:
            parts.append(others)
            others = []
        else:
            return []
    return [*parts, others]
