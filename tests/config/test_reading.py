"""From words on the command line to nested settings, and what is said of wrong ones."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from concertclean.config.reading import STRICT, validated, with_assignments
from concertclean.errors import ConfigError


class Inner(BaseModel):
    model_config = STRICT
    rate: float
    names: tuple[str, ...] = ()


class Outer(BaseModel):
    model_config = STRICT
    inner: Inner
    steps: int = 1


def test_assignments_reach_into_tables_and_leave_the_original_alone():
    values = {"inner": {"rate": 1.0}}
    changed = with_assignments(values, ["inner.rate=1e-3", 'inner.names=["a", "b"]', "steps=7", "fresh.word=bf16"])
    assert changed == {"inner": {"rate": 1e-3, "names": ["a", "b"]}, "steps": 7, "fresh": {"word": "bf16"}}
    assert values == {"inner": {"rate": 1.0}}


@pytest.mark.parametrize("name", ['law."songs 1.5"', "law.'songs 1.5'"])
def test_a_quoted_key_keeps_its_dots_and_loses_its_quotes(name):
    assert with_assignments({"law": {"songs 1.5": 3.0}}, [f"{name}=4.0"]) == {"law": {"songs 1.5": 4.0}}


def test_a_key_that_is_no_toml_is_taken_as_it_stands():
    assert with_assignments({}, ["law.librosa/data=4.0"]) == {"law": {"librosa/data": 4.0}}


@pytest.mark.parametrize("word", ["steps", "=3", " =3"])
def test_an_assignment_without_key_or_value_is_refused(word):
    with pytest.raises(ConfigError, match="expected key=value"):
        with_assignments({}, [word])


def test_a_key_below_a_number_is_refused():
    with pytest.raises(ConfigError, match="steps is not a table"):
        with_assignments({"steps": 3}, ["steps.more=1"])


def test_faults_are_named_by_their_dotted_keys_and_told_together():
    with pytest.raises(ConfigError) as caught:
        validated(Outer, {"inner": {"rat": 1.0}, "stops": 2}, "mine.toml")
    message = str(caught.value)
    assert message.startswith("mine.toml: ")
    assert "inner.rate: missing" in message
    assert "inner.rat: unknown, the settings are rate, names" in message
    assert "stops: unknown, the settings are inner, steps" in message


def test_records_are_frozen():
    record = validated(Outer, {"inner": {"rate": 1.0}}, "here")
    with pytest.raises(ValidationError, match="frozen"):
        record.steps = 2  # type: ignore[misc]


def test_every_recipe_in_the_repository_is_right():
    from concertclean.config.training import read_recipe

    recipes = Path(__file__).parents[2] / "recipes"
    files = sorted(path for path in recipes.rglob("*.toml") if path.name != "open-corpus.toml")
    assert files
    names = [read_recipe(path, []).name for path in files]
    assert len(set(names)) == len(names)
