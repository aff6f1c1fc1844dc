"""How much ideal gains can win on the test mixtures, by how they are shared between bins.

python recipes/ceiling.py data/concert
python recipes/ceiling.py data/gramophone
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np

from concertclean.dataset.fixed import read_fixed
from concertclean.dataset.store import Store
from concertclean.evaluate.methods import ideal_gains
from concertclean.metrics.sdr import si_sdr
from concertclean.networks.layers.band_gains import band_edges

Array = np.ndarray


def every_bin(n_bins: int) -> Array:
    """A gain for each bin."""
    return np.arange(n_bins)


def four_neighbours(n_bins: int) -> Array:
    """A gain for four neighbouring bins."""
    return np.arange(0, n_bins, 4)


def in_bands(n_bands: int) -> Callable[[int], Array]:
    """A gain for each band of `BandGains`."""
    return lambda n_bins: band_edges(n_bins, n_bands)[:-1].numpy()


# Frame and hop in samples; first bin of every group of bins that shares a gain, from the number of bins.
WAYS = [
    (512, 128, "every bin", every_bin),
    (2048, 1024, "every bin", every_bin),
    (2048, 1024, "four neighbours", four_neighbours),
    (4096, 1024, "every bin", every_bin),
    *((4096, 1024, f"{n} bands", in_bands(n)) for n in (640, 512, 384, 320, 256)),
]


def main() -> None:
    """Prints one line a way of sharing."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("dataset", type=Path)
    ask.add_argument("--items", type=int, default=36)
    ask.add_argument("--ratio", type=float, default=5.0)
    a = ask.parse_args()
    mixtures = [item for item in read_fixed(Store(a.dataset), "test", a.items) if item.ratio_db == a.ratio]
    for n_fft, hop, name, sharing in WAYS:
        gains = []
        for mixture in mixtures:
            degraded, clean = mixture.degraded.astype(np.float64), mixture.clean.astype(np.float64)
            estimate = ideal_gains(degraded, clean, n_fft, hop, sharing(n_fft // 2 + 1))
            gains.append(si_sdr(clean, estimate) - si_sdr(clean, degraded))
        print(f"{n_fft} / {hop}, {name}: {np.mean(gains):+.1f} dB", flush=True)


if __name__ == "__main__":
    main()
