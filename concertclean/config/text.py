r"""Text that others wrote: UTF-8, with or without a byte order mark, as JSON, TOML, or a JSON record a line.

Whatever the bytes are, only a `ValueError` or a `ConfigError` comes of them. Lines end at `\n` alone: a name may hold
U+2028, U+0085 or `\r`, at which `str.splitlines` and the newline modes of `open` split too.
"""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from concertclean.errors import ConfigError


def read_text(path: Path, cure: str) -> str:
    """The text of a file, its line ends as they are.

    Args:
        path: the file.
        cure: advice that ends the message; a verb and its object.

    Raises:
        ConfigError: the file is missing, cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {cure}") from error
    except ValueError as error:  # not UTF-8, or a path with a null character
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error}); {cure}") from error


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def parse_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML text.

    Raises:
        ValueError: it is not TOML, or nested too deeply.
    """
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def read_records(path: Path, cure: str) -> Iterator[tuple[int, dict[str, Any]]]:
    r"""The records of a file with a JSON object a line; a last line cut off by an interruption is left out.

    Args:
        path: the file.
        cure: advice that ends the message; a verb and its object.

    Yields:
        The number of the line, from 1, and its record.

    Raises:
        ConfigError: the file cannot be read, or a line is not a record.
    """
    *lines, last = read_text(path, cure).split("\n")
    for number, line in enumerate([*lines, last], start=1):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except ValueError as error:
            if number > len(lines) and line.startswith("{"):  # without its "\n"
                return
            raise ConfigError(f"{path}: line {number} is not a record ({error}); {cure}") from error
        if not isinstance(value, dict):
            raise ConfigError(f"{path}: line {number} is not a record; {cure}")
        yield number, value
