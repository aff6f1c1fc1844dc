"""A dataset on disk: shards of raw samples and a manifest of what is in them.

::

    FOLDER/
      dataset.json      Header: task, rate, channels, how it was split
      manifest.jsonl    an Entry per line: source, licence, hashes, place of its samples
      shards/           raw int16, little-endian, `(time, channel)`; read by memory map, never decoded again
      fixed/            validation and test mixtures as FLAC, see `fixed`

Entries are only ever appended, samples first and their line last, so an interrupted build leaves a dataset that can
be read and continued. Samples have 16 bits with the peak of each source at -1 dBFS: quantisation noise is at -97 dB.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from concertclean.config.reading import STRICT, validated
from concertclean.config.text import parse_json, read_records, read_text
from concertclean.corpora.open_corpus import Task
from concertclean.corpora.sources import Role, Split
from concertclean.errors import ConfigError, OutputError
from concertclean.files.atomic import disk_errors, write_text
from concertclean.files.names import inside

Samples = NDArray[np.int16]

FULL_SCALE = 32767
_SHARD_BYTES = 512 * 2**20
_CURE = "build the dataset again"
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Header(BaseModel):
    """Facts about a whole dataset.

    Attributes:
        format: of the folder; this version writes and reads 1.
        task: "concert", "gramophone" or "reverb".
        sample_rate: Hz.
        channels: of the stored samples.
        seed: of the splits, the synthesis and the fixed mixtures.
        made_by: version that created it.
    """

    model_config = STRICT

    format: int = 1
    task: Task
    sample_rate: Annotated[int, Field(ge=1000, le=768_000)]
    channels: Annotated[int, Field(ge=1, le=64)]
    seed: Annotated[int, Field(ge=0)]
    made_by: str


class Entry(BaseModel):
    """One source, or one piece of synthesis, as it is stored.

    Attributes:
        name: of the source, unique within its role.
        role: what it is for.
        split: train, validation or test.
        group: artist, album or package; in one split only.
        licence: as listed in the corpus.
        title: of the recording.
        category: kind of noise, or "".
        sha256: of the source file; "" for synthesis.
        shard: file in `shards/`.
        start: first sample in the shard.
        n_samples: samples stored.
        pieces: lengths of the uninterrupted stretches, in order; they add up to `n_samples`.
        gain_db: stored over source.
        crc32: of the stored bytes.
        silent_seconds: left out as silent.
        clipped_seconds: left out as clipped.
    """

    model_config = STRICT

    name: str
    role: Role
    split: Split
    group: str
    licence: str
    title: str
    category: str
    sha256: str
    shard: str
    start: Annotated[int, Field(ge=0)]
    n_samples: Annotated[int, Field(gt=0)]
    pieces: Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)]
    gain_db: Annotated[float, Field(ge=-1000, le=1000)]
    crc32: Annotated[int, Field(ge=0, lt=2**32)]
    silent_seconds: Annotated[float, Field(ge=0)]
    clipped_seconds: Annotated[float, Field(ge=0)]


class Store:
    """An existing dataset.

    Args:
        folder: as made by `concertclean dataset build`.

    Raises:
        ConfigError: there is no dataset, it has another format, or its manifest is damaged.

    Attributes:
        folder: as given.
        header: of the dataset.
        entries: everything stored, in order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.header = _read_header(folder)
        self.entries = list(_read_entries(folder / "manifest.jsonl"))
        self._maps: dict[str, Samples] = {}

    def select(self, role: Role, split: Split) -> list[Entry]:
        """Entries of a role in one split."""
        return [entry for entry in self.entries if (entry.role, entry.split) == (role, split)]

    def samples(self, entry: Entry) -> Samples:
        """Stored samples of an entry `(time, channel)`, int16, a view of the disk.

        Raises:
            ConfigError: the shard is missing, too short or outside the folder, or the entry contradicts itself.
        """
        if sum(entry.pieces) != entry.n_samples:
            raise ConfigError(f"{self.folder}: the pieces of {entry.name} do not add up to its length; {_CURE}")
        if entry.shard not in self._maps:
            path = shard_path(self.folder, entry.shard)
            try:
                n_whole = path.stat().st_size // (2 * self.header.channels)  # an interruption may leave a partial line
                self._maps[entry.shard] = np.memmap(path, "<i2", mode="r", shape=(n_whole, self.header.channels))
            except (OSError, ValueError) as error:
                raise ConfigError(f"{path}: cannot be read ({error}); {_CURE}") from error
        stored = self._maps[entry.shard][entry.start : entry.start + entry.n_samples]
        if len(stored) != entry.n_samples:
            raise ConfigError(f"{self.folder / 'shards' / entry.shard}: ends within {entry.name}; {_CURE}")
        return stored


