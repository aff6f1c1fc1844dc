"""The music of training items: excerpts of a dataset, with singers if the law requires them, in many timbres."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from concertclean.config.mixing import MixingLaw
from concertclean.corpora.sources import Split
from concertclean.dataset.excerpts import filled
from concertclean.dataset.shelf import Shelf, room_shelf
from concertclean.dataset.store import FULL_SCALE, Entry, Store
from concertclean.dsp.downmix import downmix
from concertclean.synthesis import degradation
from concertclean.synthesis.shaping import Waveform, rms
from concertclean.synthesis.variation import Equaliser

_SINGS: Final = 3e-3  # rms of audible vocals, -50 dB of full scale
_TRIES: Final = 6
_ROOM_SECONDS: Final = 1.5
_QUIET: Final = 1e-3  # rms below which music counts as a rest and a voice gets this level


@dataclass(frozen=True)
class Song:
    """A song whose singers and band are stored separately, aligned to the sample.

    Attributes:
        vocals: all that is sung.
        backing: all the rest.
    """

    vocals: Entry
    backing: Entry

    @property
    def n_samples(self) -> int:
        """As long as both are."""
        return min(self.vocals.n_samples, self.backing.n_samples)


class Music:
    """Music of one side of a dataset.

    Args:
        store: the dataset.
        law: of the items.
        split: side.
    """

    def __init__(self, store: Store, law: MixingLaw, split: Split) -> None:
        self._store, self._law, self._channels = store, law, store.header.channels
        self._sample_rate = store.header.sample_rate
        self._pieces = Shelf(store, "clean", split, favourites=law.favourites)
        self._voices = Shelf(store, "voice", split)
        self._rooms = room_shelf(store)
        self.songs = songs_of(store, split)

    def __len__(self) -> int:
        """Pieces and songs to draw from."""
        return len(self._pieces) + len(self.songs)

    def draw(self, rng: np.random.Generator, n_samples: int) -> tuple[Waveform, str]:
        """An excerpt `(channel, time)` and its description."""
        law = self._law
        if self.songs and rng.random() < law.song_share:
            music, name = self._draw_song(rng, n_samples)
        else:
            music, name = self._draw_piece(rng, n_samples)
            if rng.random() < law.dense_share:
                other, other_name = self._draw_piece(rng, n_samples)
                music, name = _on_top(rng, music, other, law.dense_db), f"{name} and {other_name}"
            if self._voices and rng.random() < law.sung_share:
                music, name = _on_top(rng, music, self._draw_voice(rng, n_samples), law.sung_db), f"{name}, sung"
        return np.ascontiguousarray(music, dtype=np.float32), name

    def coloured(self, rng: np.random.Generator, music: Waveform) -> tuple[Waveform, Waveform]:
        """Music as it was recorded, and as it should come out: the same waveform, unless only the first loses band."""
        law, target = self._law, music
        if rng.random() < law.band_limit_share:
            band = degradation.old_band(rng, law.wide_band_share)
            music = degradation.band_limit(rng, music, self._sample_rate, band=band)
            target = music if law.band_limit_target else target
        if rng.random() < law.music_equaliser_share:
            equaliser, is_one = Equaliser.draw(rng, law.music_equaliser_db), target is music
            music = equaliser.apply(music, self._sample_rate)
            target = music if is_one else equaliser.apply(target, self._sample_rate)
        return music, target

    def _draw_piece(self, rng: np.random.Generator, n_samples: int) -> tuple[Waveform, str]:
        entry = self._pieces.choose(rng)
        music = filled(self._pieces.excerpt(rng, entry, n_samples, rng.uniform(*self._law.speeds)), n_samples)
        if self._channels == 2:
            if rng.random() < self._law.mono_share:
                music = np.repeat(downmix(music), 2, axis=0)
            elif rng.random() < self._law.swap_share:
                music = music[::-1]
        return music, entry.name

    def _draw_song(self, rng: np.random.Generator, n_samples: int) -> tuple[Waveform, str]:
        """Singers and band of one song at independent levels, from a stretch with singing."""
        law, song = self._law, self.songs[rng.integers(len(self.songs))]
        for _ in range(_TRIES):
            start = int(rng.integers(0, max(1, song.n_samples - n_samples)))
            vocals = self._stretch(song.vocals, start, n_samples)
            if rms(vocals) > _SINGS:
                break
        is_alone = rng.random() < law.a_cappella_share
        music = vocals * np.float32(10 ** (rng.uniform(*law.vocals_db) / 20))
        if not is_alone:
            backing = self._stretch(song.backing, start, n_samples)
            music = music + backing * np.float32(10 ** (rng.uniform(*law.backing_db) / 20))
        return filled(music, n_samples), song.vocals.title + (", vocals alone" if is_alone else "")

    def _draw_voice(self, rng: np.random.Generator, n_samples: int) -> Waveform:
        """A voice at a position, with a timbre, in half of the items in a room; silent in its rests."""
        entry = self._voices.choose(rng)
        voice = filled(self._voices.excerpt(rng, entry, n_samples), n_samples)
        if self._channels == 2 and rng.random() < 0.3:
            voice = voice * rng.uniform(0.4, 1, (2, 1)).astype(np.float32)
        voice = Equaliser.draw(rng, 4.0).apply(voice, self._sample_rate)
        if self._rooms and rng.random() < 0.5:
            response = self._rooms.beginning(rng, _ROOM_SECONDS)
            voice = degradation.reverberate(voice, response, dry=rng.uniform(0.3, 0.9))
        return voice

    def _stretch(self, entry: Entry, start: int, n_samples: int) -> Waveform:
        """Part of an entry at the level of its source."""
        stored = np.asarray(self._store.samples(entry)[start : start + n_samples], np.float32).T
        return np.asarray(stored / np.float32(FULL_SCALE * 10 ** (entry.gain_db / 20)))


def songs_of(store: Store, split: Split) -> list[Song]:
    """Songs of a split with both vocals and backing."""
    backing = {(entry.group, entry.title): entry for entry in store.select("backing", split)}
    vocals = store.select("vocals", split)
    return [Song(entry, backing[entry.group, entry.title]) for entry in vocals if (entry.group, entry.title) in backing]


def _on_top(rng: np.random.Generator, music: Waveform, other: Waveform, level_db: tuple[float, float]) -> Waveform:
    """Music with something added, at a level in dB relative to the music."""
    level = rms(other)
    if level < 1e-4:
        return music
    gain = max(rms(music), _QUIET) / level * 10 ** (rng.uniform(*level_db) / 20)
    return music + other * np.float32(gain)
