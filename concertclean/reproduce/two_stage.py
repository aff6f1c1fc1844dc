"""Tables of the two-stage U-Net: music of four genres under the noise of gramophone records.

References:
    Moliner and Välimäki, A two-stage U-Net for high-fidelity denoising of historical recordings, ICASSP 2022, Table 1
    and Fig. 4: clips of 5 s, 66.6 minutes, two ranges of ratios, levels of -4 to 0 dB, gains over the noisy clip.
"""

import os
from collections.abc import Iterator
from typing import Final

import numpy as np

from concertclean.errors import NoInputError
from concertclean.evaluate import methods
from concertclean.evaluate.methods import Method
from concertclean.reproduce.listening import listening_page
from concertclean.reproduce.mixtures import Mixture, excerpt, folder_of, load_systems, means, mixed, scored
from concertclean.reproduce.table import Outcome, PaperTable, Request, Row, System, find_weights

_RATE, _SECONDS, _N_ITEMS = 44_100, 5.0, 400  # each in both ranges: 66.7 minutes
_RANGES_DB: Final = {"2-6 dB": (2.0, 6.0), "6-12 dB": (6.0, 12.0)}
_LEVEL_DB: Final = (-4.0, 0.0)
_SCORES: Final = {"dSNR": "snr", "dPEAQ": "odg", "dPEMO-Q-like": "pemoq_odg"}
_METRICS: Final = ("snr", "peaq", "pemoq_like")
_CLASSICAL = "LSA-C"
_SYSTEMS = (System("SEANet", "seanet"), System("two-stage U-Net", "two-stage"))
_NOISY = "noisy"
_N_RECORDINGS = 10

# dSNR and dPEAQ in both ranges.
_PUBLISHED: Final[dict[str, tuple[float | None, ...]]] = {
    _CLASSICAL: (8.97, 7.68, 0.08, 0.24),
    "SEANet": (15.28, 13.51, None, None),
    "two-stage U-Net": (15.89, 14.13, None, None),
}


def table1(request: Request) -> Outcome:
    """Gains over the noisy clip."""
    genres = [folder_of(request.data / "music", name) for name in _genres(request)]
    noises = folder_of(request.data, "noise")
    weights, remarks = find_weights(request, _SYSTEMS)
    rows: dict[str, Method | None] = {_NOISY: None, _CLASSICAL: methods.model("lsa-c"), **load_systems(weights)}
    n_items = request.n_items or _N_ITEMS

    def conditions(number: int) -> Iterator[tuple[str, Mixture]]:
        rng = np.random.default_rng((request.seed, number))
        music, music_name = excerpt(genres[number % len(genres)], rng, _SECONDS, _RATE)
        noise, noise_name = excerpt(noises, rng, _SECONDS, _RATE)
        level = np.float32(10 ** (rng.uniform(*_LEVEL_DB) / 20) / max(1e-9, np.abs(music).max()))
        for condition, span in _RANGES_DB.items():
            name = f"{music_name} with {noise_name}"
            yield condition, mixed(name, level * music, noise, rng.uniform(*span), _RATE)

    found = scored(request, "clips", conditions, n_items, rows, _METRICS)
    columns = [(score, span) for score in _SCORES for span in _RANGES_DB]
    before = means(found[_NOISY], [(_SCORES[score], span) for score, span in columns])
    made = []
    for name in (_CLASSICAL, *(system.row for system in _SYSTEMS)):
        after = means(found.get(name, {}), [(_SCORES[score], span) for score, span in columns])
        gains = [None if a is None or b is None else a - b for a, b in zip(after, before, strict=True)]
        made.append(Row(name, gains, (*_PUBLISHED[name], None, None)))
    clips = f"{n_items} clips of {_SECONDS:g} s in each range, {len(genres)} genres in turn"
    note = f"{clips}; differences from the noisy clip"
    return Outcome(tuple(" ".join(column) for column in columns), tuple(made), (*remarks, note))


def fig4(request: Request) -> Outcome:
    """The page of the listening test."""
    weights, remarks = find_weights(request, _SYSTEMS)
    systems: dict[str, Method] = {_CLASSICAL: methods.model("lsa-c"), **load_systems(weights)}
    return listening_page(request, "Real gramophone recordings", systems, n_items=_N_RECORDINGS, remarks=remarks)


def _genres(request: Request) -> list[str]:
    """Folders of the music, one for each genre.

    Raises:
        NoInputError: there is none.
    """
    folder = request.data / "music"
    names = sorted(path.name for path in folder.iterdir() if os.path.isdir(path)) if os.path.isdir(folder) else []
    if not names:
        raise NoInputError(f"{folder}: no folders there; put the music of each genre into a folder of its own")
    return names


TABLES: Final = {
    "table1": PaperTable(
        "gains in SNR, PEAQ and PEMO-Q-like in two ranges", "music/GENRE/ (four genres) and noise/ (of records)", table1
    ),
    "fig4": PaperTable("the listening test, as a page", "recordings/ (real gramophone transfers)", fig4),
}
