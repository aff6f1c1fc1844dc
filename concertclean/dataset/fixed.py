"""Fixed mixtures: written once as FLAC, so every model and tool is evaluated on the same files.

::

    fixed/SPLIT/clean/0003.flac                 what should come out; in task "reverb" the music without the room
    fixed/SPLIT/-5 dB/0003.flac                 music and noise at that ratio, at the same level
    fixed/SPLIT/fixed.jsonl                     a line a file: ratio, kind of noise, what was mixed

Both splits cycle through their songs and kinds of noise, with and without singers (`held_out`); none of them is used
for training. Concert ratios of -10, -5 and 0 dB correspond to H, M and L of Zhang, who does not state his; 5 and 12 dB
are typical of real recordings. Gramophone ratios 3 and 10 dB are those of Moliner and Välimäki.
"""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from concertclean.audio_io.reader import AudioReader
from concertclean.audio_io.whole import write_waveform
from concertclean.config.mixing import MixingLaw
from concertclean.config.reading import validated
from concertclean.config.text import read_records
from concertclean.corpora.open_corpus import Task
from concertclean.corpora.sources import Split
from concertclean.dataset.held_out import HeldOut
from concertclean.dataset.mixing import Item, Mixer
from concertclean.dataset.store import Store
from concertclean.errors import ConfigError
from concertclean.files.atomic import write_text
from concertclean.files.names import inside

RATIOS_DB: dict[str, tuple[float, ...]] = {
    "concert": (-10.0, -5.0, 0.0, 5.0, 12.0),
    "gramophone": (3.0, 5.0, 10.0),
    "reverb": (0.0, 10.0),
}
SECONDS = 6.0
_CURE = "build the dataset again"
_ROOM_DB = -3.0  # peak of the loudest file of an item


def _ratio(value: float) -> float:
    if not (value == np.inf or abs(value) <= 200):
        raise ValueError("must be inf, or between -200 and 200")
    return value


@dataclass(frozen=True)
class FixedFiles:
    """Files and facts of a fixed mixture.

    Attributes:
        name: as "0 dB/0003".
        number: of the item.
        ratio_db: of music and noise; inf: clean.
        degraded: the file to restore.
        clean: the ideal result.
        kind: of noise, or "".
        description: what was mixed.
        is_sung: whether somebody sings.
    """

    name: str
    number: int
    ratio_db: float
    degraded: Path
    clean: Path
    kind: str
    description: str
    is_sung: bool = False


@dataclass(frozen=True)
class FixedItem:
    """A degraded recording and its ideal result.

    Attributes:
        ratio_db: of music and noise; inf: clean.
        degraded: `(channel, time)`, full scale ±1.
        clean: same shape.
        description: what was mixed.
        kind: of noise, or "".
        is_sung: whether somebody sings.
    """

    ratio_db: float
    degraded: NDArray[np.float32]
    clean: NDArray[np.float32]
    description: str
    kind: str = ""
    is_sung: bool = False


class _Line(BaseModel):
    """A line of fixed.jsonl; "story" is the description up to version 0.1."""

    model_config = ConfigDict(frozen=True)

    number: Annotated[int, Field(ge=0)]
    ratio_db: Annotated[float, AfterValidator(_ratio)]
    kind: str = ""
    is_sung: bool = False
    description: str = ""
    story: str = ""


class _Draws(Protocol):
    """A source of items by number."""

    def item(self, number: int, n_samples: int, snr_db: float) -> Item:
        """Item `number` at a ratio."""


