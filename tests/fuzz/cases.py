"""From a number to a case: which file is damaged, how, and the settings it is read with."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import Seed

_RECORDING_SHARE: Final = 0.75
_MODELS: Final = ["declick", "decrackle", "dethump", "dehum", "lsa", "logmmse", "steady", "dehum,steady", "lsa-c"]
_FORMATS: Final = ["keep", "keep", "wav", "wav", "flac", "flac", "m4a", "alac", "mp3", "opus", "ogg"]
_WAYS: Final = ["file"] * 7 + ["stream", "page", "analysis"]


@dataclass(frozen=True)
class Case:
    """Damaged files of one kind, and the settings they are restored with.

    Attributes:
        number: of the case; with the seed it decides the rest.
        kind: of the seed.
        files: by name, the one for the command first.
        settings: fields of `config.denoise.DenoiseSettings`.
        way: how a recording is restored: "file", "stream" from and to a stream, "page" with a page to compare, or
            "analysis", which only looks at it.
    """

    number: int
    kind: str
    files: dict[str, bytes]
    settings: dict[str, Any]
    way: str = "file"

    def __str__(self) -> str:
        chosen = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"case {self.number} ({self.kind} {next(iter(self.files))}, {self.way}; {chosen})"

    def write(self, folder: Path) -> Path:
        """Writes the files; returns the path of the first."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return folder / next(iter(self.files))


def make_case(seeds: Sequence[Seed], seed: int, number: int) -> Case:
    """Case `number` of a run with `seed`; the same for the same seeds."""
    rng = random.Random(f"{seed} {number}")
    recordings = [one for one in seeds if one.kind == "recording"]
    others = [one for one in seeds if one.kind != "recording"]
    chosen = rng.choice(recordings if rng.random() < _RECORDING_SHARE or not others else others)
    pieces = [next(iter(one.files.values())) for one in recordings]
    names = list(chosen.files)
    damaged = names[0] if rng.random() < 0.7 else rng.choice(names)
    files = {name: mutated(data, rng, pieces) if name == damaged else data for name, data in chosen.files.items()}
    return Case(number, chosen.kind, files, _settings(rng), rng.choice(_WAYS))


def whole_case(seed: Seed, number: int) -> Case:
    """An intact file, with settings that change little."""
    return Case(number, seed.kind, seed.files, {"model": "declick", "format": "wav"})


def _settings(rng: random.Random) -> dict[str, Any]:
    """Some of what users set, mostly the defaults."""
    settings: dict[str, Any] = {"model": rng.choice(_MODELS), "format": rng.choice(_FORMATS)}
    rare: dict[str, list[Any]] = {
        "bit_depth": ["16", "24", "32", "32f", "64f"],
        "loudness": ["match", -20.0],
        "clip": ["rescale", "limit"],
        "removed": [True],
        "strength": [0.0, 0.5],
        "start_seconds": [0.01, 0.2],
        "duration_seconds": [0.05, 5.0],
        "max_reduction_db": [6.0],
        "audio_stream": [1, 2],
    }
    return settings | {name: rng.choice(values) for name, values in rare.items() if rng.random() < 0.12}
