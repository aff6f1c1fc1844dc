"""Training items for bleed: excerpts of songs whose stems are mixed by a law; a number determines an item."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import NDArray

from concertclean.config.mixing import BleedLaw
from concertclean.dataset.bleed.build import list_songs
from concertclean.dataset.bleed.conditions import draw_matrix
from concertclean.dataset.mixing import Item
from concertclean.dataset.shelf import at_speed
from concertclean.dataset.store import FULL_SCALE
from concertclean.dsp.arrays import Array
from concertclean.errors import ConfigError

_SILENT = 1e-4  # rms
_TRIES = 20
# What numpy raises for a file of another kind; Python's own parser reads its header.
_REFUSALS = (OSError, ValueError, EOFError, SyntaxError, TokenError, RecursionError, MemoryError, OverflowError)


class BleedMixer:
    """Items from the songs in one split of a bleed dataset.

    Args:
        folder: of the dataset.
        law: of the items.
        n_tracks: stems of an item, each with its microphone, if the law names no instrument.
        seed: of the items.
        side: whose songs, "train" or "validation".
        instruments: stems of the microphones, always in this order; none: any, in any order.
        n_more: microphones after those, which have no stem of their own.

    Raises:
        ConfigError: the folder contains no bleed dataset, or no song in that split fits.

    Attributes:
        sample_rate: Hz.
        n_songs: number that fit.
    """

    def __init__(
        self,
        folder: Path,
        law: BleedLaw,
        n_tracks: int,
        seed: int,
        side: str = "train",
        instruments: Sequence[str] = (),
        n_more: int = 0,
    ) -> None:
        self._instruments, self._n_more = tuple(instruments), n_more
        self._law, self._n_tracks, self._seed = law, n_tracks, seed
        self.sample_rate, songs = list_songs(folder, side)
        self._songs = [song for song in songs if self._fits(song)]
        self.n_songs = len(self._songs)
        if not self._songs:
            wanted = f"{n_tracks} stems" if law.stem is None else f"a stem called {law.stem} and another"
            wanted = f"all of {', '.join(instruments)}" if instruments else wanted
            raise ConfigError(f"{folder}: no song in {side} has {wanted}; build it from other songs")

    def item(self, number: int, n_samples: int) -> Item:
        """One item.

        Args:
            number: of the item, 0 or more.
            n_samples: its length.

        Returns:
            The microphones `(microphone, time)` and the stems of the first of them, `(stem, time)`, or, if the law
            names an instrument, its microphone and its stem, `(1, time)`.
        """
        rng = np.random.default_rng([self._seed, number])
        paths, stems = self._excerpt(rng, n_samples)
        stems *= 10 ** (rng.uniform(*self._law.levels_db, (len(stems), 1)) / 20)
        matrix = draw_matrix(len(stems), rng, *self._law.gains)
        if self._n_more:
            matrix = np.vstack([matrix, rng.uniform(*self._law.gains, (self._n_more, len(stems)))])
        heard = matrix @ stems
        if self._law.stem is not None:
            heard, stems = heard[:1], stems[:1]
        description = f"{paths[0].parent.name}: {', '.join(path.stem for path in paths)}"
        return Item(heard.astype(np.float32), stems.astype(np.float32), description)

    def _fits(self, song: list[Path]) -> bool:
        if self._instruments:
            return set(self._instruments) <= {path.stem for path in song}
        if self._law.stem is None:
            return len(song) >= self._n_tracks
        return len(song) > 1 and any(path.stem == self._law.stem for path in song)

    def _excerpt(self, rng: np.random.Generator, n_samples: int) -> tuple[list[Path], Array]:
        """Stems that all sound, if found in a few tries."""
        for _ in range(_TRIES):
            paths = self._chosen(rng)
            stems = self._played(rng, paths, n_samples)
            if np.sqrt(np.square(stems).mean(axis=1)).min() > _SILENT:
                break
        return paths, stems

    def _played(self, rng: np.random.Generator, paths: list[Path], n_samples: int) -> Array:
        """An excerpt from anywhere, at a speed of the law."""
        place = rng.random()
        speed = rng.uniform(*self._law.speeds)
        return at_speed(read_excerpt(paths, place, ceil(n_samples * speed) + 2), speed)[:, :n_samples]

    def _chosen(self, rng: np.random.Generator) -> list[Path]:
        """Files of one song, in the order of the microphones."""
        song = self._songs[rng.integers(len(self._songs))]
        if self._instruments:
            by_name = {path.stem: path for path in song}
            return [by_name[name] for name in self._instruments]
        if self._law.stem is None:
            return [song[k] for k in rng.permutation(len(song))[: self._n_tracks]]
        return sorted(song, key=lambda path: path.stem != self._law.stem)


def read_excerpt(paths: Sequence[Path], place: float, n_samples: int) -> Array:
    """The same excerpt of every stem, padded with silence if one is too short.

    Args:
        paths: of stems of one song.
        place: where it lies, from 0, the beginning, to 1.
        n_samples: its length.

    Returns:
        `(stem, time)`, full scale ±1.

    Raises:
        ConfigError: a file is damaged.
    """
    stems = np.zeros((len(paths), n_samples))
    for stem, path in zip(stems, paths, strict=True):
        stored = _stored(path)
        start = int(place * max(0, len(stored) - n_samples))
        found = stored[start : start + n_samples]
        stem[: len(found)] = found / FULL_SCALE
    return stems


def read_song(paths: Sequence[Path]) -> Array:
    """All of every stem, `(stem, time)`, full scale ±1; ConfigError for a damaged file."""
    return read_excerpt(paths, 0.0, max(len(_stored(path)) for path in paths))


def _stored(path: Path) -> NDArray[np.int16]:
    """The samples of a stem, mapped."""
    try:
        stored: NDArray[np.int16] = np.lib.format.open_memmap(path, mode="r")
    except _REFUSALS as error:
        raise ConfigError(f"{path}: cannot be read ({error}); build the dataset again") from error
    if stored.ndim != 1 or stored.dtype != np.int16:
        raise ConfigError(f"{path}: holds {stored.ndim}-dimensional {stored.dtype}; build the dataset again")
    return stored
