"""The test bands of the figures of Rajesh and Rajan, and every method on them."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from concertclean.audio_io.reader import AudioReader
from concertclean.config.text import read_text
from concertclean.dataset.bleed.build import LIST, BandSet, BleedPlan, build_bleed, list_sets
from concertclean.errors import ConcertCleanError, NoInputError
from concertclean.evaluate.bleed import Judged, judge
from concertclean.files.atomic import write_text
from concertclean.reproduce.reducers import INSTRUMENTS, Reducer
from concertclean.reproduce.table import Progress, Request

SAMPLE_RATE = 22_050
SECONDS = 10.0
_LEFT_OUT = "left_out.txt"
ROOM = "musdbr"
"""The condition that needs another package, and songs with the four stems of MUSDB18."""


@dataclass(frozen=True)
class Bands:
    """Test bands.

    Attributes:
        folder: of their dataset.
        sets: the bands.
        remarks: why songs were left out.
    """

    folder: Path
    sets: tuple[BandSet, ...]
    remarks: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Length of all of them together."""
        return sum(_seconds(band.microphone(self.folder, band.tracks[0])) for band in self.sets)


def sides(data: Path) -> tuple[list[Path], list[Path]]:
    """Folders of songs for training and for tests: MUSDB18 has both, any other folder is only for tests."""
    split = [data / "train", data / "test"]
    if all(map(os.path.isdir, split)):
        return split[:1], split[1:]
    return [], [data]


def subfolder(request: Request, what: str, *more: object) -> Path:
    """A folder for what is made from some data with some seed, the same for every table made of it."""
    made_of = repr((str(request.data.absolute()), request.seed, *more))
    return request.folder / f"{what}-{hashlib.sha256(made_of.encode()).hexdigest()[:8]}"


def build_bands(request: Request, conditions: Sequence[str]) -> Bands:
    """Ten seconds of each test song as microphones pick it up; what was built before is not built again.

    Args:
        request: its data are MUSDB18 or a folder of songs.
        conditions: see `dataset.bleed.conditions`.

    Raises:
        NoInputError: no song can be used.
        OutputError: the folder cannot be written.
    """
    folder = subfolder(request, "bands", request.n_items, *conditions)
    plan = BleedPlan(
        folder,
        [],
        SAMPLE_RATE,
        SECONDS,
        conditions,
        held_back=sides(request.data)[1],
        seed=request.seed,
        natural_levels=True,
        n_test=request.n_items,
    )
    remarks = build_once(plan, request.progress)
    return Bands(folder, tuple(list_sets(folder)), tuple(remarks))


def build_once(plan: BleedPlan, progress: Progress) -> list[str]:
    """Builds a bleed dataset unless it is there; returns why songs were left out, whenever it was built.

    Raises:
        NoInputError: no song can be used.
        OutputError: the folder cannot be written.
    """
    left_out = plan.folder / _LEFT_OUT
    if not os.path.exists(plan.folder / LIST):
        reasons = build_bleed(plan, progress)
        write_text(left_out, "".join(f"left out: {reason}\n" for reason in reasons))
    return read_text(left_out, "build it again in another folder").splitlines()


def build_room(request: Request) -> Bands:
    """The same in the room of MUSDBR; no bands and a remark where that cannot be."""
    if find_spec("pyroomacoustics") is None:
        reason = "it needs pyroomacoustics: pip install 'concertclean[rooms]'"
    else:
        try:
            return build_bands(request, (ROOM,))
        except NoInputError:
            reason = f"its room has places for {', '.join(INSTRUMENTS)} alone, and no song has these four"
    return Bands(request.folder, (), (f"{ROOM}: not run, {reason}",))


def judge_all(bands: Bands, reducers: Sequence[Reducer], request: Request) -> tuple[list[Judged], list[str]]:
    """Every method on every band, under the names of its row, and why some were not run."""
    found: list[Judged] = []
    reasons: dict[str, list[str]] = {}
    total = len(bands.sets) * len(reducers)
    for number, band in enumerate(bands.sets):
        for place, reducer in enumerate(reducers):
            request.progress(f"{reducer.row} on {band.song}", number * len(reducers) + place, total)
            try:
                (one,) = judge(bands.folder, band, [reducer.for_tracks(band.tracks)])
            except ConcertCleanError as error:
                reasons.setdefault(f"{reducer.row}: {error}", []).append(band.song)
                continue
            found.append(Judged(**{**vars(one), "method": reducer.row}))
    request.progress("bands", total, total)
    return found, [f"{reason} (not run on {_listed(songs)})" for reason, songs in reasons.items()]


def _listed(songs: Iterable[str]) -> str:
    names = list(dict.fromkeys(songs))
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} songs"


def _seconds(path: Path) -> float:
    with AudioReader(path) as reader:
        return (reader.info.n_samples or 0) / reader.info.sample_rate
