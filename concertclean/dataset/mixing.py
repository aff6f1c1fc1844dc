"""Training items, mixed on demand: a seed and a number determine an item.

The law of an item (levels, ratios, probability of each degradation) is a `MixingLaw`; the recipes in `recipes/` contain
those of the papers and of the shipped weights.
"""

from dataclasses import dataclass

import numpy as np

from concertclean.config.mixing import MixingLaw
from concertclean.corpora.sources import Split
from concertclean.dataset.crowds import Crowd
from concertclean.dataset.music import Music
from concertclean.dataset.shelf import Shelf, room_shelf
from concertclean.dataset.store import Store
from concertclean.dataset.surfaces import Surface
from concertclean.errors import ConfigError
from concertclean.synthesis import degradation
from concertclean.synthesis.shaping import Waveform, rms

_NEARLY_CLEAN_DB = 30.0
_SILENCE = 3e-5  # rms below which no ratio can be measured
_ROOM_SECONDS = 2.0
_RECORDED_SHARE = 0.2  # of the phones; recorded microphones are few, old ones that end at 7 kHz


@dataclass(frozen=True)
class Item:
    """A training item of a network.

    Attributes:
        degraded: its input, `(channel, time)`, full scale ±1.
        clean: its target, same shape.
        description: what was mixed, for messages.
        kind: of noise, if items are distinguished by it.
        is_sung: whether there is singing, if known.
    """

    degraded: Waveform
    clean: Waveform
    description: str
    kind: str = ""
    is_sung: bool = False


class Mixer:
    """Items from a dataset.

    Args:
        store: the dataset.
        law: of the items.
        split: the sounds come from.
        seed: of the items.

    Raises:
        ConfigError: this split of the dataset has no music, or no noise for the task.
    """

    def __init__(self, store: Store, law: MixingLaw, split: Split, seed: int) -> None:
        self._law, self._seed = law, seed
        self.sample_rate, self.channels = store.header.sample_rate, store.header.channels
        self._music = Music(store, law, split)
        self._noise: Crowd | Surface = (Surface if law.task == "gramophone" else Crowd)(store, law, split)
        self._microphones = Shelf(store, "response", "train", categories=[degradation.MICROPHONE])
        self._rooms = room_shelf(store)
        if not self._music:
            raise ConfigError(f"{store.folder}: has no clean music for {split}; build it with more clean music")
        if law.task != "gramophone" and not self._noise:
            raise ConfigError(f"{store.folder}: has no noise for {split}; build it with more noise")
        if law.task == "reverb" and not self._rooms:
            raise ConfigError(f"{store.folder}: has no impulse responses; build it with responses")

    def item(self, number: int, n_samples: int, snr_db: float | None = None) -> Item:
        """Return one item.

        Args:
            number: which one.
            n_samples: its length.
            snr_db: signal-to-noise ratio, inf for clean; None: drawn by the law.
        """
        rng = np.random.default_rng((self._seed, number))
        drawn, music_name = self._music.draw(rng, n_samples)
        music, target = self._music.coloured(rng, drawn)
        placed, target = self._in_room(rng, music, target)
        noise, noise_name = self._noise.draw(rng, n_samples)
        ratio = draw_snr_db(rng, self._law) if snr_db is None else snr_db
        gain_db = self._law.noise_gain_db if snr_db is None and np.isfinite(ratio) else None
        degraded, clean = mix(placed, noise, ratio) if gain_db is None else added(placed, noise, gain_db)
        if target is not placed and ratio != -np.inf:
            clean = target  # the room or the lost band is to be restored too
        if rng.random() < self._law.phone_share:
            is_recorded = rng.random() < _RECORDED_SHARE and self._microphones
            response = self._microphones.beginning(rng, 1.0) if is_recorded else None
            degraded, clean = degradation.phone(
                rng, degraded, clean, self.sample_rate, response=response, codec_share=self._law.codec_share
            )
        degraded, clean = self._levelled(rng, degraded, clean)
        how = f"at {ratio:.1f} dB" if gain_db is None else f"at a gain of {gain_db:.1f} dB"
        return Item(degraded, clean, f"item {number} of seed {self._seed}: {music_name} with {noise_name} {how}")

    def _in_room(self, rng: np.random.Generator, music: Waveform, target: Waveform) -> tuple[Waveform, Waveform]:
        """Music as it sounds at the place of the recording, and the target, which in task "reverb" has no room."""
        if rng.random() >= self._law.room_share or not self._rooms:
            return music, target
        response, dry = self._rooms.beginning(rng, _ROOM_SECONDS), rng.uniform(*self._law.room_dry)
        placed = degradation.reverberate(music, response, dry=dry)
        if self._law.task == "reverb":
            return placed, target
        return placed, placed if target is music else degradation.reverberate(target, response, dry=dry)

    def _levelled(self, rng: np.random.Generator, degraded: Waveform, clean: Waveform) -> tuple[Waveform, Waveform]:
        """Both with one gain by the law, and the peak below full scale."""
        gain = 10 ** (rng.uniform(*self._law.level_db) / 20)
        if self._law.level == "rms":
            gain /= rms(degraded) + 1e-6
            gain = min(gain, 0.99 / (max(float(np.abs(each).max()) for each in (degraded, clean)) + 1e-6))
        degraded_gain = gain * 10 ** (self._law.degraded_db / 20)
        return (degraded * degraded_gain).astype(np.float32), (clean * gain).astype(np.float32)


def draw_snr_db(rng: np.random.Generator, law: MixingLaw) -> float:
    """Signal-to-noise ratio of an item in dB: inf for clean only, -inf for noise only."""
    kind = rng.random() - law.clean_share
    if kind < 0:
        return float("inf")
    kind -= law.noise_only_share
    if kind < 0:
        return float("-inf")
    low, high = law.snr_db
    if kind < law.nearly_clean_share and high < _NEARLY_CLEAN_DB:
        return float(rng.uniform(high, _NEARLY_CLEAN_DB))
    return float(rng.uniform(low, high))


def mix(music: Waveform, noise: Waveform, snr_db: float) -> tuple[Waveform, Waveform]:
    """Degraded and clean waveform at a ratio of their powers over the whole excerpt.

    Args:
        music: `(channel, time)`.
        noise: same shape.
        snr_db: inf leaves the music alone, -inf leaves the noise alone.

    Returns:
        Degraded and clean, same shape; if one of the two is silent, the other at its own level.
    """
    if snr_db == np.inf or rms(noise) < _SILENCE:
        return music, music
    if snr_db == -np.inf or rms(music) < _SILENCE:
        return noise, np.zeros_like(music)
    gain = np.float32(rms(music) / rms(noise) / 10 ** (snr_db / 20))
    return music + noise * gain, music


def added(music: Waveform, noise: Waveform, gain_db: float) -> tuple[Waveform, Waveform]:
    """Degraded and clean waveform with the noise at a gain in dB, whatever the levels of both; same shape."""
    return music + noise * np.float32(10 ** (gain_db / 20)), music
