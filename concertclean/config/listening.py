"""A listening test, as a TOML file describes it."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from concertclean.config.reading import STRICT, read_toml, validated
from concertclean.config.times import Time
from concertclean.errors import ConfigError

NOISY_NAME = "noisy recording"
"""Name of the hidden recording among the conditions where the recording is the reference."""

_Hz = Annotated[float, Field(ge=100, le=20_000)]


class ListeningItem(BaseModel):
    """One piece of music and what was made of it.

    Attributes:
        name: shown to the listener.
        reference: file that the others are compared with.
        reference_kind: "clean": the truth, also hidden among what is judged; "noisy": the recording as it came, where
            there is no truth; it is hidden as well, expected at 0.
        conditions: files by the name of what made them; the listener never sees the names.
        start_seconds: where the excerpt begins, in all files; a number, or a text such as "1:15".
        duration_seconds: length of the excerpt; ITU-R BS.1534 recommends about 10 s and 12 s at most.
    """

    model_config = STRICT

    name: Annotated[str, Field(min_length=1)]
    reference: Path
    reference_kind: Literal["clean", "noisy"] = "clean"
    conditions: Annotated[dict[str, Path], Field(min_length=1, max_length=12)]
    start_seconds: Annotated[Time, Field(ge=0)] = 0.0
    duration_seconds: Annotated[Time, Field(gt=0.5, le=12)] = 10.0


class ListeningSettings(BaseModel):
    """A listening test after ITU-R BS.1534 (MUSHRA).

    Attributes:
        title: of the page.
        instructions: shown before the first item; paragraphs are separated by empty lines.
        seed: of the orders; with the listener's name it decides the order for each listener.
        anchors_hz: low-passed copies of the reference among what is judged; 3500 Hz is the low, 7000 Hz the mid anchor.
        item: the items.
    """

    model_config = STRICT

    title: Annotated[str, Field(min_length=1)]
    instructions: str = ""
    seed: int = 0
    anchors_hz: tuple[_Hz, ...] = (3500.0, 7000.0)
    item: Annotated[tuple[ListeningItem, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [item.name for item in self.item]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two items are named {', '.join(twice)}; every item needs a name of its own")
        reserved = {"reference", NOISY_NAME, *map(anchor_name, self.anchors_hz)}
        taken = sorted(reserved & {name for item in self.item for name in item.conditions})
        if taken:
            raise ValueError(f"a condition cannot be named {', '.join(taken)}; the page uses that name itself")
        return self


def anchor_name(cutoff_hz: float) -> str:
    """Name of a low-passed copy of the reference among the conditions: "anchor 3.5 kHz"."""
    return f"anchor {cutoff_hz / 1000:g} kHz"


def read_listening_settings(path: Path) -> ListeningSettings:
    """A listening test from a TOML file; paths in it are relative to it.

    Raises:
        ConfigError: the file cannot be read, or settings are missing, unknown or out of range; all are listed.
    """
    values = read_toml(path)
    _require_right_items(values.get("item"), path)
    settings = validated(ListeningSettings, values, str(path))
    items = tuple(
        item.model_copy(
            update={
                "reference": path.parent / item.reference,
                "conditions": {name: path.parent / file for name, file in item.conditions.items()},
            }
        )
        for item in settings.item
    )
    return settings.model_copy(update={"item": items})


def _require_right_items(tables: object, path: Path) -> None:
    """Names the item in which something is wrong; the record of the whole could only say that it is one of them."""
    wrong = []
    for number, table in enumerate(tables if isinstance(tables, list) else [], 1):
        try:
            validated(ListeningItem, table, f"item {number}")
        except ConfigError as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigError(f"{path}: {'; '.join(wrong)}")
