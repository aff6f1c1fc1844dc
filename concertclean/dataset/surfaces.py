"""The noise of gramophone items: synthesis, recorded surfaces, and both."""

from typing import Final

import numpy as np

from concertclean.config.mixing import MixingLaw
from concertclean.corpora.sources import Split
from concertclean.dataset.shelf import Shelf
from concertclean.dataset.store import Store
from concertclean.synthesis import degradation, disc, transfer
from concertclean.synthesis.shaping import Waveform, log_uniform, unit_rms
from concertclean.synthesis.variation import Equaliser

_TILT_DB: Final = 2.0  # per octave


class Surface:
    """Noise of one side of a dataset for gramophone items.

    Args:
        store: the dataset.
        law: of the items.
        split: side.
    """

    def __init__(self, store: Store, law: MixingLaw, split: Split) -> None:
        self._law, self._channels, self._sample_rate = law, store.header.channels, store.header.sample_rate
        self._recorded = Shelf(store, "noise", split, synthetic=False, favourites=law.favourites)

    def __len__(self) -> int:
        """Recordings to draw from; there is always synthesis."""
        return len(self._recorded)

    def draw(self, rng: np.random.Generator, n_samples: int) -> tuple[Waveform, str]:
        """The noise of a disc `(channel, time)`, and its description."""
        is_recorded = self._recorded and rng.random() >= self._law.synthetic_share
        recorded = self._surface(rng, n_samples) if is_recorded else None
        is_measured = rng.random() < self._law.transfer_share
        if is_measured:
            noise = transfer.transfer_noise(rng, n_samples, self._sample_rate, recorded=recorded)
        else:
            share = self._law.surface_alone_share
            noise = disc.disc_noise(rng, n_samples, self._sample_rate, recorded=recorded, alone_share=share)
        if rng.random() < self._law.noise_equaliser_share:
            noise = Equaliser.draw(rng, self._law.noise_equaliser_db, _TILT_DB).apply(noise, self._sample_rate)
        return noise, "noise of a transfer" if is_measured else "disc noise"

    def _surface(self, rng: np.random.Generator, n_samples: int) -> Waveform:
        """Recorded noise, often with another one on top, each with its own speed, direction and timbre."""
        law = self._law
        total = np.zeros((self._channels, n_samples), np.float32)
        for _ in range(1 + (rng.random() < law.second_surface_share)):
            speed = log_uniform(rng, *law.surface_speeds)
            drawn = self._recorded.draw(rng, n_samples / self._sample_rate, speed)
            noise = disc.loop_revolutions(drawn, n_samples, self._sample_rate, fade_shape=law.surface_fade)
            if rng.random() < law.surface_reversed_share:
                noise = noise[:, ::-1]
            noise = degradation.colour(rng, noise, self._sample_rate, share=law.colour_share)
            total += unit_rms(noise) * np.float32(rng.uniform(0.3, 1))
        return total
