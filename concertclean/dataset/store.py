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

import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from concertclean.config.reading import STRICT, validated
from concertclean.corpora.sources import Role, Split
from concertclean.errors import ConfigError, OutputError
from concertclean.files.atomic import write_text

Samples = NDArray[np.int16]

FULL_SCALE = 32767
_SHARD_BYTES = 512 * 2**20


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
    task: str
    sample_rate: int
    channels: int
    seed: int
    made_by: str


@dataclass(frozen=True)
class Entry:
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

    name: str
    role: Role
    split: Split
    group: str
    licence: str
    title: str
    category: str
    sha256: str
    shard: str
    start: int
    n_samples: int
    pieces: tuple[int, ...]
    gain_db: float
    crc32: int
    silent_seconds: float
    clipped_seconds: float


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
            ConfigError: the shard is missing or too short.
        """
        if entry.shard not in self._maps:
            path = self.folder / "shards" / entry.shard
            try:
                n_whole = path.stat().st_size // (2 * self.header.channels)  # an interruption may leave a partial line
                self._maps[entry.shard] = np.memmap(path, "<i2", mode="r", shape=(n_whole, self.header.channels))
            except (OSError, ValueError) as error:
                raise ConfigError(f"{path}: cannot be read ({error}); build the dataset again") from error
        stored = self._maps[entry.shard][entry.start : entry.start + entry.n_samples]
        if len(stored) != entry.n_samples:
            raise ConfigError(
                f"{self.folder / 'shards' / entry.shard}: ends within {entry.name}; build the dataset again"
            )
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
        if (folder / "dataset.json").exists():
            self._continue()
        else:
            self._begin()
        self._manifest = (folder / "manifest.jsonl").open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._manifest.close()

    def append(self, samples: Samples, **facts: object) -> Entry:
        """Stores samples `(time, channel)` and the line that describes them.

        Args:
            samples: int16.
            facts: attributes of `Entry` other than where and how much.
        """
        raw = np.ascontiguousarray(samples, dtype="<i2").tobytes()
        shard, end = self._open_shard(str(facts["role"]), str(facts["split"]))
        path = self.folder / "shards" / shard
        try:
            with path.open("r+b" if path.exists() else "wb") as file:
                file.truncate(2 * self.header.channels * end)  # samples left by an interrupted run have no line
                file.seek(0, 2)
                file.write(raw)
            place = {"shard": shard, "start": end, "n_samples": len(samples), "crc32": zlib.crc32(raw)}
            entry = Entry(**{**facts, **place})  # type: ignore[arg-type]
            self._manifest.write(_line(entry))
            self._manifest.flush()
        except OSError as error:
            raise OutputError(
                f"{path}: cannot be written ({error.strerror}); free some space and run it again"
            ) from error
        self.entries.append(entry)
        return entry

    def _begin(self) -> None:
        if self.folder.exists() and any(self.folder.iterdir()):
            raise OutputError(f"{self.folder}: is not empty and contains no dataset; name a new folder")
        try:
            (self.folder / "shards").mkdir(parents=True)
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
        self.entries = store.entries
        # A line cut off by an interruption is dropped; its samples are stored again.
        write_text(self.folder / "manifest.jsonl", "".join(map(_line, self.entries)))

    def _open_shard(self, role: str, split: str) -> tuple[str, int]:
        """The last shard of a role and split if it has room, else a new one; and the samples in it."""
        ends: dict[str, int] = {}
        for entry in self.entries:
            if (entry.role, entry.split) == (role, split):
                ends[entry.shard] = entry.start + entry.n_samples
        if ends:
            last = max(ends)
            if 2 * self.header.channels * ends[last] < _SHARD_BYTES:
                return last, ends[last]
        return f"{role}-{split}-{len(ends):03d}.s16", 0


def _line(entry: Entry) -> str:
    """An entry as the manifest holds it."""
    return json.dumps(asdict(entry), ensure_ascii=False) + "\n"


def _read_header(folder: Path) -> Header:
    path = folder / "dataset.json"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{folder}: contains no dataset; make one with `concertclean dataset build`") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); build the dataset again") from error
    header = validated(Header, values, str(path))
    if header.format != 1:
        raise ConfigError(f"{path}: dataset has format {header.format}, this version reads 1; update concertclean")
    return header


def _read_entries(path: Path) -> Iterator[Entry]:
    """Entries of a manifest; a last line cut off by an interruption is left out."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            values = json.loads(line)
            yield Entry(**{**values, "pieces": tuple(values["pieces"])})
        except (ValueError, TypeError, KeyError) as error:
            if number == len(lines):
                return
            raise ConfigError(f"{path}: line {number} cannot be parsed; build the dataset again") from error
