"""The noise of concert items: layers of crowds, recorded and synthetic, and of other sounds that are not music."""

from typing import Final

import numpy as np

from concertclean.config.mixing import MixingLaw
from concertclean.corpora.sources import Split
from concertclean.dataset.excerpts import filled
from concertclean.dataset.shelf import Shelf
from concertclean.dataset.store import Store
from concertclean.dsp.downmix import downmix
from concertclean.synthesis import crowd, degradation
from concertclean.synthesis.shaping import Waveform, log_uniform, rms
from concertclean.synthesis.variation import Equaliser, decorrelate, grain_cloud

_GRAIN_SOURCE: Final = 4  # a cloud is made from a stretch this many times as long as the item
_TILT_DB: Final = 1.5  # per octave


class Crowd:
    """Noise of one side of a dataset for concert items.

    Args:
        store: the dataset.
        law: of the items.
        split: side.
    """

    def __init__(self, store: Store, law: MixingLaw, split: Split) -> None:
        self._law, self._channels, self._sample_rate = law, store.header.channels, store.header.sample_rate
        self._recorded = Shelf(store, "noise", split, synthetic=False, favourites=law.favourites)
        self._synthetic = Shelf(store, "noise", split, synthetic=True)
        kinds = dict.fromkeys(entry.category for entry in store.select("effect", split))
        shelves = [
            Shelf(store, "speech", split),
            Shelf(store, "shout", split),
            *(Shelf(store, "effect", split, categories=[kind]) for kind in kinds),
        ]
        self._effects = [shelf for shelf in shelves if shelf]

    def __len__(self) -> int:
        """Recordings and synthetic crowds to draw from."""
        return len(self._recorded) + len(self._synthetic)

    def draw(self, rng: np.random.Generator, n_samples: int) -> tuple[Waveform, str]:
        """Layers on top of each other `(channel, time)`, and their description."""
        low, high = self._law.layers
        names, total = [], np.zeros((self._channels, n_samples), np.float32)
        for _ in range(rng.integers(low, high + 1)):
            layer, name = self._layer(rng, n_samples)
            names.append(name)
            weight = rng.uniform(0.15, 1)
            total += layer * np.float32(weight if self._law.noise_gain_db is None else 1.0)
        return total, ", ".join(names)

    def _layer(self, rng: np.random.Generator, n_samples: int) -> tuple[Waveform, str]:
        """One noise at rms one, or at its stored level if the law has a gain for that, and its name."""
        law = self._law
        if self._effects and rng.random() < law.effect_share:
            layer, name = self._scene(rng, n_samples)
        else:
            layer, name = self._excerpt(rng, n_samples)
        if self._channels == 2:
            if rng.random() < law.layer_mono_share:
                layer = np.repeat(downmix(layer), 2, axis=0)
            elif rng.random() < law.parted_share:
                layer = decorrelate(rng, layer, self._sample_rate)
        if rng.random() < law.layer_swap_share:
            layer = layer[::-1]  # left and right
        if rng.random() < law.reversed_share:
            layer = layer[:, ::-1]
        layer = degradation.colour(rng, layer, self._sample_rate, share=law.colour_share)
        if rng.random() < law.noise_equaliser_share:
            layer = Equaliser.draw(rng, law.noise_equaliser_db, _TILT_DB).apply(layer, self._sample_rate)
        if rng.random() < law.moving_share:
            layer = layer * crowd.swell(rng, n_samples, self._sample_rate)
        return (layer / np.float32(rms(layer) + 1e-5) if law.noise_gain_db is None else layer), name

    def _excerpt(self, rng: np.random.Generator, n_samples: int) -> tuple[Waveform, str]:
        """A stretch of a crowd at another speed, or a cloud of its grains."""
        law = self._law
        is_synthetic = self._synthetic and (not self._recorded or rng.random() < law.synthetic_share)
        shelf = self._synthetic if is_synthetic else self._recorded
        entry, speed = shelf.choose(rng), log_uniform(rng, *law.noise_speeds)
        if not is_synthetic and rng.random() < law.grain_share:
            stretch = shelf.excerpt(rng, entry, _GRAIN_SOURCE * n_samples, speed)
            return grain_cloud(rng, stretch, n_samples, self._sample_rate), f"grains of {entry.name}"
        return filled(shelf.excerpt(rng, entry, n_samples, speed), n_samples), entry.name

    def _scene(self, rng: np.random.Generator, n_samples: int) -> tuple[Waveform, str]:
        """Some sounds that are not music, near and far, at independent times."""
        kinds = [self._effects[number] for number in rng.integers(len(self._effects), size=2)]
        scene = crowd.scattered(rng, n_samples, self._sample_rate, clips=kinds, speeds=self._law.noise_speeds)
        if self._channels == 1:
            scene = downmix(scene)
        return scene, "other sounds"
