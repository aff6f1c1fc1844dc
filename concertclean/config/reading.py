"""From a TOML file and overrides to a frozen record, with every fault reported in one message."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from concertclean.config.faults import fault_text
from concertclean.config.text import parse_toml, read_text
from concertclean.errors import ConfigError

STRICT = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

Record = TypeVar("Record", bound=BaseModel)


def read_toml(path: Path, cure: str = "check its name, or correct it") -> dict[str, Any]:
    """Tables of a TOML file.

    Args:
        path: the file.
        cure: advice that ends the message; a verb and its object.

    Raises:
        ConfigError: the file cannot be read or is no TOML.
    """
    text = read_text(path, cure)
    try:
        return parse_toml(text)
    except ValueError as error:
        raise ConfigError(f"{path}: cannot be read as TOML ({error}); {cure}") from error


def validated(kind: type[Record], values: Mapping[str, Any], place: str, *, cure: str = "") -> Record:
    """Return the record these values make.

    Args:
        kind: class of the record.
        values: by name, nested as the record is.
        place: named in front of the complaint: a file, or "options".
        cure: advice that ends the message, where correcting the values is not the cure.

    Raises:
        ConfigError: values are unknown or out of range; all are listed.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        wrong = dict.fromkeys(fault_text(one, kind) for one in error.errors())
        raise ConfigError(f"{place}: {'; '.join([*wrong, *filter(None, [cure])])}") from error


def with_assignments(values: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """Return nested values with some changed by words such as `optimizer.learning_rate=1e-3`.

    Args:
        values: tables by name; not changed.
        assignments: `key.key=value`; key and value are read as TOML (`law."a.b"=2` has two keys), or as they stand
            where they are none.

    Raises:
        ConfigError: a word without `=`, or a key below something that is no table.
    """
    result = deepcopy(values)
    for word in assignments:
        name, equals, text = word.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"{word}: expected key=value, for example optimizer.learning_rate=1e-3")
        *tables, key = _keys(name.strip())
        table = result
        for each in tables:
            table = table.setdefault(each, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{word}: {each} is not a table")
        table[key] = _parsed(text.strip())
    return result


def _keys(name: str) -> list[str]:
    """Keys of a dotted key from the outermost in."""
    try:
        inner: object = parse_toml(f"{name} = 0")
    except ValueError:  # such as a name with a slash, written without quotes
        return name.split(".")
    keys: list[str] = []
    while isinstance(inner, dict):
        (key,) = inner
        keys.append(key)
        inner = inner[key]
    return keys


def _parsed(text: str) -> object:
    try:
        return parse_toml(f"value = {text}")["value"]
    except ValueError:
        return text
