"""Faults of a dataset, and its statistics."""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from concertclean.dataset.prepare import BLOCK_SECONDS, clipped_blocks
from concertclean.dataset.store import FULL_SCALE, Entry, Store
from concertclean.errors import ConfigError


@dataclass(frozen=True)
class Fault:
    """A fault of an item.

    Attributes:
        kind: "broken", "silent", "clipped", "duplicated" or "leaking".
        name: of the item.
        reason: in words.
    """

    kind: str
    name: str
    reason: str


def faults(store: Store, progress: Callable[[int, int], None] = lambda done, total: None) -> Iterator[Fault]:
    """Faults, item by item: broken, silent, clipped, duplicated, leaking between splits.

    Args:
        store: the dataset.
        progress: receives the number of items checked, and the total.
    """
    seen: dict[tuple[str, int, int], Entry] = {}
    sides: dict[tuple[str, str], Entry] = {}
    for number, entry in enumerate(store.entries, start=1):
        yield from _damage(store, entry)
        twin = seen.setdefault((entry.role, entry.crc32, entry.n_samples), entry)
        if twin is not entry:
            yield Fault("duplicated", entry.name, f"the same samples as {twin.name}")
        if entry.group and entry.sha256:
            other = sides.setdefault((entry.role, entry.group), entry)
            if other.split != entry.split:
                yield Fault(
                    "leaking", entry.name, f"{entry.group} is in {entry.split} and, with {other.name}, in {other.split}"
                )
        progress(number, len(store.entries))


def _damage(store: Store, entry: Entry) -> Iterator[Fault]:
    """Faults of one item on its own."""
    try:
        samples = store.samples(entry)
    except ConfigError as error:
        yield Fault("broken", entry.name, str(error))
        return
    if zlib.crc32(np.ascontiguousarray(samples).tobytes()) != entry.crc32:
        yield Fault("broken", entry.name, f"the samples in {entry.shard} differ from those that were stored")
    elif np.abs(samples.astype(np.int32)).max() < FULL_SCALE * 10 ** (-60 / 20):
        yield Fault("silent", entry.name, "nothing is louder than -60 dB")
    elif entry.role in ("clean", "noise") and entry.sha256:
        block = round(BLOCK_SECONDS * store.header.sample_rate)
        share = clipped_blocks(samples.T / FULL_SCALE, block).mean()
        if share > 0.01:
            yield Fault("clipped", entry.name, f"{100 * share:.0f} % is constant at the peak")


@dataclass(frozen=True)
class Stock:
    """Amount of material of one role in one split.

    Attributes:
        role: its use.
        split: train, validation or test.
        n_items: sources, or clips of synthesis.
        n_groups: artists, albums or packages.
        seconds: stored.
        licences: number of items by licence.
        categories: number of items by kind.
    """

    role: str
    split: str
    n_items: int
    n_groups: int
    seconds: float
    licences: dict[str, int]
    categories: dict[str, int]


def stock(store: Store) -> list[Stock]:
    """Amount of material of every role in every split."""
    places = dict.fromkeys((entry.role, entry.split) for entry in store.entries)
    result = []
    for role, split in sorted(places):
        entries = store.select(role, split)
        result.append(
            Stock(
                role=role,
                split=split,
                n_items=len(entries),
                n_groups=len({entry.group for entry in entries}),
                seconds=sum(entry.n_samples for entry in entries) / store.header.sample_rate,
                licences=dict(Counter(entry.licence for entry in entries).most_common()),
                categories=dict(Counter(entry.category for entry in entries if entry.category).most_common()),
            )
        )
    return result