class StoreWriter:
    """Appends to a new or existing dataset; a context manager.

    Args:
        folder: made if missing.
        header: of the dataset.

    Raises:
        OutputError: the folder contains something else, or a dataset with another header.

    Attributes:
        entries: everything stored so far.
    """

    def __init__(self, folder: Path, header: Header) -> None:
        self.folder, self.header = folder, header
        self.entries: list[Entry] = []
        self._ends: dict[str, int] = {}  # samples in each shard
        self._open: dict[tuple[str, str], list[str]] = {}  # shards of a role in a split
        if os.path.exists(folder / "dataset.json"):
            self._continue()
        else:
            self._begin()
        path = folder / "manifest.jsonl"
        with disk_errors(path):
            (folder / "shards").mkdir(exist_ok=True)
            self._manifest = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | _NO_LINK, 0o666)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._manifest)

    def append(self, samples: Samples, **facts: object) -> Entry:
        """Stores samples `(time, channel)` and the line that describes them.

        Args:
            samples: int16.
            facts: attributes of `Entry` other than where and how much.

        Raises:
            OutputError: the disk is full.
            ConfigError: the dataset is damaged: a shard is shorter than its entries, or outside the folder.
        """
        raw = np.ascontiguousarray(samples, dtype="<i2").tobytes()
        shard = self._open_shard(str(facts["role"]), str(facts["split"]))
        end = self._ends.get(shard, 0)
        place = {"shard": shard, "start": end, "n_samples": len(samples), "crc32": zlib.crc32(raw)}
        entry = validated(Entry, {**facts, **place}, str(self.folder))
        path = shard_path(self.folder, shard)
        with disk_errors(path, cure="free some space and run it again"):
            with open(os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666), "r+b") as file:
                if file.seek(0, os.SEEK_END) < 2 * self.header.channels * end:
                    raise ConfigError(f"{path}: is shorter than its entries in the manifest; {_CURE}")
                file.truncate(2 * self.header.channels * end)  # samples left by an interrupted run have no line
                file.seek(0, os.SEEK_END)
                file.write(raw)
            line = memoryview(_line(entry).encode())
            while line:
                line = line[os.write(self._manifest, line) :]
        self._note(entry)
        return entry

    def _begin(self) -> None:
        # Hidden files apart: an interruption while the header is written leaves a part of it.
        if os.path.exists(self.folder) and any(not path.name.startswith(".") for path in self.folder.iterdir()):
            raise OutputError(f"{self.folder}: is not empty and contains no dataset; name a new folder")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be created ({error.strerror}); choose another place") from error
        write_text(self.folder / "dataset.json", self.header.model_dump_json(indent=2) + "\n")

    def _continue(self) -> None:
        store = Store(self.folder)
        continued = store.header.model_copy(update={"made_by": self.header.made_by})
        if continued != self.header:
            raise OutputError(
                f"{self.folder}: contains a dataset with other settings ({store.header}); name a new folder"
            )
        for entry in store.entries:
            self._note(entry)
        # A line cut off by an interruption is dropped; its samples are stored again.
        write_text(self.folder / "manifest.jsonl", "".join(map(_line, self.entries)))

    def _note(self, entry: Entry) -> None:
        """Remember an entry, and where the next one of its kind goes."""
        self.entries.append(entry)
        self._ends[entry.shard] = max(self._ends.get(entry.shard, 0), entry.start + entry.n_samples)
        shards = self._open.setdefault((entry.role, entry.split), [])
        if entry.shard not in shards:
            shards.append(entry.shard)

    def _open_shard(self, role: str, split: str) -> str:
        """The last shard of a role and split if it has room, else a new one."""
        shards = self._open.get((role, split), [])
        if shards and 2 * self.header.channels * self._ends[shards[-1]] < _SHARD_BYTES:
            return shards[-1]
        number = len(shards)
        while (name := f"{role}-{split}-{number:03d}.s16") in self._ends:
            number += 1
        return name


def shard_path(folder: Path, shard: str) -> Path:
    """Where a shard lies; ConfigError for a name, or a link, that leads out of the dataset."""
    return inside(folder, f"shards/{shard}", folder / "manifest.jsonl")


def _line(entry: Entry) -> str:
    """An entry as the manifest holds it."""
    return entry.model_dump_json() + "\n"


def _read_header(folder: Path) -> Header:
    path = folder / "dataset.json"
    if not os.path.lexists(path):
        raise ConfigError(f"{folder}: contains no dataset; make one with `concertclean dataset build`")
    try:
        values: Any = parse_json(read_text(path, _CURE))
    except ValueError as error:
        raise ConfigError(f"{path}: cannot be read ({error}); {_CURE}") from error
    if isinstance(values, dict) and values.get("format", 1) != 1:
        found = values["format"]
        raise ConfigError(f"{path}: dataset has format {found}, this version reads 1; update concertclean")
    return validated(Header, values, str(path), cure=_CURE)


def _read_entries(path: Path) -> Iterator[Entry]:
    """Entries of a manifest."""
    known: set[str] = set()
    for number, values in read_records(path, _CURE) if os.path.lexists(path) else ():
        entry = validated(Entry, values, f"{path}: line {number}", cure=_CURE)
        if entry.shard not in known:
            shard_path(path.parent, entry.shard)
            known.add(entry.shard)
        yield entry
