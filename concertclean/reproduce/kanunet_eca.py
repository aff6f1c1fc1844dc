"""Tables of KANUNet-ECA: music under crowds at three levels.

References:
    Shijie Zhang, KANUNet-ECA, Tables 1 and 2: 200 mixtures of 10 s with noise at levels H, M and L. The ratios of the
    levels are not given; -10, -5 and 0 dB are our reading. PEAQ is announced there, without a table at hand.
"""

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np

from concertclean.reproduce.mixtures import Mixture, excerpt, folder_of, load_systems, means, mixed, scored
from concertclean.reproduce.table import Outcome, PaperTable, Request, Row, System, find_weights

_RATE, _SECONDS, _N_ITEMS = 22_050, 10.0, 200
_LEVELS: Final = {"H": -10.0, "M": -5.0, "L": 0.0}
_SCORES: Final = {"SNR": "snr", "SDR": "sdr", "PEAQ": "odg"}
_NOISY = "noisy"
_NONE: Final = (None,) * 3

# SNR and SDR at H, M and L.
_PUBLISHED: Final[dict[str, tuple[tuple[float | None, ...], tuple[float | None, ...]]]] = {
    "KANUNet-ECA": ((4.64, 6.30, 8.04), (3.99, 5.74, 7.62)),
    "KANUNet": ((4.45, 6.07, 7.47), _NONE),
    "U-Net": ((3.86, 5.36, 6.98), _NONE),
    "DCCRN": ((3.11, 4.74, 6.31), _NONE),
}
_COMPARED = (System("DCCRN", "dccrn"), System("U-Net", "unet"), System("KANUNet-ECA", "kanunet-eca"))
_ABLATED = (System("U-Net", "unet"), System("KANUNet", "kanunet"), System("KANUNet-ECA", "kanunet-eca"))


def _made(systems: tuple[System, ...], request: Request) -> Outcome:
    """The test set, and every system that has weights."""
    music, crowds = (folder_of(request.data, name) for name in ("music", "crowds"))
    weights, remarks = find_weights(request, systems)
    rows = {_NOISY: None, **load_systems(weights)}
    n_items = request.n_items or _N_ITEMS

    def conditions(number: int) -> Iterator[tuple[str, Mixture]]:
        rng = np.random.default_rng((request.seed, number))
        song, music_name = excerpt(music, rng, _SECONDS, _RATE)
        noise, noise_name = excerpt(crowds, rng, _SECONDS, _RATE)
        for level, ratio in _LEVELS.items():
            yield level, mixed(f"{music_name} with {noise_name}", song, noise, ratio, _RATE)

    found = scored(request, "mixtures", conditions, n_items, rows, ("snr", "sdr", "peaq"))
    columns = [(score, level) for score in _SCORES for level in _LEVELS]
    return Outcome(
        tuple(f"{score} {level}" for score, level in columns),
        tuple(
            Row(
                name,
                means(found.get(name, {}), [(_SCORES[score], level) for score, level in columns]),
                [*(value for part in _PUBLISHED.get(name, (_NONE, _NONE)) for value in part), *_NONE],
            )
            for name in (_NOISY, *(system.row for system in systems))
        ),
        (
            *remarks,
            "one row of numbers is at hand for each of the other systems; it is read as SNR",
            f"{n_items} mixtures of {_SECONDS:g} s at {_RATE} Hz; H, M and L are read as -10, -5 and 0 dB",
        ),
    )


_LAYOUT = "music/ (songs without crowd) and crowds/ (crowd noise), audio files at any depth"

TABLES: Final = {
    "table1": PaperTable("SNR, SDR and PEAQ beside DCCRN and the U-Net", _LAYOUT, partial(_made, _COMPARED)),
    "table2": PaperTable("the ablations: without attention, without splines", _LAYOUT, partial(_made, _ABLATED)),
}