def write_fixed(
    store: Store, n_items: dict[Split, int], progress: Callable[[int, int], None] = lambda done, total: None
) -> list[str]:
    """Write the fixed mixtures of the splits that have music and noise; existing ones are kept if they are as many.

    Args:
        store: the dataset.
        n_items: of each ratio, for "validation" and "test"; 0: none.
        progress: receives the number of items done, and the total.

    Returns:
        What became of existing mixtures that are more or fewer.
    """
    remarks, sides, done = [], {}, 0
    for split, n in n_items.items():
        existing = _n_existing(store, split)
        if existing not in (0, n):
            what = "they stay" if n == 0 else f"they are made anew, {n} of them"
            remarks.append(f"{store.folder}: had {existing} fixed mixtures of each ratio for {split}; {what}")
        if n and existing != n and _has_sounds(store, split):
            sides[split] = n
    for split, n_wanted in sides.items():
        folder = inside(store.folder, f"fixed/{split}", store.folder)
        draws = _draws(store, split)
        lines = []
        (folder / "fixed.jsonl").unlink(missing_ok=True)  # an interruption leaves none, not some of both
        for number in range(n_wanted):
            lines += _write_item(folder, number, draws, store)
            done += 1
            progress(done, sum(sides.values()))
        write_text(folder / "fixed.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        for path in folder.glob("*/*.flac"):
            if path.stem.isdecimal() and int(path.stem) >= n_wanted:
                path.unlink()
    return remarks


def _n_existing(store: Store, split: Split) -> int:
    """How many fixed mixtures of each ratio a split has; 0 where their list is damaged."""
    try:
        return len({files.number for files in list_fixed(store, split)}) if has_fixed(store, split) else 0
    except ConfigError:
        return 0


def has_fixed(store: Store, split: Split) -> bool:
    """Whether all fixed mixtures of a split exist."""
    return os.path.exists(store.folder / "fixed" / split / "fixed.jsonl")


def list_fixed(store: Store, split: Split, n_items: int | None = None) -> list[FixedFiles]:
    """Files of the fixed mixtures of a split, ratio by ratio within each item, clean first.

    Args:
        store: the dataset.
        split: which side.
        n_items: only so many of each ratio; None: all.

    Raises:
        ConfigError: there are none, or their list is damaged.
    """
    folder = store.folder / "fixed" / split
    if not has_fixed(store, split):
        raise ConfigError(
            f"{store.folder}: has no fixed mixtures for {split}; it needs at least three artists of clean music"
        )
    log = folder / "fixed.jsonl"
    found = []
    for place, values in read_records(log, _CURE):
        line = validated(_Line, values, f"{log}: line {place}", cure=_CURE)
        if n_items is None or line.number < n_items:
            name = f"{folder_name(line.ratio_db)}/{line.number:04d}"
            degraded, clean = (
                inside(store.folder, f"fixed/{split}/{folder_name(ratio)}/{line.number:04d}.flac", log)
                for ratio in (line.ratio_db, np.inf)
            )
            description = line.description or line.story
            found.append(
                FixedFiles(name, line.number, line.ratio_db, degraded, clean, line.kind, description, line.is_sung)
            )
    return found


def read_fixed(store: Store, split: Split, n_items: int | None = None) -> Iterator[FixedItem]:
    """The fixed mixtures of a split, in the order of `list_fixed`.

    Args:
        store: the dataset.
        split: which side.
        n_items: only so many of each ratio; None: all.

    Raises:
        ConfigError: there are none, or they are damaged.
    """
    last, clean = None, np.zeros((0, 0), np.float32)
    for files in list_fixed(store, split, n_items):
        degraded = read_waveform(files.degraded)[0].astype(np.float32)
        if files.number != last:
            is_clean = files.ratio_db == np.inf  # the first of each item
            last, clean = files.number, degraded if is_clean else read_waveform(files.clean)[0].astype(np.float32)
        if degraded.shape != clean.shape or degraded.shape[0] != store.header.channels:
            raise ConfigError(f"{files.degraded}: does not fit {files.clean}, or the dataset; {_CURE}")
        yield FixedItem(files.ratio_db, degraded, clean, files.description, files.kind, files.is_sung)


def read_waveform(path: Path) -> tuple[NDArray[np.float64], int]:
    """All of a short file, `(channel, time)`, and its sample rate."""
    with AudioReader(path) as reader:
        return reader.read_all(), reader.info.sample_rate


def folder_name(ratio_db: float) -> str:
    """Folder of the files of a ratio."""
    return "clean" if ratio_db == np.inf else f"{ratio_db:g} dB"


def _plain_law(task: Task) -> MixingLaw:
    """Unprocessed music and one noise; in task "reverb", a room."""
    return MixingLaw(
        task=task,
        snr_db=(0.0, 0.0),
        level="gain",
        level_db=(0.0, 0.0),
        speeds=(1.0, 1.0),
        swap_share=0.0,
        mono_share=0.0,
        layers=(1, 1),
        synthetic_share=0.5 if task == "gramophone" else 0.0,
        moving_share=0.0,
        room_share=1.0 if task == "reverb" else 0.0,
    )


def _has_sounds(store: Store, split: Split) -> bool:
    has_noise = store.header.task == "gramophone" or bool(store.select("noise", split))
    return has_noise and bool(store.select("clean", split))


def _draws(store: Store, split: Split) -> _Draws:
    """Source of the mixtures of a split; reverberation has no kinds of noise."""
    if store.header.task != "reverb":
        return HeldOut(store, split, store.header.seed)
    return Mixer(store, _plain_law(store.header.task), split, store.header.seed)


def _write_item(folder: Path, number: int, draws: _Draws, store: Store) -> list[dict[str, Any]]:
    """One item at every ratio, all files at one level; the lines that describe them."""
    rate = store.header.sample_rate
    ratios = (np.inf, *RATIOS_DB[store.header.task])
    items = [draws.item(number, round(SECONDS * rate), ratio) for ratio in ratios]
    # Without noise a reverberant item still has its room, so its degraded side is not the truth.
    waveforms = [item.clean if ratio == np.inf else item.degraded for ratio, item in zip(ratios, items, strict=True)]
    loudest = max(float(np.abs(waveform).max()) for waveform in waveforms)
    gain = 10 ** (_ROOM_DB / 20) / loudest
    for ratio, waveform in zip(ratios, waveforms, strict=True):
        path = folder / folder_name(ratio) / f"{number:04d}.flac"
        write_waveform(path, waveform.astype(np.float64) * gain, rate, overwrite=True)
    return [
        {
            "number": number,
            "ratio_db": str(ratio),
            "kind": item.kind,
            "is_sung": item.is_sung,
            "description": item.description,
        }
        for ratio, item in zip(ratios, items, strict=True)
    ]
