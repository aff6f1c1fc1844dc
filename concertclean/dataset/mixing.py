"""Training items, mixed when they are needed: a seed and a number give an item, the same one every time.

The law of an item (levels, ratios, how often each degradation comes) is a `MixingLaw`; the recipes in `recipes/`
hold those of the papers and those of the weights that ship.
"""

from dataclasses import dataclass

import numpy as np

from concertclean.config.mixing import MixingLaw
from concertclean.dataset.corpus.sources import Split
from concertclean.dataset.shelf import Shelf
from concertclean.dataset.store import Store
from concertclean.dataset.synthesis import crowd, degradation, disc
from concertclean.dataset.synthesis.shaping import Waveform, log_uniform, rms, unit_rms
from concertclean.errors import ConfigError

_NEARLY_CLEAN_DB = 30.0
_SILENCE = 3e-5  # rms below which there is nothing to measure a ratio by
_JOINT_SAMPLES = 2205  # 50 ms at 44.1 kHz
_ROOM_SECONDS = 2.0
_RECORDED_SHARE = 0.2  # of the phones; there are few recorded microphones, old ones that end at 7 kHz
_SECOND_SURFACE = 0.3  # share of the recorded disc noises that are two of them
_SURFACE_SPEEDS = (0.7, 1.4)
MICROPHONE = "phone"  # category of impulse responses that are a microphone's; all others are rooms'


@dataclass(frozen=True)
class Item:
    """What a network learns from.

    Attributes:
        degraded: what it gets, `(channel, time)`, full scale ±1.
        clean: what it should give, same shape.
        story: what was mixed, for messages.
        kind: of noise, where items are told apart by it.
    """

    degraded: Waveform
    clean: Waveform
    story: str
    kind: str = ""


