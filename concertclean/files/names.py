"""Names that come from a file or from the network, before they are used on this disk.

A manifest, a card, a list or an archive names files inside its own folder and nowhere else, whoever wrote it.
"""

import os
import re
from pathlib import Path

from concertclean.errors import ConfigError

_DRIVE = re.compile(r"[A-Za-z]:")


def name_fault(name: str) -> str | None:
    r"""Why a relative path is not plain, as the end of a sentence; None if it is.

    Args:
        name: names separated by "/". Each must be plain: not empty, "." or "..", without `\`, control characters, and
            the letter of a drive.
    """
    if not name:
        return "is empty"
    if any(ord(character) < 32 or ord(character) == 127 for character in name):
        return "contains a control character"
    if "\\" in name:
        return "contains a backslash"
    for part in name.split("/"):
        if part in ("", ".", "..") or _DRIVE.match(part):
            return "leads out of its folder"
    return None


def plain_name(name: str) -> str:
    """A relative path, if it is plain, for records that are read from files.

    Raises:
        ValueError: it is not.
    """
    if fault := name_fault(name):
        raise ValueError(fault)
    return name


def inside(folder: Path, name: str, origin: str | Path) -> Path:
    """A file below a folder, by a name that a file or an archive gives.

    Args:
        folder: trusted.
        name: relative, with "/"; not trusted.
        origin: what gives the name, for the message.

    Returns:
        `folder / name`; it need not exist.

    Raises:
        ConfigError: the name is not plain, or a symbolic link on the way leads out of the folder.
    """
    fault = name_fault(name)
    path = folder if fault else folder / name
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
        fault = "leads out of its folder through a symbolic link"
    if fault:
        raise ConfigError(f"{origin}: the name {name!r} {fault}; do not trust it, or put plain files there")
    return path


def shown(name: str) -> str:
    r"""A name that can be stored and printed anywhere: bytes that are not UTF-8 appear as `\udce9`."""
    return name.encode("utf-8", "backslashreplace").decode()
