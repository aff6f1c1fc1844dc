"""The lower bounds of pyproject.toml are those of constraints-lowest.txt, with which `make test-lowest` passes."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
BOUNDED_ABOVE = {"setuptools"}  # pyworld needs a part of it that newer ones lack


def requirements() -> list[Requirement]:
    project = PROJECT["project"]
    extras = [entry for entries in project["optional-dependencies"].values() for entry in entries]
    found = map(Requirement, [*PROJECT["build-system"]["requires"], *project["dependencies"], *extras])
    return [one for one in found if one.name not in (project["name"], *BOUNDED_ABOVE)]


def pinned(name: str) -> dict[str, Version]:
    lines = (ROOT / name).read_text().splitlines()
    return {name: Version(version) for name, _, version in (line.partition("==") for line in lines if "==" in line)}


def test_lower_bounds_are_the_lowest_tested_versions() -> None:
    lowest = pinned("constraints-lowest.txt")
    for one in requirements():
        (bound,) = one.specifier
        assert (one.name, bound.operator, Version(bound.version)) == (one.name, ">=", lowest[one.name])


def test_the_known_good_set_is_no_older() -> None:
    known = pinned("constraints.txt")
    assert {one.name for one in requirements() if one.name in known} >= {"numpy", "torch", "pytest"}
    assert all(known[one.name] in one.specifier for one in requirements() if one.name in known)