class Mixer:
    """Items from a dataset.

    Args:
        store: the dataset.
        law: of the items.
        split: side the sounds come from.
        seed: of the items.

    Raises:
        ConfigError: the dataset has no music, or no noise that the task needs, on this side.
    """

    def __init__(self, store: Store, law: MixingLaw, split: Split, seed: int) -> None:
        self._law, self._seed = law, seed
        self.sample_rate, self.channels = store.header.sample_rate, store.header.channels
        self._music = Shelf(store, "clean", split, favourites=law.favourites)
        self._recorded = Shelf(store, "noise", split, synthetic=False, favourites=law.favourites)
        self._synthetic = Shelf(store, "noise", split, synthetic=True)
        self._microphones = Shelf(store, "response", "train", categories=[MICROPHONE])
        rooms = {entry.category for entry in store.select("response", "train")} - {MICROPHONE}
        self._rooms = Shelf(store, "response", "train", categories=rooms)
        if not self._music:
            raise ConfigError(f"{store.folder}: has no clean music for {split}; build it with more --clean folders")
        if law.task != "gramophone" and not self._recorded and not self._synthetic:
            raise ConfigError(f"{store.folder}: has no noise for {split}; build it with more --noise folders")
        if law.task == "reverb" and not self._rooms:
            raise ConfigError(f"{store.folder}: has no impulse responses; build it with --response FOLDER")

    def item(self, number: int, n_samples: int, snr_db: float | None = None) -> Item:
        """Return one item.

        Args:
            number: which one.
            n_samples: its length.
            snr_db: signal-to-noise ratio, inf for clean; None: drawn by the law.
        """
        rng = np.random.default_rng((self._seed, number))
        music, told = self._draw_music(rng, n_samples)
        heard = self._in_room(rng, music)
        noise, noise_told = self._draw_noise(rng, n_samples)
        ratio = draw_snr_db(rng, self._law) if snr_db is None else snr_db
        degraded, clean = mix(heard, noise, ratio)
        if self._law.task == "reverb" and ratio != -np.inf:
            clean = music  # the room is to go as well
        if rng.random() < self._law.phone_share:
            is_recorded = rng.random() < _RECORDED_SHARE and self._microphones
            response = self._microphones.beginning(rng, 1.0) if is_recorded else None
            degraded, clean = degradation.phone(
                rng, degraded, clean, self.sample_rate, response=response, codec_share=self._law.codec_share
            )
        degraded, clean = self._levelled(rng, degraded, clean)
        return Item(degraded, clean, f"item {number} of seed {self._seed}: {told} with {noise_told} at {ratio:.1f} dB")

    def _draw_music(self, rng: np.random.Generator, n_samples: int) -> tuple[Waveform, str]:
        """A clean excerpt and its name."""
        entry = self._music.choose(rng)
        music = filled(self._music.excerpt(rng, entry, n_samples, rng.uniform(*self._law.speeds)), n_samples)
        if self.channels == 2:
            place = rng.random()
            if place < self._law.mono_share:
                music = np.repeat(music.mean(axis=0, keepdims=True), 2, axis=0)
            elif rng.random() < self._law.swap_share:
                music = music[::-1]
        if rng.random() < self._law.band_limit_share:
            music = degradation.band_limit(rng, music, self.sample_rate)
        return music, entry.name

    def _in_room(self, rng: np.random.Generator, music: Waveform) -> Waveform:
        """Music as it is heard where it is recorded."""
        if rng.random() >= self._law.room_share or not self._rooms:
            return music
        response = self._rooms.beginning(rng, _ROOM_SECONDS)
        return degradation.reverberate(music, response, dry=rng.uniform(0.2, 0.9))

    def _draw_noise(self, rng: np.random.Generator, n_samples: int) -> tuple[Waveform, str]:
        """A noise and its name."""
        if self._law.task == "gramophone":
            is_recorded = self._recorded and rng.random() >= self._law.synthetic_share
            recorded = self._surface(rng, n_samples) if is_recorded else None
            return disc.disc_noise(rng, n_samples, self.sample_rate, recorded=recorded), "disc noise"
        low, high = self._law.layers
        names, total = [], np.zeros((self.channels, n_samples), np.float32)
        for _ in range(rng.integers(low, high + 1)):
            layer, name = self._layer(rng, n_samples)
            names.append(name)
            total += layer * np.float32(rng.uniform(0.15, 1))
        return total, ", ".join(names)

    def _surface(self, rng: np.random.Generator, n_samples: int) -> Waveform:
        """Recorded noise, often another one on top, each with a speed, a direction and a colour of its own."""
        total = np.zeros((self.channels, n_samples), np.float32)
        for _ in range(1 + (rng.random() < _SECOND_SURFACE)):
            speed = log_uniform(rng, *_SURFACE_SPEEDS)
            drawn = self._recorded.draw(rng, n_samples / self.sample_rate, speed)
            noise = disc.loop_revolutions(drawn, n_samples, self.sample_rate)
            if rng.random() < 0.5:
                noise = noise[:, ::-1]
            total += unit_rms(degradation.colour(rng, noise, self.sample_rate)) * np.float32(rng.uniform(0.3, 1))
        return total

    def _layer(self, rng: np.random.Generator, n_samples: int) -> tuple[Waveform, str]:
        """One noise at rms one, and its name."""
        is_synthetic = self._synthetic and (not self._recorded or rng.random() < self._law.synthetic_share)
        shelf = self._synthetic if is_synthetic else self._recorded
        entry = shelf.choose(rng)
        layer = filled(shelf.excerpt(rng, entry, n_samples, rng.uniform(0.8, 1.25)), n_samples)
        if self.channels == 2 and rng.random() < 0.3:
            layer = np.repeat(layer.mean(axis=0, keepdims=True), 2, axis=0)
        if rng.random() < 0.5:
            layer = layer[::-1]
        layer = degradation.colour(rng, layer, self.sample_rate)
        if rng.random() < self._law.moving_share:
            layer = layer * crowd.swell(rng, n_samples, self.sample_rate)
        return layer / np.float32(rms(layer) + 1e-5), entry.name

    def _levelled(self, rng: np.random.Generator, degraded: Waveform, clean: Waveform) -> tuple[Waveform, Waveform]:
        """Both with the one gain that the law asks for, the peak below full scale."""
        gain = 10 ** (rng.uniform(*self._law.level_db) / 20)
        if self._law.level == "rms":
            gain /= rms(degraded) + 1e-6
            gain = min(gain, 0.99 / (max(float(np.abs(each).max()) for each in (degraded, clean)) + 1e-6))
        return (degraded * gain).astype(np.float32), (clean * gain).astype(np.float32)


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


def filled(waveform: Waveform, n_samples: int) -> Waveform:
    """A waveform made exactly `n_samples` long: repeated, with cross-fades of equal power, or cut.

    Args:
        waveform: `(channel, time)`, not empty.
        n_samples: wanted.
    """
    if waveform.shape[1] >= n_samples:
        return waveform[:, :n_samples]
    fade = min(_JOINT_SAMPLES, waveform.shape[1] // 4)
    angle = np.linspace(0, np.pi / 2, fade, dtype=np.float32)
    parts, length = [waveform], waveform.shape[1]
    while length < n_samples:
        joint = parts[-1][:, parts[-1].shape[1] - fade :] * np.cos(angle) + waveform[:, :fade] * np.sin(angle)
        parts[-1] = parts[-1][:, : parts[-1].shape[1] - fade]
        parts.append(np.concatenate([joint, waveform[:, fade:]], axis=1))
        length += waveform.shape[1] - fade
    return np.concatenate(parts, axis=1)[:, :n_samples]
