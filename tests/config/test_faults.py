"""What is said of wrong values: our words, both ends of a range, the key as the user wrote it."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from concertclean.config.reading import STRICT, validated
from concertclean.errors import ConfigError


class Inner(BaseModel):
    model_config = STRICT
    share: Annotated[float, Field(ge=0, le=1)] = 0.5
    count: Annotated[int, Field(gt=0)] = 1


class Outer(BaseModel):
    model_config = STRICT
    inner: Inner = Inner()
    format: Literal["wav", "flac"] = "wav"
    level: Literal["off"] | Annotated[float, Field(le=0)] = "off"
    fast: bool = False


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inner": {"share": 1.5}}, "inner.share: must lie between 0 and 1, got 1.5"),
        ({"inner": {"share": "much"}}, "inner.share: must be a number, got 'much'"),
        ({"inner": {"share": float("nan")}}, "inner.share: must be a finite number, got nan"),
        ({"inner": {"count": 0}}, "inner.count: must be more than 0, got 0"),
        ({"inner": {"count": 1.5}}, "inner.count: must be a whole number, got 1.5"),
        ({"format": "wma"}, "format: choose from wav, flac, got 'wma'"),
        ({"level": 3}, "level: must be 0 or less, got 3"),
        ({"fast": "perhaps"}, "fast: must be true or false, got 'perhaps'"),
        ({"inner": 3}, "inner: must be a table, got 3"),
        ({"inner": {"sharp": 1}}, "inner.sharp: unknown, the settings are share, count"),
    ],
)
def test_faults_in_our_words(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        validated(Outer, values, "mine.toml")
    assert message in str(caught.value)
    assert "Input should" not in str(caught.value)
