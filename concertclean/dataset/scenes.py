"""Items for the scene classifier: clean music, music under a crowd, disc transfers and speech in equal numbers.

All pass the same phones, codecs, rooms and equalisers, so none of these reveals a scene.
"""

from typing import Final

import numpy as np

from concertclean.config.mixing import DetectLaw, MixingLaw
from concertclean.corpora.sources import Split
from concertclean.dataset.crowds import Crowd
from concertclean.dataset.excerpts import filled
from concertclean.dataset.mixing import Item, mix
from concertclean.dataset.music import Music
from concertclean.dataset.shelf import Shelf
from concertclean.dataset.store import Store
from concertclean.dsp.downmix import downmix
from concertclean.dsp.scene_images import SCENES
from concertclean.errors import ConfigError
from concertclean.synthesis import degradation, disc, transfer
from concertclean.synthesis.shaping import Waveform, rms, room_response
from concertclean.synthesis.variation import Equaliser

_QUIET: Final = 1e-4  # rms of an empty excerpt
_TRIES: Final = 8
_PAUSE_SECONDS: Final = 0.4


class Scenes:
    """Items from one split of a dataset of task "concert".

    Args:
        store: the dataset, including speech.
        law: of the items.
        split: side.
        seed: of the items.

    Raises:
        ConfigError: the split lacks music, a crowd or speech.
    """

    def __init__(self, store: Store, law: DetectLaw, split: Split, seed: int) -> None:
        self._law, self._seed, self.sample_rate = law, seed, store.header.sample_rate
        plain = MixingLaw(
            task="concert",
            snr_db=(0.0, 0.0),
            song_share=0.1,
            sung_share=0.3,
            dense_share=0.1,
            noise_speeds=(0.7, 1.4),
            noise_equaliser_share=0.5,
            synthetic_share=0.3,
            effect_share=0.05,
            favourites=law.favourites,
        )
        self._music, self._crowd = Music(store, plain, split), Crowd(store, plain, split)
        self._speech = Shelf(store, "speech", split)
        if not (len(self._music) and len(self._crowd) and self._speech):
            raise ConfigError(f"{store.folder}: needs music, crowds and speech for {split}; build it with speech")

    def item(self, number: int, n_samples: int) -> Item:
        """Item `number`: a waveform `(1, time)`, and, instead of a clean one, the index of its scene, `(1, 1)`."""
        rng = np.random.default_rng((self._seed, number))
        scene = SCENES[number % len(SCENES)]
        for _ in range(_TRIES):
            waveform = self._draw(scene, rng, n_samples)
            if rms(waveform) > _QUIET:
                break
        waveform = self._recorded(rng, waveform)
        level = 10 ** (rng.uniform(*self._law.level_db) / 20) / max(rms(waveform), 1e-6)
        index = np.full((1, 1), SCENES.index(scene), np.float32)
        return Item((waveform * level).astype(np.float32), index, f"item {number}: {scene}", scene)

    def _draw(self, scene: str, rng: np.random.Generator, n_samples: int) -> Waveform:
        law = self._law
        if scene == "speech":
            return self._spoken(rng, n_samples)
        music = downmix(self._music.coloured(rng, self._music.draw(rng, n_samples)[0])[0])
        if scene == "crowd":
            noise = downmix(self._crowd.draw(rng, n_samples)[0])
            return mix(music, noise, rng.uniform(*law.crowd_db))[0]
        if scene == "disc":
            if rng.random() < 0.8:
                music = degradation.band_limit(rng, music, self.sample_rate)
            make = transfer.transfer_noise if rng.random() < 0.6 else disc.disc_noise
            noise = make(rng, n_samples, self.sample_rate)
            return mix(music, noise, rng.uniform(*law.disc_db))[0]
        return degradation.band_limit(rng, music, self.sample_rate) if rng.random() < 0.15 else music

    def _spoken(self, rng: np.random.Generator, n_samples: int) -> Waveform:
        """Words one after the other, some in a room."""
        parts: list[Waveform] = []
        while sum(part.shape[1] for part in parts) < n_samples:
            parts.append(downmix(self._speech.draw(rng, 6.0, rng.uniform(0.9, 1.1))))
            parts.append(np.zeros((1, int(rng.uniform(0, _PAUSE_SECONDS) * self.sample_rate)), np.float32))
        words = filled(np.concatenate(parts, axis=1), n_samples)
        if rng.random() < 0.3:
            words = degradation.reverberate(words, room_response(rng, self.sample_rate)[:1], dry=rng.uniform(0.3, 0.9))
        return words

    def _recorded(self, rng: np.random.Generator, waveform: Waveform) -> Waveform:
        """The waveform after a recorder, an engineer and a codec."""
        if rng.random() < 0.5:
            waveform = Equaliser.draw(rng, 4.0).apply(waveform, self.sample_rate)
        if rng.random() < 0.2:
            waveform = degradation.phone(rng, waveform, waveform, self.sample_rate, codec_share=0.5)[0]
        return waveform
