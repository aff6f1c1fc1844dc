"""What the microphones of a band pick up of its stems: with gains alone, delays, rooms.

*Conditions*: `low` and `high` draw the two halves of the published gains, U[0.01, 0.5]; `cae` puts every other stem at
-20 dB, as the autoencoders were trained; `delayed` applies the same gains 1 to 10 ms late, 0.3 to 3.4 m; `room` adds a
tail that decays exponentially, weak in the close microphone and strong in the others; `shoebox` simulates a room with
walls by the image method; `musdbr` is the one room of MUSDBR, for drums, vocals, bass and other. Both need
pyroomacoustics.

References:
    Rajesh, Rajan: Neural networks for interference reduction in multi-track recordings, WASPAA 2023, section 5.1; the
    figures of the room of MUSDBR from their generator, its-rajesh/IRMR on GitHub.
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.signal import fftconvolve

from concertclean.dsp.arrays import Array
from concertclean.errors import ConfigError

GAINS = {"low": (0.01, 0.2), "high": (0.2, 0.5), "cae": (0.1, 0.1), "delayed": (0.01, 0.5), "room": (0.01, 0.5)}
CONDITIONS = (*GAINS, "shoebox", "musdbr")
_ALL = (0.01, 0.5)
_DELAY_SECONDS = (1e-3, 1e-2)
_TAIL_AMPLITUDE = {True: 0.15, False: 0.7}  # of the tail over the direct sound; in the own microphone, in another
_ROOM_SECONDS = (0.2, 0.6)  # reverberation time
_SHOEBOX_METRES = ((6.0, 14.0), (5.0, 9.0), (2.8, 5.0))
_CLOSE_METRES = 0.3  # from an instrument to its microphone
_APART_METRES = 1.0  # at least, between instruments
# MUSDBR: metres; of each instrument where it stands, and its microphone.
_MUSDBR_ROOM, _MUSDBR_SECONDS, _MUSDBR_DELAY_SECONDS = (13.5, 7.0, 7.0), 0.25, 1e-6
_MUSDBR_PLACES = {
    "drums": ((3.0, 5.0, 1.0), (3.0, 4.5, 1.0)),
    "vocals": ((5.5, 5.5, 1.0), (5.5, 5.0, 1.0)),
    "bass": ((8.0, 5.5, 1.0), (8.0, 5.0, 1.0)),
    "other": ((10.5, 5.0, 1.0), (10.5, 4.5, 1.0)),
}


def draw_matrix(n_stems: int, rng: np.random.Generator, low: float = _ALL[0], high: float = _ALL[1]) -> Array:
    """Mixing matrix `(microphone, stem)` of diagonal 1, the rest uniform between `low` and `high`."""
    matrix = rng.uniform(low, high, (n_stems, n_stems))
    np.fill_diagonal(matrix, 1.0)
    return matrix


def images(
    stems: Array, condition: str, sample_rate: int, rng: np.random.Generator, names: Sequence[str] = ()
) -> tuple[Array, Array | None]:
    """What each microphone picks up of each stem.

    Args:
        stems: `(stem, time)`.
        condition: one of `CONDITIONS`.
        sample_rate: Hz.
        rng: draws gains, delays and rooms.
        names: of the stems, which decide where they stand in "musdbr".

    Returns:
        `(microphone, stem, time)`, and the mixing matrix `(microphone, stem)`; None unless there are only gains.

    Raises:
        ConfigError: the condition is unknown, needs other stems, or a package that is not installed.
    """
    if condition == "shoebox":
        return _shoebox(stems, sample_rate, rng), None
    if condition == "musdbr":
        return _musdbr(stems, sample_rate, names), None
    if condition not in GAINS:
        raise ConfigError(f"{condition}: unknown condition; choose from {', '.join(CONDITIONS)}")
    matrix = draw_matrix(len(stems), rng, *GAINS[condition])
    if condition not in ("delayed", "room"):
        return matrix[:, :, None] * stems, matrix
    seconds = rng.uniform(*_ROOM_SECONDS) if condition == "room" else 0.0
    heard = np.empty((len(stems), *stems.shape))
    for i, j in np.ndindex(matrix.shape):
        response = _response(i == j, seconds, sample_rate, rng)
        heard[i, j] = matrix[i, j] * fftconvolve(stems[j], response)[: stems.shape[1]]
    return heard, None


def _response(is_own: bool, room_seconds: float, sample_rate: int, rng: np.random.Generator) -> Array:
    """Response from an instrument to a microphone, energy 1."""
    delay = 0 if is_own else round(rng.uniform(*_DELAY_SECONDS) * sample_rate)
    n_tail = round(room_seconds * sample_rate)
    response = np.zeros(delay + 1 + n_tail)
    response[delay] = 1.0
    if n_tail:
        # Down by 60 dB, a factor of exp(-6.9) in amplitude, at the end.
        tail = rng.standard_normal(n_tail) * np.exp(-6.9 * np.arange(n_tail) / n_tail)
        response[delay + 1 :] = _TAIL_AMPLITUDE[is_own] * tail / np.sqrt(np.square(tail).sum())
    normalised: Array = response / np.sqrt(np.square(response).sum())
    return normalised


def _shoebox(stems: Array, sample_rate: int, rng: np.random.Generator) -> Array:
    """Instruments on the floor of a room with a microphone close to each, by the image method."""
    rooms = _rooms("shoebox")
    size = np.array([rng.uniform(*span) for span in _SHOEBOX_METRES])
    absorption, order = rooms.inverse_sabine(rng.uniform(*_ROOM_SECONDS), size)
    places = _places(len(stems), size, rng)
    microphones = np.add(places, [0.0, 0.0, _CLOSE_METRES])

    def make_room() -> Any:
        return rooms.ShoeBox(size, fs=sample_rate, materials=rooms.Material(absorption), max_order=min(order, 20))

    heard = _simulated(stems, make_room, places, microphones)
    own = np.sqrt(np.square(heard[np.arange(len(stems)), np.arange(len(stems))]).mean(axis=1))
    wanted = np.sqrt(np.square(stems).mean(axis=1))
    leveled: Array = heard * (wanted / own)[:, None, None]
    return leveled


def _musdbr(stems: Array, sample_rate: int, names: Sequence[str]) -> Array:
    """What the published room makes of the four stems of MUSDB18, at the levels that it leaves."""
    if set(names) != set(_MUSDBR_PLACES):
        raise ConfigError(
            f"musdbr has places for {', '.join(_MUSDBR_PLACES)}, not for {', '.join(names)}; leave it out"
        )
    rooms = _rooms("musdbr")
    absorption, order = rooms.inverse_sabine(_MUSDBR_SECONDS, _MUSDBR_ROOM)

    def make_room() -> Any:
        return rooms.ShoeBox(_MUSDBR_ROOM, fs=sample_rate, materials=rooms.Material(absorption), max_order=order)

    places, microphones = (np.array([_MUSDBR_PLACES[name][k] for name in names]) for k in range(2))
    return _simulated(stems, make_room, places, microphones, delay=_MUSDBR_DELAY_SECONDS)


def _simulated(
    stems: Array, make_room: Callable[[], Any], places: Array, microphones: Array, *, delay: float = 0.0
) -> Array:
    """What microphones `(microphone, 3)` pick up of stems at places `(stem, 3)`, one after the other."""
    heard = np.empty((len(microphones), *stems.shape))
    for stem, place in enumerate(places):
        room = make_room()
        room.add_source(place, signal=stems[stem], delay=delay)
        room.add_microphone_array(microphones.T)
        room.simulate()
        heard[:, stem] = room.mic_array.signals[:, : stems.shape[1]]
    return heard


def _rooms(condition: str) -> Any:
    """The package that simulates rooms.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module("pyroomacoustics")
    except ImportError as error:
        raise ConfigError(f"{condition} needs pyroomacoustics: pip install 'concertclean[rooms]'") from error


def _places(n_places: int, size: Array, rng: np.random.Generator) -> Array:
    """Instruments at 1 m of height, away from walls and each other, `(place, 3)`, metres."""
    found: list[Array] = []
    while len(found) < n_places:
        place = np.append(rng.uniform(0.7, size[:2] - 0.7), 1.0)
        if all(np.linalg.norm(place - other) >= _APART_METRES for other in found):
            found.append(place)
    return np.stack(found)
