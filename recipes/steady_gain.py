"""What `steady` gains on whole pieces of music in the noise of transfers, and what it leaves of the clean ones.

python recipes/steady_gain.py data/concert --seconds 40

Reads the music of a split of a `concert` dataset. For each piece, prints the gain in SI-SDR at two levels of noise made
to the law of measured transfers, and the SNR of the clean piece after `steady`.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from concertclean.classical.material import material_of
from concertclean.classical.steady import steady
from concertclean.config.mixing import MixingLaw
from concertclean.dataset.music import Music
from concertclean.dataset.store import Store
from concertclean.metrics.sdr import si_sdr, snr
from concertclean.synthesis.transfer import transfer_noise

RATE = 44_100
RATIOS_DB = (3.0, 10.0)
MOST_DB = 80.0  # a piece that comes back to the bit counts as this

Array = NDArray[Any]


def _left(waveform: Array) -> Array:
    """What `steady` leaves of a `(1, time)` waveform."""
    removed = steady(material_of(waveform, RATE)).removed(iter([waveform]), 1, RATE)
    return waveform - np.concatenate(list(removed), axis=1)


def judge(music: Array, noise: Array) -> list[float]:
    """Gains in SI-SDR at each ratio, and SNR of the clean music, dB; `(1, time)` both, the noise with an rms of 1."""
    found = []
    for ratio_db in RATIOS_DB:
        degraded = music + music.std() * 10 ** (-ratio_db / 20) * noise
        found.append(si_sdr(music, _left(degraded)) - si_sdr(music, degraded))
    return [*found, min(MOST_DB, snr(music, _left(music)))]


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", choices=("train", "validation", "test"), default="validation")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--pieces", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    shelf = Music(Store(a.dataset), MixingLaw(snr_db=(0.0, 10.0), task="gramophone"), a.split)
    rng = np.random.default_rng(a.seed)
    rows, n_samples = [], int(RATE * a.seconds)
    for _ in range(a.pieces):
        drawn, name = shelf.draw(rng, n_samples)
        music, noise = drawn.mean(axis=0, dtype=np.float64)[None], transfer_noise(rng, n_samples, RATE)
        if music.std() > 1e-4:
            rows.append(judge(music, noise.astype(np.float64)))
            print("\t".join([*(f"{value:.1f}" for value in rows[-1]), name]), flush=True)
    *gains, clean = np.array(rows).T
    for ratio_db, gain in zip(RATIOS_DB, gains, strict=True):
        print(f"gain of SI-SDR at {ratio_db:.0f} dB: {gain.mean():.2f}, worst {gain.min():.1f}")
    print(f"clean: {clean.mean():.1f} dB, {(clean < 40).sum()} of {len(clean)} below 40, worst {clean.min():.1f}")


if __name__ == "__main__":
    main()
