"""The methods of bleed reduction in the tables of Rajesh and Rajan that need no weights, or for which there are any.

CAE and t-UNet as published need weights trained by the paper recipes, a CAE for each instrument. The small weights of
both that come with the package were trained on other songs and are rows of their own. `linear`, which inverts mixing
matrices, stands for the method that the author calls optimisation and has not published.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from concertclean.bleed.networks import instrument
from concertclean.errors import ModelError
from concertclean.files.download import file_sha256
from concertclean.reproduce.table import Request, System, find_weights

INSTRUMENTS = ("bass", "drums", "other", "vocals")
"""The stems of MUSDB18."""

KAMIR, CAE, T_UNET = "KAMIR", "CAE", "t-UNet"
"""Rows of the paper."""

_PLAIN = {KAMIR: "kamir", "MIRA": "mira", "FastMIRA": "fastmira"}
_OURS = {"CAE, shipped weights": "cae", "t-UNet, shipped weights": "tunet", "linear (own)": "linear"}
ROWS = (*_PLAIN, CAE, T_UNET, *_OURS)
"""Every row that a method may have, in order."""

_MATRIX_ROWS = (T_UNET, "t-UNet, shipped weights", "linear (own)")
_CAES = {name: System(f"{CAE}, {name}", "cae", f"paper-cae-{name}") for name in INSTRUMENTS}


@dataclass(frozen=True)
class Reducer:
    """A method of bleed reduction in a table.

    Attributes:
        row: its name there.
        method: its name in `bleed.methods`; "" where each instrument has weights of its own.
        weights: those, by instrument.
    """

    row: str
    method: str = ""
    weights: Mapping[str, Path] = field(default_factory=dict)

    @property
    def has_matrix(self) -> bool:
        """Whether it estimates the mixing matrix."""
        return self.row in _MATRIX_ROWS

    @property
    def key(self) -> str:
        """Eight hexadecimal digits of the weights it was given; "" for one that brings its own or needs none."""
        paths = [Path(self.method)] if os.path.isfile(self.method) else self.weights.values()
        hashes = "".join(file_sha256(path) for path in paths)
        return hashlib.sha256(hashes.encode()).hexdigest()[:8] if hashes else ""

    def for_tracks(self, tracks: Sequence[str]) -> str:
        """What `bleed.methods.learn` takes for a band.

        Args:
            tracks: names of its microphones.

        Raises:
            ModelError: there are no weights for one of them.
        """
        if self.method:
            return self.method
        missing = [track for track in tracks if instrument(track) not in self.weights]
        if missing:
            raise ModelError(f"{self.row} has no weights for {', '.join(missing)}; train recipes/paper/cae.toml for it")
        return ",".join(str(self.weights[instrument(track)]) for track in tracks)


def find_reducers(request: Request) -> tuple[list[Reducer], list[str]]:
    """Every method that can run, in the order of the rows, and a remark for each of the others.

    Raises:
        ConfigError: weights are given for a row that needs none, or their file does not exist.
    """
    found, remarks = find_weights(request, [*_CAES.values(), System(T_UNET, "tunet")])
    trained = {name: found[system.row] for name, system in _CAES.items() if system.row in found}
    reducers = [Reducer(row, method) for row, method in _PLAIN.items()]
    if trained:
        reducers.append(Reducer(CAE, weights=trained))
    if T_UNET in found:
        reducers.append(Reducer(T_UNET, str(found[T_UNET])))
    return reducers + [Reducer(row, method) for row, method in _OURS.items()], remarks
