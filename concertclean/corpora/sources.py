"""Sources of a dataset: audio files, each with its role, licence and split.

Leaks from training into a test are seldom identical files; they are the same artist, the same room, the same noise cut
in two. So every source belongs to a group, and only whole groups are assigned to a split.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from concertclean.audio_io.formats import AUDIO_EXTENSIONS
from concertclean.audio_io.reader import AudioReader
from concertclean.errors import AudioFileError, ConfigError, NoInputError
from concertclean.files.names import shown
from concertclean.files.walk import find_files

Role = Literal["clean", "vocals", "backing", "voice", "noise", "effect", "clap", "shout", "speech", "response"]
Split = Literal["train", "validation", "test"]

_DEALT_ROLES: Final = ("clean", "noise")  # the others are raw material for synthesis and used only for training
_NOBODY: Final = frozenset({"", "unknown", "<unknown>", "unknown artist", "various", "various artists", "va"})
_TRACK_NUMBER: Final = re.compile(r"^\d{1,3}[\s._-]+")
_PLACE: Final[dict[Split, float]] = {"train": 0.5, "validation": 0.0, "test": 1.0}


@dataclass(frozen=True)
class Source:
    """One audio file and the facts that decide how a dataset may use it.

    Attributes:
        path: the file.
        name: relative, with "/"; the same on every machine and unique within a dataset.
        role: what it is used for: "clean" music; "vocals" and "backing" of one song, aligned to the sample, or a
            "voice" alone, to be sung over other music; "noise"; an "effect": any other sound that is not music; or
            raw material of synthesis: a single "clap", a "shout", "speech", an impulse "response".
        group: artist, album or package; never on two sides of a split.
        split: as its corpus gives it; None: assigned by `assign_splits`.
        licence: "not stated" where nobody states it.
        title: for tables; what "vocals" and "backing" of one song have in common.
        category: kind of noise, such as "applause", "sung" for music with a singer; "" where it is unknown.
        spans: `(start, end)` in seconds of what may be used; empty: all.
        layers: further files that start with this one and are summed with it, such as the stems of a song.
    """

    path: Path
    name: str
    role: Role
    group: str
    split: Split | None = None
    licence: str = "not stated"
    title: str = ""
    category: str = ""
    spans: tuple[tuple[float, float], ...] = ()
    layers: tuple[Path, ...] = ()


def audio_files(folder: Path) -> list[Path]:
    """Files below a folder whose name looks like audio.

    Args:
        folder: searched with all folders below; hidden files and folders are left out.

    Returns:
        Paths in the order of their relative names.

    Raises:
        AudioFileError: a folder inside cannot be read; a dataset without it would be another.
    """
    found = find_files(folder, AUDIO_EXTENSIONS)
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())


def folder_sources(folder: Path, role: Role, *, licence: str = "not stated") -> list[Source]:
    """Every audio file below a folder as a source of one role.

    The group is the artist of the tags; without one, the folder just below `folder` that holds the file; for a
    file directly in `folder`, the "Artist" of "Artist - Title", else the file itself. A file that cannot be opened is
    listed all the same and reported when it is read.

    Args:
        folder: searched with all folders below.
        role: of all these files.
        licence: of all these files.

    Returns:
        Sources in the order of their names, which begin with the folder's own; not yet split.

    Raises:
        NoInputError: no such folder, or no audio file in it.
    """
    if not os.path.isdir(folder):
        raise NoInputError(f"{folder}: not a folder; check the name")
    paths = audio_files(folder)
    if not paths:
        raise NoInputError(f"{folder}: no audio file in it ({', '.join(sorted(AUDIO_EXTENSIONS))}); check the name")
    return [_folder_source(folder, path, role, licence) for path in paths]


def assign_splits(
    sources: Sequence[Source], *, seed: int = 0, validation: float = 0.1, test: float = 0.1
) -> list[Source]:
    """The same sources, each with a split; whole groups only, each role separately.

    A group's place is a hash of the seed and its name, so a new group moves no other, except to keep every split
    filled: three or more groups of a role fill all three, two fill train and validation, one goes to train. A split
    given by a corpus is kept, applies to the rest of its group too, and counts towards the shares. Raw material for
    synthesis goes to train unless its corpus says otherwise.

    Args:
        sources: with or without a split.
        seed: of the assignment.
        validation: share of the groups, 0 to 1.
        test: share of the groups, 0 to 1; `validation` and `test` together stay below 1.

    Returns:
        New sources in the same order, none without a split.

    Raises:
        ConfigError: a group is in two splits; all such groups are named.
        ValueError: a share is out of range.
    """
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise ValueError(f"validation is {validation} and test is {test}, each must be >= 0 and their sum below 1")
    shares: dict[Split, float] = {"validation": validation, "test": test}
    dealt: dict[tuple[Role, str], Split] = {}
    for role in dict.fromkeys(source.role for source in sources):
        given = _given_splits(source for source in sources if source.role == role)
        splits = _deal(given, seed, shares if role in _DEALT_ROLES else {})
        dealt |= {(role, group): split for group, split in splits.items()}
    return [replace(source, split=dealt[source.role, source.group]) for source in sources]


def _folder_source(folder: Path, path: Path, role: Role, licence: str) -> Source:
    relative = path.relative_to(folder)
    try:
        with AudioReader(path) as reader:
            tags = reader.info.tags
    except AudioFileError:
        tags = {}
    return Source(
        path=path,
        name=shown(f"{folder.resolve().name}/{relative.as_posix()}"),
        role=role,
        group=shown(_group(tags, relative)),
        licence=licence,
        title=shown(tags.get("title") or path.stem),
    )


def _group(tags: dict[str, str], relative: Path) -> str:
    """The artist of this recording, as far as known."""
    for key in ("album_artist", "artist"):
        artist = " ".join(tags.get(key, "").split()).casefold()
        if artist not in _NOBODY:
            return artist
    if len(relative.parts) > 1:
        return relative.parts[0]
    artist, dash, _ = _TRACK_NUMBER.sub("", relative.stem).partition(" - ")
    return " ".join(artist.split()).casefold() if dash and artist.strip() else relative.name


def _given_splits(sources: Iterable[Source]) -> dict[str, Split | None]:
    """The split that each group of one role comes with."""
    given: dict[str, Split | None] = {}
    faults = []
    for source in sources:
        known = given.get(source.group)
        if known and source.split and known != source.split:
            faults.append(f"{source.group!r} is in {known} but its {source.name} is in {source.split}")
        given[source.group] = known or source.split
    if faults:
        raise ConfigError(f"a group must be in one split only: {'; '.join(faults)}; correct the groups or the splits")
    return given


def _deal(given: dict[str, Split | None], seed: int, shares: dict[Split, float]) -> dict[str, Split]:
    """A split for every group of one role: low draws go to validation, high draws to test."""
    dealt: dict[str, Split] = {group: split for group, split in given.items() if split}
    draws = {group: _draw(seed, group) for group, split in given.items() if not split}
    possible: tuple[Split, ...] = ("train", "validation", "test")
    wanted = [split for split in possible[: len(given)] if split == "train" or shares.get(split)]
    left = {split: _share_left(shares[split], split, given) for split in wanted if split != "train"}
    for group, draw in draws.items():
        is_test = draw >= 1 - left.get("test", 0.0)
        dealt[group] = "validation" if draw < left.get("validation", 0.0) else "test" if is_test else "train"
    for split in wanted:
        if split not in dealt.values():
            _move_one(dealt, draws, split)
    return dealt


def _share_left(share: float, split: Split, given: dict[str, Split | None]) -> float:
    """Share of the free groups that goes to a split; less if corpora have filled it already."""
    splits = list(given.values())
    n_free = splits.count(None)
    missing = share * len(splits) - splits.count(split)
    return min(share, max(0.0, missing) / n_free) if n_free else 0.0


def _move_one(dealt: dict[str, Split], draws: dict[str, float], split: Split) -> None:
    """Give an empty split the free group with the nearest draw, if another split can spare one."""
    sizes = Counter(dealt.values())
    spare = [group for group in draws if sizes[dealt[group]] > 1]
    if spare:
        dealt[min(spare, key=lambda group: abs(draws[group] - _PLACE[split]))] = split


def _draw(seed: int, group: str) -> float:
    """A number from 0 to 1 that depends only on the arguments."""
    digest = hashlib.sha256(f"{seed}:{group}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
