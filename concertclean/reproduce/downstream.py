"""What bleed costs a separator, and what bleed reduction wins back: Table 1 of Rajesh and Rajan.

A separator is trained on clean stems, on what microphones with bleed pick up, and on that after each method of bleed
reduction, and scored on clean songs. Which program, mixtures and gains the paper has is stated nowhere. Here a mixture
is the sum of the stems trained on, and gains are those of the condition "high", 0.2 to 0.5.

References:
    Rajesh R, Padmanabhan Rajan: Neural networks for interference reduction in multi-track recordings, WASPAA 2023,
    Table 1.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from concertclean.config.reading import read_toml, validated
from concertclean.config.training import SeparateTrainingSettings
from concertclean.dataset.bleed.build import LIST, BleedPlan, list_sets
from concertclean.dataset.bleed.songs import Song, find_songs, read_stem
from concertclean.errors import ModelError, NoInputError
from concertclean.evaluate.derived_stems import derive_stems
from concertclean.evaluate.separation import mean_sdr, over_songs, score_separator
from concertclean.reproduce.bands import SECONDS, build_once, sides, subfolder
from concertclean.reproduce.recipes import paper_recipe
from concertclean.reproduce.reducers import CAE, ROWS, T_UNET, Reducer, find_reducers
from concertclean.reproduce.table import Outcome, PaperTable, Request, Row
from concertclean.train.separation import train_separator
from concertclean.weights.loading import load_model

CLEAN, BLED = "clean", "bled"
CONDITION = "high"

_PUBLISHED = {CLEAN: 2.32, BLED: 0.96, CAE: 1.72, T_UNET: 2.03}


@dataclass(frozen=True)
class Separator:
    """A separator as its paper trains it.

    Attributes:
        name: of its column.
        recipe: in recipes/paper.
        validation: share of the training songs that choose its weights.
    """

    name: str
    recipe: str
    validation: float


SEPARATORS = (Separator("Wave-U-Net", "wave-unet-separator", 0.25), Separator("Open-Unmix", "open-unmix", 0.14))


def separation_table(request: Request) -> Outcome:
    """Mean SDR of four stems on clean test songs, by what the separator was trained on."""
    reducers, remarks = find_reducers(request)
    by_row: dict[str, list[float | None]] = {}
    for separator in SEPARATORS:
        experiment = _Experiment(request, separator)
        for name, reducer in ((CLEAN, None), (BLED, None), *((one.row, one) for one in reducers)):
            try:
                score = experiment.score(name, reducer)
            except ModelError as error:  # a method that does not fit the stems
                remarks.append(f"{name}: not run before {separator.name}, {error}")
                score = None
            by_row.setdefault(name, []).append(score)
        remarks += dict.fromkeys(remark for remark in experiment.remarks if remark not in remarks)
    names = [name for name in (CLEAN, BLED, *ROWS) if name in by_row or name in _PUBLISHED]
    empty = [None] * len(SEPARATORS)
    rows = [Row(name, by_row.get(name, empty), [_PUBLISHED.get(name), *empty[1:]]) for name in names]
    return Outcome(tuple(one.name for one in SEPARATORS), tuple(rows), (*remarks, *_choices(request)))


def _choices(request: Request) -> list[str]:
    steps = "as many steps as its recipe says" if request.steps is None else f"{request.steps} steps"
    return [
        f"each separator is trained {steps}, in mono, on mixtures that are the sum of the stems trained on",
        f"the gains of the bleed are drawn from 0.2 to 0.5 (condition {CONDITION}); those of the paper are not known",
        "scores are medians over seconds, then songs, by BSS Eval 4 at the separator's rate; then the mean of stems",
        f"the four published numbers came to us without names; that {CAE} and {T_UNET} are the last two is inferred",
    ]


class _Experiment:
    """One separator, its stems and its test songs.

    Args:
        request: of the table.
        separator: that is trained.

    Attributes:
        remarks: songs left out, and why.
    """

    def __init__(self, request: Request, separator: Separator) -> None:
        self._request, self._separator = request, separator
        values = read_toml(paper_recipe(separator.recipe))
        self._recipe = values
        config = values["network"]["config"]
        self._sample_rate, self._instruments = config["sample_rate"], tuple(config["instruments"])
        self._folder = subfolder(request, separator.recipe)
        train, test = sides(request.data)
        plan = BleedPlan(
            self._folder / CLEAN,
            train or test,
            self._sample_rate,
            SECONDS,
            (CONDITION,),
            held_back=test if train else [],
            validation=separator.validation,
            seed=request.seed,
            natural_levels=True,
        )
        self.remarks = build_once(plan, request.progress)
        self._songs = self._test_songs(test, {band.song for band in list_sets(plan.folder)})

    def _test_songs(self, folders: Sequence[Path], names: set[str]) -> list[Song]:
        """Songs of the test side that have every stem."""
        found = [song for folder in folders for song in find_songs(folder) if song.name in names]
        whole = [song for song in found if set(self._instruments) <= {stem.name for stem in song.stems}]
        if not whole:
            missing = ", ".join(self._instruments)
            raise NoInputError(f"{self._request.data}: no test song has all of {missing}; name the stems so")
        return whole[: self._request.n_items]

    def score(self, name: str, reducer: Reducer | None) -> float | None:
        """Mean SDR in dB of the separator trained on the stems of a row; None if it has none.

        Raises:
            ModelError: the method does not fit the stems.
        """
        place = _plain(name) if reducer is None else "-".join(filter(None, [_plain(name), reducer.key]))
        weights = self._trained(name, self._stems(name, reducer, place), place)
        model, scores = load_model(weights, task="separate").model, []
        for number, song in enumerate(self._songs):
            self._request.progress(f"{self._separator.name} on {song.name}", number, len(self._songs))
            stems = {stem.name: read_stem(stem, self._sample_rate) for stem in song.stems}
            n_samples = min(map(len, stems.values()))
            truth = {stem: waveform[:n_samples] for stem, waveform in stems.items()}
            scores.append(score_separator(model, truth, self._sample_rate))
        found = mean_sdr(over_songs(scores))
        return found if np.isfinite(found) else None

    def _stems(self, name: str, reducer: Reducer | None, place: str) -> Path:
        """Dataset of the stems of a row."""
        clean, folder = self._folder / CLEAN, self._folder / place
        if name == CLEAN or os.path.exists(folder / LIST):
            return folder
        method = None if reducer is None else reducer.for_tracks(sorted(self._instruments))

        def progress(what: str, done: int, total: int) -> None:
            self._request.progress(f"{name}: {what}", done, total)

        derive_stems(
            clean,
            folder,
            CONDITION,
            method=method,
            instruments=self._instruments,
            seed=self._request.seed,
            progress=progress,
        )
        return folder

    def _trained(self, name: str, dataset: Path, place: str) -> Path:
        """Weights of the separator, from a run that continues if it was interrupted."""
        values, steps = self._recipe, self._request.steps
        run = values["run"] if steps is None else {**values["run"], "steps": steps}
        values = {**values, "data": {**values["data"], "dataset": str(dataset)}, "run": run}
        settings = validated(SeparateTrainingSettings, values, str(paper_recipe(self._separator.recipe)))
        what = f"{self._separator.name} on {name}"

        def log(step: int) -> None:
            self._request.progress(what, step, settings.run.steps)

        def note(_: str) -> None:
            self.remarks.append(f"{self._separator.name}: no song to validate on, so the last weights were taken")

        return train_separator(settings, self._folder / "runs" / place, log, note)


def _plain(name: str) -> str:
    """A row's name as that of a folder."""
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


DOWNSTREAM = PaperTable(
    "separators trained on clean, bled and cleaned stems: mean SDR of four stems, dB",
    "MUSDB18 or MUSDB18-HQ, with train and test; or a folder of songs, each a folder of bass, drums, other and vocals",
    separation_table,
)
"""Table 1."""
