"""Stems for downstream separation: the songs of a bleed dataset as microphones pick them up, or cleaned again.

A separator trained on the result shows what bleed costs it, and what bleed reduction wins back. Songs keep their side,
train or validation, their names and the names of their stems; every stem becomes the microphone of its instrument.

References:
    Rajesh, Rajan: Neural networks for interference reduction in multi-track recordings, WASPAA 2023, Table 1. Which
    mixtures and conditions its separators were trained on is published nowhere.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from concertclean.config.text import parse_json, read_text
from concertclean.dataset.bleed.build import LIST, SIDES, list_songs, write_stem
from concertclean.dataset.bleed.conditions import CONDITIONS, images
from concertclean.dataset.bleed.mixer import read_song
from concertclean.errors import ConfigError
from concertclean.evaluate.bleed import reduced
from concertclean.files.atomic import write_text

Progress = Callable[[str, int, int], None]
_PEAK = 0.95


def derive_stems(
    source: Path,
    folder: Path,
    condition: str,
    *,
    method: str | None = None,
    instruments: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = lambda what, done, total: None,
) -> None:
    """Write a bleed dataset whose training and validation stems are microphones with bleed; it has no test bands.

    Args:
        source: bleed dataset of clean stems.
        folder: of the result.
        condition: one of `dataset.bleed.conditions.CONDITIONS`, drawn for each song.
        method: of bleed reduction, applied to the microphones of each song; None leaves them as they are. See
            `bleed.methods`.
        instruments: songs without a stem for each of these are left out.
        seed: of gains, delays and rooms: the same microphones for every method.
        progress: receives the current step, the number of songs done, and the total.

    Raises:
        ConfigError: the condition is unknown, the source is no bleed dataset, or there is one in the folder already.
        ModelError: the method is unknown.
        OutputError: the folder cannot be written.
    """
    if os.path.exists(folder / LIST):
        raise ConfigError(f"{folder / LIST}: already exists; choose another folder")
    if condition not in CONDITIONS:
        raise ConfigError(f"{condition}: unknown condition; choose from {', '.join(CONDITIONS)}")
    listed = _songs(source, instruments)
    for number, (side, sample_rate, paths) in enumerate(listed):
        progress("songs", number, len(listed))
        rng = np.random.default_rng([seed, number])
        heard, _ = images(read_song(paths), condition, sample_rate, rng)
        tracks = [path.stem for path in paths]
        stems = heard.sum(axis=1)
        if method is not None:
            stems, _ = reduced(method, stems, sample_rate, tracks)
        scale = min(1.0, _PEAK / max(np.abs(stems).max(), 1e-9))
        for track, stem in zip(tracks, stems, strict=True):
            write_stem(folder / side / paths[0].parent.name / f"{track}.npy", scale * stem)
    progress("songs", len(listed), len(listed))
    facts = parse_json(read_text(source / LIST, "build one: dataset build bleed"))
    names = {side: [paths[0].parent.name for one, _, paths in listed if one == side] for side in SIDES}
    write_text(folder / LIST, json.dumps({**facts, **names, "test": []}, indent=1))


def _songs(source: Path, instruments: Sequence[str]) -> list[tuple[str, int, list[Path]]]:
    """Side, sample rate and stems of every song that has some instruments."""
    sides = [(side, *list_songs(source, side)) for side in SIDES]
    return [
        (side, sample_rate, paths)
        for side, sample_rate, songs in sides
        for paths in songs
        if set(instruments) <= {path.stem for path in paths}
    ]
