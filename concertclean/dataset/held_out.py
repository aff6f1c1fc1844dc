"""Mixtures for evaluation: every song of a split in turn with every kind of noise in turn, with and without singers.

Training draws items at random; a table must show the result for each kind of noise, with equal weight for all songs. So
the kinds and the songs cycle, each in its own order, without processing: no phone, no room, one level. Every second
item of music without a singer gets a voice, if the split has voices.
"""

from collections.abc import Callable

import numpy as np

from concertclean.corpora.sources import Split
from concertclean.dataset.excerpts import filled
from concertclean.dataset.mixing import Item, mix
from concertclean.dataset.shelf import Shelf
from concertclean.dataset.store import Entry, Store
from concertclean.synthesis import calls, crowd, disc, transfer
from concertclean.synthesis.shaping import Waveform, layered, rms

SUNG = "sung"
"""Category of music with a singer in it."""

_QUIETEST = 3e-3  # rms of an excerpt: in quieter ones the noise would be below 16 bits
_TRIES = 20
_FEW = 8  # up to this many noises are distinguished by name, more by category
_VOICE_DB = (-3.0, 3.0)  # of a voice over the music

Noise = Callable[[np.random.Generator, int], Waveform]


class HeldOut:
    """Items from one split of a dataset, of task "concert" or "gramophone".

    Args:
        store: the dataset; the split has music and at least one noise, or the task is "gramophone".
        split: which side.
        seed: of excerpts and order.

    Attributes:
        kinds: of noise, by name; `(rng, n_samples)` to `(channel, time)`.
    """

    def __init__(self, store: Store, split: Split, seed: int) -> None:
        self._store, self._split, self._seed = store, split, seed
        self._songs = Shelf(store, "clean", split)
        self._voices = Shelf(store, "voice", split)
        self.kinds = self._kinds()

    def item(self, number: int, n_samples: int, snr_db: float) -> Item:
        """Item `number` at a ratio; the same song and noise at every ratio."""
        n_kinds, n_songs = len(self.kinds), len(self._songs)
        kind = list(self.kinds)[number % n_kinds]
        order = np.random.default_rng((self._seed, number // n_songs)).permutation(n_songs)
        entry = self._songs.entries[order[number % n_songs]]
        rng = np.random.default_rng((self._seed, 1, number))
        song = self._excerpt(rng, entry, n_samples)
        is_sung = entry.category == SUNG
        if not is_sung and self._voices and (number // n_kinds) % 2 == 0:
            song, is_sung = self._sung(rng, song), True
        degraded, clean = mix(song, self.kinds[kind](rng, n_samples), snr_db)
        description = f"{entry.name}{', sung' if is_sung else ''} with {kind} at {snr_db:.1f} dB"
        return Item(degraded, clean, description, kind, is_sung)

    def _excerpt(self, rng: np.random.Generator, entry: Entry, n_samples: int) -> Waveform:
        """A stretch of a song that is not silent, or the last one tried."""
        for _ in range(_TRIES):
            song = filled(self._songs.excerpt(rng, entry, n_samples), n_samples)
            if rms(song) > _QUIETEST:
                break
        return song

    def _sung(self, rng: np.random.Generator, song: Waveform) -> Waveform:
        """The song with a voice in it."""
        voice = filled(self._voices.excerpt(rng, self._voices.choose(rng), song.shape[1]), song.shape[1])
        gain = rms(song) / max(rms(voice), 1e-6) * 10 ** (rng.uniform(*_VOICE_DB) / 20)
        return song + voice * np.float32(gain)

    def _kinds(self) -> dict[str, Noise]:
        rate = self._store.header.sample_rate
        noises = self._store.select("noise", self._split)
        by_name = len(noises) < _FEW
        kinds = {
            entry.title if by_name else entry.category or "noise": self._recorded(entry, by_name) for entry in noises
        }
        if self._store.header.task == "gramophone":
            kinds["synthetic"] = lambda rng, n: disc.disc_noise(rng, n, rate)
            kinds["transfer"] = lambda rng, n: transfer.transfer_noise(rng, n, rate)
        else:
            kinds |= self._voiced_kinds(rate)
        return kinds

    def _voiced_kinds(self, rate: int) -> dict[str, Noise]:
        """Near voices and shouts from the split's speech; whistles too for validation, which has no recorded ones."""
        speech, shouts = (Shelf(self._store, role, self._split) for role in ("speech", "shout"))
        kinds: dict[str, Noise] = {}
        if speech:
            kinds["near voices"] = lambda rng, n: crowd.near_voices(rng, n, rate, clips=[speech])
        if shouts:
            kinds["shouts"] = lambda rng, n: crowd.scattered(rng, n, rate, clips=[shouts])
        if self._split == "validation" and kinds:
            kinds["whistles"] = lambda rng, n: layered(
                rng, n, rate, utter=lambda rng: calls.whistle(rng, rate), starts=rng.uniform(0, 2, 3), rest_seconds=0.7
            )
        return kinds

    def _recorded(self, entry: Entry, by_name: bool) -> Noise:
        """Excerpts of one recording, or of all that have its category."""
        shelf = Shelf(self._store, "noise", self._split, categories=[entry.category])

        def make(rng: np.random.Generator, n_samples: int) -> Waveform:
            chosen = entry if by_name else shelf.choose(rng)
            return filled(shelf.excerpt(rng, chosen, n_samples), n_samples)

        return make
